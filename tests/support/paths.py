"""Folders from which tests read."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The root of the repository."""
SHARED = ROOT.parent / "shared" / "fixtures"
"""Real files that may exist next to the repository; tests that need them are skipped without."""
