"""Counts, statistics, rules and episodes: no I/O, no clock, no unseeded randomness; imports nothing
of `sinks` or `stream`.
"""
