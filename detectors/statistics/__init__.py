"""Computes numbers from a window and its baseline, without any limit; may import `profiles`."""
