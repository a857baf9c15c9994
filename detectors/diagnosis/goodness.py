"""How well an expected distribution explains the counts of a window, by a chi-squared test."""

from __future__ import annotations

from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.diagnosis.number_sides import NumberSides
from detectors.statistics.laws import upper_tail

GROUPS: Final = 20
"""The number of groups of neighbouring bins that are compared."""
LEAST_EXPECTED: Final = 5.0
"""The least expected count of a group (Cochran 1954)."""
ROUNDING: Final = 1e-9
"""The error of a number of groups in floating point."""
FITS: Final = 0.01
"""A p-value from which on a distribution counts as fitting."""
FITS_ROUGHLY: Final = 1e-3
"""The same for a cause that has other evidence, as a single value where no other value is."""


def goodness(expected: Floats, counts: Floats, per_row: float) -> float:
    """The p-value of counts against expected shares, both of rising values.

    Pearson's statistic over groups of neighbours with about equal expected counts, with the error
    of the baseline that the expectation comes from: ``per_row`` is ``1/n + 1/m``. 1 where there is
    nothing to compare, 0 where counts are where nothing is expected.

    >>> goodness(np.full(4, 0.25), np.array([25.0, 25.0, 25.0, 25.0]), 0.02)
    1.0
    """
    n = float(counts.sum())
    total = float(expected.sum())
    if n <= 0 or not total > 0:
        return 1.0
    shares = np.maximum(expected, 0.0) / total
    size = max(1.0 / GROUPS, LEAST_EXPECTED / n)
    group = np.floor((np.cumsum(shares) - shares / 2.0) / size).astype(int)
    # What lies beyond the last expected value belongs to the last group, as new extremes do.
    group = np.minimum(group, max(int(1.0 / size + ROUNDING), 1) - 1)
    p = np.bincount(group, shares)
    q = np.bincount(group, counts) / n
    if np.any((p <= 0) & (q > 0)):
        return 0.0
    used = p > 0
    statistic = float(((q[used] - p[used]) ** 2 / p[used]).sum()) / per_row
    freedom = int(used.sum()) - 1
    return upper_tail(statistic, freedom) if freedom > 0 else 1.0


def converted_goodness(sides: NumberSides, factor: float, offset: float) -> float:
    """The p-value of the window's bins against ``factor * x + offset`` of the baseline.

    Within a bin the baseline is taken as even, which numbers with gaps between them are not.
    """
    shares = converted_shares(sides, factor, offset)
    return goodness(shares, sides.after.astype(float), sides.per_row)


def converted_shares(sides: NumberSides, factor: float, offset: float) -> Floats:
    """The share of each of the window's bins that ``factor * x + offset`` leads one to expect."""
    baseline = sides.baseline if factor > 0 else sides.baseline.mirrored()
    at = (sides.edges - offset) / abs(factor)
    below = np.interp(at, baseline.at, baseline.below, left=0.0, right=1.0)
    return np.diff(below, prepend=0.0, append=1.0)
