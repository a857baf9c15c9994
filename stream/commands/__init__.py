"""Implements the commands that make baselines and that explain and describe results; may import
every package of `stream` except `check` and `cli`.
"""
