"""Tests of a window, alone and together with those before it, against the baseline."""
