"""The checks of a window, one file each; may import `rules` and `masking` of `decisions`, and all
other folders of `detectors`.
"""
