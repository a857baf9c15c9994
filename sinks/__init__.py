"""Delivers window reports and signals, one file a sink; may import `detectors`, never `stream`."""
