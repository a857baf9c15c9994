"""The verdicts of the mode ``evidence``; may import `budget`, `rules`, `masking` and `checks`."""
