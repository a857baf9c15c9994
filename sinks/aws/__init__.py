"""The AWS client that sinks, sources and the state in S3 share, and what its errors mean; imports
`sinks.errors` only.
"""
