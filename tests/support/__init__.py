"""Builders that tests and benchmarks share: events, jobs, metrics, records. Those that authors of
components need as well are in `stream.testing`.
"""
