"""Live checks of sources: one file a type, with a function `live_check(source, context)`."""
