"""Live checks of sources: one file per type, with a function `live_check(source, context)`; may
import the files of `check`, the source that it checks, `events`, `errors` and `detectors`.
"""
