"""Live checks of sources, one file a type, found by its name."""
