"""A replay of real flights with five incidents on the way: ``python -m demo`` (or ``make demo``)."""
