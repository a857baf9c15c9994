"""Computes numbers from a window and its baseline and knows no limit; may import `profiles`."""
