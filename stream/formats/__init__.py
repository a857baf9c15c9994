"""Decodes records into columns, one file or folder a format; may import `events` and below."""
