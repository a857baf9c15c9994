"""Keeps the state as an object in S3 with one owner; may import `state` and `sinks.aws`."""
