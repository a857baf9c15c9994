"""Routes committed items to sinks and to the dead-letter file; may import `state`,
`telemetry` and below.
"""
