"""Chi-squared p-value between categories."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Floats
from detectors.statistics.distances.base import SMALL_CELL, AppliesTo, Distance, Pair
from detectors.statistics.laws import upper_tail


class ChiSquared(Distance):
    """p-value of the chi-squared test of homogeneity of each text feature: 1 to 0.

    ``sum((observed - expected)**2 / expected)`` over both sides, where expected counts come from
    the pooled shares: the baseline is taken as a sample like the window, not as exact. Cells with
    an expected count under 5 on the smaller side are merged into one; categories that the baseline
    does not have count in their hashed bins, missing values in their own cell. Small values mean
    drift: unlike every other distance, 1 means equal, and therefore it does not decide. NaN for
    numbers, without rows, and with a single cell.

    Trap: with many rows it is tiny even for differences that do not matter. Source: Pearson 1900;
    Cochran 1954 (small cells).

    >>> from detectors.statistics.distances.base import of_counts
    >>> ChiSquared().distances(of_counts({"a": 10, "b": 10, "c": 20}, {"a": 20, "b": 20, "c": 20}))
    array([0.2494])
    """

    applies_to: ClassVar[AppliesTo] = "text"
    title: ClassVar[str] = "chi-squared p-value"
    formula: ClassVar[str] = "p-value of the chi-squared test of homogeneity; 1 means equal"

    def distances(self, pair: Pair) -> Floats:
        """Return the p-value of one test per text feature."""
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
    m, n = before.sum(), after.sum()
    small = (before + after) * min(m, n) / (m + n) < SMALL_CELL
    before, after = _merge(before, small), _merge(after, small)
    filled = before + after > 0
    before, after = before[filled], after[filled]
    both = before + after
    if len(both) < 2:
        return float("nan")
    statistic = _pearson(before, both * m / (m + n)) + _pearson(after, both * n / (m + n))
    return upper_tail(float(statistic.sum()), len(both) - 1)


def _merge(counts: Floats, small: NDArray[np.bool_]) -> Floats:
    return np.append(counts[~small], counts[small].sum())


def _pearson(observed: Floats, expected: Floats) -> Floats:
    return (observed - expected) ** 2 / expected
