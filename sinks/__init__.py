"""Delivers window reports and signals, one file per sink; may import `detectors`, not `stream`."""
