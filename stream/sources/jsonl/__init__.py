"""Reads JSON lines from files and folders; may import `sources.base`,
`sources.combined`, `events` and below.
"""
