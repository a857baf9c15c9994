"""Keeps the state in one SQLite file; may import `aggregation`, `config` and below."""
