"""Makes, writes and reads the quality baseline of a model."""
