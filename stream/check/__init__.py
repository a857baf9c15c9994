"""Implements `driftline check`, offline and live; may import every package of `stream` except
`commands` and `cli`.
"""
