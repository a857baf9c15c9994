"""Merges partial counts, moves the watermark and closes windows, without I/O or clock; may import
`dedupe`, `events` and below.
"""
