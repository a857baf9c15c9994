"""The service: reads events, counts them per window, delivers the verdicts; may import `sinks` and
`detectors`.
"""
