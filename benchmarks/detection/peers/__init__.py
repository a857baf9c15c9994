"""The peers, each on the very windows that driftline judges, in an environment of its own."""
