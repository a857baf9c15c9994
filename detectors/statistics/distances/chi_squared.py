"""Chi-squared p-value between categories."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from detectors.arrays import Floats
from detectors.statistics.distances.base import AppliesTo, Distance, Pair
from detectors.statistics.laws import upper_tail


class ChiSquared(Distance):
    """p-value of the chi-squared test of homogeneity of each text feature: 1 to 0.

    ``sum((observed - expected)**2 / expected)`` over both sides, where expected counts come from
    the pooled shares: the baseline is taken as a sample like the window, not as exact. It
    compares the merged cells; categories that the baseline does not have count in their hashed
    bins, missing values do not count. Small values mean
    drift: unlike every other distance, 1 means equal. So it decides only where
    ``categorical_drift_method`` of ``constraints.json`` asks for a p-value. NaN for numbers,
    without rows, and with a single cell.

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
        cells = pair.merged_cells
        m, n = pair.m[cells.feature], pair.n[cells.feature]
        both = cells.before + cells.after
        with np.errstate(invalid="ignore", divide="ignore"):
            terms = _pearson(cells.before, both * m / (m + n))
            terms += _pearson(cells.after, both * n / (m + n))
        statistics = cells.total(np.where(cells.filled, terms, 0.0))
        tested = ~pair.numeric & (pair.m > 0) & (pair.n > 0) & (cells.left > 1)
        out = np.full(len(pair.layout.features), np.nan)
        for i in np.flatnonzero(tested).tolist():
            out[i] = upper_tail(float(statistics[i]), float(cells.left[i]) - 1.0)
        return out


def _pearson(observed: Floats, expected: Floats) -> Floats:
    return (observed - expected) ** 2 / expected
