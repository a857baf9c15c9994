"""Runs a job: start-up, loop, commit, shutdown; may import every room of `stream` except
`commands`, `check` and `cli`.
"""
