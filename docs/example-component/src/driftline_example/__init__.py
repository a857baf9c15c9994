"""Components for driftline in a distribution of their own: a sink and a distance."""
