"""Reads and checks the configuration file; may import `formats`, `sources`, `dedupe` and below."""
