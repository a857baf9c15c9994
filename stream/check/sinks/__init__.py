"""Live checks of sinks: one file per type, with a function `live_check(sink, context)`; may import
the files of `check`, `sinks` and `detectors`.
"""
