"""Change detectors on a series with one value per window, one file each; may import `statistics`
and `profiles`.
"""
