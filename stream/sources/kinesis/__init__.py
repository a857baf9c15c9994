"""Reads Kinesis streams by polling or enhanced fan-out; may import `sources.base`, `events`,
`sinks.aws` and below.
"""
