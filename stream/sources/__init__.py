"""Reads records from a log, one folder a technology; may import `events` and below."""
