"""Reads the objects of a bucket in Amazon S3; may import `sources.base`, `sources.lines`, `events`
and below.
"""
