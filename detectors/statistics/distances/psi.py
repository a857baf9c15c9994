"""Population stability index."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.statistics.distances.base import Pair

Counts = Floats | Ints

NAME = "psi"
SMALL_CELL = 5.0
"""Cells with a smaller expected count than this are merged into one."""


class SmoothedPsi(NamedTuple):
    """PSI of each feature, the number of cells it was summed over, and how many cells with counts
    were merged into one of them.
    """

    value: Floats
    cells: Floats
    merged: Floats


def distances(pair: Pair) -> Floats:
    """PSI of each feature: ``sum((q - p) * ln(q / p))`` over its coarse cells, missing and
    unreadable values among them.

    Natural logarithm; 0 for equal shares, no upper end. PSI has no value for an empty cell, and
    what is put there instead owns the number: here **one half is added to each cell on both
    sides**, and all cells whose expected count ``p * n * m / (n + m)`` (p pooled over both sides)
    is under 5 are first merged into one. So smoothed, ``PSI / (1/n + 1/m)`` follows the chi-squared
    law with B - 1 degrees of freedom while nothing drifts, which :mod:`detectors.decisions.rules`
    uses as noise.

    Trap: without drift PSI is about ``(B - 1) * (1/n + 1/m)``, so fixed limits alarm in small
    windows. NaN without rows. Source: Siddiqi 2006 (convention 0.1, 0.25); Yurdakul 2018 (the law).
    To second order 8 times the Jensen-Shannon divergence.

    >>> from detectors.statistics.distances.base import of_counts
    >>> distances(of_counts({"a": 600, "b": 400}, {"a": 300, "b": 700}))
    array([0.376])
    """
    return smoothed(pair).value


def smoothed(pair: Pair) -> SmoothedPsi:
    """PSI with the number of cells that are left: the degrees of freedom of its noise are one less."""
    m, n = pair.m, pair.n
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = pair.spread(m * n / (m + n) ** 2)
    small = (pair.before + pair.after) * weight < SMALL_CELL
    used = (pair.before + pair.after > 0) & ~small
    rest_before, rest_after = pair.total(pair.before * small), pair.total(pair.after * small)
    rest = rest_before + rest_after > 0
    cells = pair.total(used) + rest
    m, n = m + cells / 2.0, n + cells / 2.0
    value = pair.total(
        np.where(used, _term(pair.before, pair.after, pair.spread(m), pair.spread(n)), 0.0)
    )
    value = value + np.where(rest, _term(rest_before, rest_after, m, n), 0.0)
    return SmoothedPsi(
        pair.where_both(value), cells, pair.total(small & (pair.before + pair.after > 0))
    )


def contributions(pair: Pair) -> Floats:
    """What each coarse cell adds to PSI if no cells were merged: for telling which bins moved, not
    for judging.
    """
    cells = pair.total(pair.before + pair.after > 0)
    m, n = pair.spread(pair.m + cells / 2.0), pair.spread(pair.n + cells / 2.0)
    return np.where(pair.before + pair.after > 0, _term(pair.before, pair.after, m, n), 0.0)


def _term(before: Counts, after: Counts, m: Floats, n: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        p, q = (before + 0.5) / m, (after + 0.5) / n
        term: Floats = (q - p) * np.log(q / p)
    return term
