"""Decodes records into columns, one file or folder per format; may import `events` and below."""
