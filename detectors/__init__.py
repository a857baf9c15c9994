"""The core: counts, distances, rules and episodes; no I/O, no clock, no unseeded randomness."""
