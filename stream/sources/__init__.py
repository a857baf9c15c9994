"""Reads raw records, one folder per technology; may import `events` and below."""
