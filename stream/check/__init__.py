"""Implements `driftline check`, offline and live; may import every room of `stream` but `commands`
and `cli`.
"""
