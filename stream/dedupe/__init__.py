"""Recognises events that were counted before; may import `events` and below."""
