"""Runs a user's preprocessing script on captures, in a process of its own.

The modules that run in that process (``child``, ``inference_record``, ``results``, ``tables``,
``messages``) import nothing of driftline but each other, so that it starts quickly.
"""
