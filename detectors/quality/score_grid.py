"""Bins of scores: a fixed grid, or the quantiles of a baseline's scores."""

from __future__ import annotations

import zlib
from functools import cache
from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints

MOST_BINS: Final = 1_024
_MIDDLE: Final = 640
"""The fixed grid has bins of ``1/_MIDDLE`` between 1/64 and 63/64."""
_BINS_PER_OCTAVE: Final = 6
_OCTAVES: Final = 22


class ScoreGrid:
    """The bins of a score: bin i has the scores from ``edges[i - 1]`` to below ``edges[i]``.

    ``number`` identifies the grid among all that ever counted: 0 is the fixed grid.
    """

    def __init__(self, edges: Floats, number: int) -> None:
        self.edges = edges
        self.number = number

    @classmethod
    def of_edges(cls, edges: Floats) -> ScoreGrid:
        """Return the grid with these sorted distinct edges.

        Raises ``ValueError`` if they are not finite and increasing, or more than 1,023.
        """
        known = np.ascontiguousarray(edges, np.float64)
        if len(known) >= MOST_BINS or not np.isfinite(known).all() or (np.diff(known) <= 0).any():
            raise ValueError("edges of scores must be finite, increasing and at most 1023")
        return cls(known, 1 + (zlib.crc32(known.tobytes()) & 0x7FFFFF))

    def bins_of(self, scores: Floats) -> Ints:
        """Return the bin of each score."""
        return np.searchsorted(self.edges, scores, side="right").astype(np.int64)


@cache
def fixed_grid() -> ScoreGrid:
    """Return the grid that needs no baseline, of about 1,000 bins.

    Bins are uniform in the middle and geometric towards 0 and 1; for models that return margins
    there is one for each octave below 0 and above 1. With scores that crowd near 0 or 1, or are
    margins, the bound on the error of the AUC can be above 1e-3, and the interval is as much wider;
    the bins of a baseline keep it below for any scores like those of the baseline.

    >>> len(fixed_grid().edges) < MOST_BINS
    True
    """
    ladder = np.exp2(-6.0 - np.arange(1, _BINS_PER_OCTAVE * _OCTAVES + 1) / _BINS_PER_OCTAVE)
    middle = np.arange(_MIDDLE // 64, _MIDDLE * 63 // 64 + 1) / _MIDDLE
    outside = np.exp2(np.arange(-10.0, 20.0))
    after_one = np.nextafter(1.0, 2.0)
    parts = (-outside, [0.0], ladder, middle, 1.0 - ladder, [1.0, after_one], 1.0 + outside)
    return ScoreGrid(np.unique(np.concatenate(parts)), 0)


def quantile_edges(scores: Floats) -> Floats:
    """Return the edges of at most 1,024 bins that hold about equal shares of a baseline's scores.

    A value with a larger share gets a bin of its own. With bins of at most 1/B of the scores, half
    the mass of the pairs within bins is at most 1/B at any share of positives. NaN is left out.
    Empty without scores.

    >>> quantile_edges(np.array([0.1, 0.1, 0.9]))
    array([0.1, 0.1, 0.9, 0.9])
    """
    known = scores[np.isfinite(scores)]
    values, counts = np.unique(known, return_counts=True)
    capacity = len(known) / (MOST_BINS - 24)
    while len(values):
        edges = _packed(values, np.cumsum(counts), capacity)
        if len(edges) < MOST_BINS:
            return edges
        capacity *= 1.1
    return np.empty(0)


def _packed(values: Floats, until: Ints, capacity: float) -> Floats:
    """Return the edges of bins that are filled from below up to ``capacity`` rows each."""
    edges: list[float] = []
    at, before = 0, 0
    while at < len(values) and len(edges) <= MOST_BINS:
        end = max(int(np.searchsorted(until, before + capacity, side="right")), at + 1)
        start, alone = float(values[at]), end == at + 1
        begun = bool(edges) and edges[-1] == np.nextafter(values[at - 1], np.inf)
        if not begun or (alone and start > edges[-1]):
            edges.append(start)
        if alone:  # the next bin starts right after the value
            edges.append(float(np.nextafter(start, np.inf)))
        at, before = end, int(until[end - 1])
    return np.array(edges)
