"""Folders that tests read from."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The repository."""
SHARED = ROOT.parent / "shared" / "fixtures"
"""Real files that may lie beside the repository; tests that need them are skipped without."""
