"""Diagnosis of text features: values that are new, or that vanished."""

from __future__ import annotations

from typing import Final

from detectors.phrases import percent
from detectors.profiles.layout import HASHED_BINS
from detectors.statistics.distances.base import Pair

NOTICEABLE: Final = 0.02
"""The share of rows that new values must gain, or that a vanished one must have had."""


def category_values(pair: Pair, i: int) -> str:
    """The change of the vocabulary of text feature ``i``: new values, else vanished ones."""
    start = int(pair.layout.cell_starts[i])
    known = slice(start, start + len(pair.layout.features[i].vocabulary))
    hashed = slice(known.stop, known.stop + HASHED_BINS)
    before, after = float(pair.p[hashed].sum()), float(pair.q[hashed].sum())
    if after - before > NOTICEABLE:
        return f"new category values rose from {percent(before)} to {percent(after)}"
    vanished = (pair.p[known] > NOTICEABLE) & (pair.after[known] == 0)
    return "a known value has vanished" if vanished.any() else ""
