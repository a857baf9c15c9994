"""Live checks of sources: one file per type, with a function `live_check(source, context)`."""
