"""Names the bins that moved and, where it is clear, the cause; may import `changes`, `statistics`
and `profiles`.
"""
