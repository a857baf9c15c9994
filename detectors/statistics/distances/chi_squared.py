"""Chi-squared p-value between categories."""

from __future__ import annotations

import numpy as np

from detectors.arrays import Floats
from detectors.statistics.chi2 import tail
from detectors.statistics.distances.base import Pair

NAME = "chi_squared"
SMALL_CELL = 5.0


def distances(pair: Pair) -> Floats:
    """p-value of the chi-squared test of homogeneity of each text feature; NaN for numbers, without
    rows, with one cell.

    ``sum((observed - expected)**2 / expected)`` over both sides, where expected counts come from
    the pooled shares: so the baseline is a sample like the window and not taken as exact. Cells
    whose expected count on the smaller side is under 5 are merged into one; categories that the
    baseline has not seen count in their hashed bins, missing values in theirs. Small values speak
    for drift: unlike every other distance, 1 means equal.

    Trap: with many rows it is tiny for differences that do not matter. Source: Pearson 1900;
    Cochran 1954 (small cells).

    >>> from detectors.statistics.distances.base import of_counts
    >>> distances(of_counts({"a": 10, "b": 10, "c": 20}, {"a": 20, "b": 20, "c": 20}))
    array([0.2494])
    """
    out = np.full(len(pair.layout.features), np.nan)
    for i in np.flatnonzero(~pair.numeric & (pair.m > 0) & (pair.n > 0)).tolist():
        cells = slice(int(pair.layout.cell_starts[i]), int(pair.layout.cell_starts[i + 1]))
        out[i] = p_value(pair.before[cells].astype(float), pair.after[cells].astype(float))
    return out


def p_value(before: Floats, after: Floats) -> float:
    """The p-value for one pair of counts; NaN if fewer than two cells are left.

    >>> p_value(np.array([10.0, 20, 30]), np.array([10.0, 20, 30]))
    1.0
    """
    both, m, n = before + after, before.sum(), after.sum()
    small = both * min(m, n) / (m + n) < SMALL_CELL
    before, after = (np.append(side[~small], side[small].sum()) for side in (before, after))
    both = before + after
    before, after, both = before[both > 0], after[both > 0], both[both > 0]
    if len(both) < 2:
        return float("nan")
    expected_before, expected_after = both * m / (m + n), both * n / (m + n)
    statistic = (
        (before - expected_before) ** 2 / expected_before
        + (after - expected_after) ** 2 / expected_after
    ).sum()
    return tail(float(statistic), len(both) - 1)
