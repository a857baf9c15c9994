"""Distances between a window and its baseline, one file each; may import `profiles` and `laws`."""
