"""Counts, statistics, rules and episodes; imports nothing of `sinks` or `stream`.

No I/O, no clock, and no randomness without a seed.
"""
