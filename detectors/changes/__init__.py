"""Change detectors on a series of one value a window, one file each; may import `statistics` and
`profiles`.
"""
