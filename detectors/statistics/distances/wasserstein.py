"""Wasserstein-1 distance."""

from __future__ import annotations

import numpy as np

from detectors.arrays import Floats
from detectors.profiles.fine_bins import FineBins, fine_bins
from detectors.profiles.profile import Profile
from detectors.statistics.distances.base import Pair

NAME = "wasserstein"


def distances(pair: Pair) -> Floats:
    """``integral |F - G| dx`` of each numeric feature in units of the baseline's standard
    deviation; NaN for text.

    F and G are over finite numbers and taken as linear within a fine bin; the two open bins end at
    the smallest and largest number that either side has seen. The error is at most the width of a
    bin times the share in it, summed: a normal feature that is stretched by half is told 8 % too
    high, since the outermost bins are wide. The result is never below the gap between the two
    means, which are exact. Missing values have no place on the axis and do not count here: PSI sees
    them. NaN if a side has no finite number, or if the baseline has no spread (a standard deviation
    of 0).

    Trap: one far outlier moves it; a very wide ladder bin blurs it. Source: Vaserstein 1969; the
    quantile form of Vallender 1974.

    >>> from detectors.statistics.distances.base import of_counts
    >>> distances(of_counts({0.0: 1, 2.0: 1}, {1.0: 1, 3.0: 1}))
    array([1.])
    """
    layout, out = pair.layout, np.full(len(pair.layout.features), np.nan)
    fine = fine_bins(layout)
    if not len(fine.features):
        return out
    gap = pair.f - pair.g
    left = np.concatenate(([0.0], gap[:-1]))
    left[fine.starts] = 0.0
    area = np.add.reduceat(_trapezoid(left, gap) * _bin_widths(pair, fine), fine.starts)
    scale = np.array([layout.features[i].scale for i in fine.features])
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = np.abs(_means(pair.baseline, fine) - _means(pair.window, fine))
        out[fine.features] = np.where(scale > 0, np.maximum(area, shift) / scale, np.nan)
    return pair.where_both(out)


def _means(side: Profile, fine: FineBins) -> Floats:
    """Means of the finite numbers, as distances from the layout's centers."""
    means: Floats = side.sums[fine.features, 0] / side.finite[fine.features]
    return means


def _trapezoid(left: Floats, right: Floats) -> Floats:
    """Mean of ``|linear|`` between the two ends: a triangle on each side of zero where the sign
    changes.
    """
    size = np.abs(left) + np.abs(right)
    with np.errstate(invalid="ignore", divide="ignore"):
        crossed = (left * left + right * right) / (2.0 * size)
    return np.where(left * right < 0, crossed, size / 2.0)


def _bin_widths(pair: Pair, fine: FineBins) -> Floats:
    """The width of each fine bin; the open ones end at the smallest and largest number of either
    side, if it lies outside.
    """
    low = np.minimum(pair.baseline.low, pair.window.low)[fine.features]
    high = np.maximum(pair.baseline.high, pair.window.high)[fine.features]
    ends = fine.starts + fine.widths - 1
    upper, lower = fine.edges.copy(), np.roll(fine.edges, 1)
    lower[fine.starts] = np.minimum(low, fine.edges[fine.starts])
    upper[ends] = np.maximum(high, fine.edges[ends - 1])
    widths: Floats = upper - lower
    return widths
