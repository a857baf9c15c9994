"""Live checks of sinks, one file a type, found by its name."""
