"""How far a window is from its baseline: one statistic a file."""
