"""Implements `driftline check`, offline and live; may import every room of `stream` except
`commands` and `cli`.
"""
