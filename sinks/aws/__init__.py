"""The AWS client shared by sinks, sources and the state in S3, and what its errors mean; may
import `sinks.errors`.
"""
