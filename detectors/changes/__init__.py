"""Change detectors over per-window series: one file a detector."""
