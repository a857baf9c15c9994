"""Reads JSON lines from files and folders; may import `sources.base`, `.combined` and `events`."""
