"""Kolmogorov-Smirnov distance."""

from __future__ import annotations

import numpy as np

from detectors.arrays import Floats
from detectors.profiles.fine_bins import fine_bins
from detectors.statistics.distances.base import Pair

NAME = "ks"


def distances(pair: Pair) -> Floats:
    """``max |F - G|`` of each numeric feature, at the edges of its fine bins: 0 to 1; NaN for text
    and without rows.

    F and G are over finite numbers. **Missing is a bin of its own**: the result is never below the
    gap between the shares of missing values, nor below that of unreadable ones; if one side has no
    number at all, that gap is all there is.

    Trap: on bins it is low by at most the largest share of a single bin (under 1 % where the grid
    has 128 bins). Its p-value is not used: with many rows it rejects differences that do not
    matter. Source: Kolmogorov 1933; Smirnov 1948.

    >>> from detectors.statistics.distances.base import of_counts
    >>> distances(of_counts({1.0: 1, 2.0: 1, 3.0: 1, 4.0: 1}, {2.0: 1, 3.0: 1, 4.0: 1, 5.0: 1}))
    array([0.25])
    """
    layout, out = pair.layout, np.full(len(pair.layout.features), np.nan)
    fine = fine_bins(layout)
    if len(fine.features):
        inside = np.maximum.reduceat(np.nan_to_num(np.abs(pair.f - pair.g)), fine.starts)
        ends = layout.cell_starts[1:][fine.features]
        lost = np.maximum(np.abs(pair.p - pair.q)[ends - 2], np.abs(pair.p - pair.q)[ends - 1])
        out[fine.features] = np.maximum(inside, lost)
    return pair.where_both(out)
