"""Counts rows on the bins that a baseline fixes; may import no other folder of `detectors`."""
