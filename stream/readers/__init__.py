"""Turns records into partial counts, in this process or in worker processes; may import
`baselining`, `telemetry`, `state` and below.
"""
