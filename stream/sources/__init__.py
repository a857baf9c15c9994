"""Reads raw records, one technology a folder; may import `events` and below."""
