"""Labels: how they are decoded, which prediction each belongs to, and what became of each."""
