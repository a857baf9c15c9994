"""A replay of real flights with five planted incidents: ``python -m demo``, or ``make demo``."""
