"""The formats of labels, one per file."""
