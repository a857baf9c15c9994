"""Names what moved and, where it can, the cause; may import `changes`, `quality`, `statistics` and
`profiles`.
"""
