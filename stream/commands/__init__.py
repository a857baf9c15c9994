"""Implements the commands that explain and describe results; may import every room of `stream` but
`check` and `cli`.
"""
