"""How bytes become columns: one file a format."""
