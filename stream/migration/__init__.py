"""Turns what AWS describes of a monitoring schedule into a configuration; imports only `errors`."""
