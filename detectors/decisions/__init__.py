"""Turns measured windows into violations and signals; may import all other folders of
`detectors`.
"""
