"""Runs a job: start-up, loop, commit, shutdown; may import every package of `stream` except
`commands`, `check` and `cli`.
"""
