"""Reads and validates the configuration file; may import `formats`, `sources`, `dedupe` and below."""
