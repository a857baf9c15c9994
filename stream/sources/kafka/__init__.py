"""Reads Kafka topics with one of three clients; may import `sources.base`, `events` and
below.
"""
