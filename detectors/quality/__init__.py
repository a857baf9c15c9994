"""Metrics of model quality: mergeable counts of predictions with their labels, and what follows."""
