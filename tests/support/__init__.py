"""Builders that tests and benchmarks share: baselines, events, jobs, reports."""
