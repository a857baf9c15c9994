"""Live checks of sinks: one file a type, with a function `live_check(sink, context)`."""
