"""``driftline replay``: judges past captures again, beside the verdicts of Model Monitor."""
