"""Counts rows on the bins that a baseline fixes; may import only `report`, `errors` and `arrays`."""
