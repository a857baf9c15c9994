"""Merges partial counts, moves the watermark and closes windows, without I/O or clock; may import
`events`, `event_time` and `outcomes`.
"""
