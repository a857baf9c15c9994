"""Estimates of a model's quality before labels are there, from mergeable counts."""
