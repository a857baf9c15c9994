"""The checks of a window, one file each; may import `rules`, `masking` and
`evidence.window_evidence` of `decisions`, and all other folders of `detectors`.
"""
