"""The AWS client shared by sinks, sources and the state in S3, and the meaning of its errors; may
import `sinks.errors` and `detectors`.
"""
