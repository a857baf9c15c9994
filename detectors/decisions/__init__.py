"""Turns measured windows into violations and signals; may import every other folder of `detectors`."""
