"""Runs a job: start-up, loop, commit, shutdown; may import every room of `stream` but `commands`,
`check` and `cli`.
"""
