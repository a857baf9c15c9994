"""Kolmogorov-Smirnov distance."""

from __future__ import annotations

from math import log
from typing import ClassVar

import numpy as np

from detectors.arrays import Floats
from detectors.profiles.fine_bins import fine_bins
from detectors.statistics.distances.base import AppliesTo, Distance, Pair
from detectors.statistics.laws import sampling_scale


class Ks(Distance):
    """``max |F - G|`` of each numeric feature, at the edges of its fine bins: 0 to 1.

    F and G are over finite numbers: missing and unreadable values are no part of it. NaN for text,
    and without numbers on a side.

    Trap: on bins it is low by at most the largest share of a single bin (under 1 % where the grid
    has 128 bins). Its p-value is not used: with many rows it rejects differences that do not
    matter. Source: Kolmogorov 1933; Smirnov 1948.

    >>> from detectors.statistics.distances.base import of_counts
    >>> before, after = {1.0: 1, 2.0: 1, 3.0: 1, 4.0: 1}, {2.0: 1, 3.0: 1, 4.0: 1, 5.0: 1}
    >>> Ks().distances(of_counts(before, after))
    array([0.25])
    """

    applies_to: ClassVar[AppliesTo] = "numbers"
    title: ClassVar[str] = "KS"
    formula: ClassVar[str] = "max |F - G| at the edges of the fine bins"
    decides: ClassVar[bool] = True

    def distances(self, pair: Pair) -> Floats:
        """The largest gap between the distribution functions."""
        layout = pair.layout
        out = np.full(len(layout.features), np.nan)
        fine = fine_bins(layout)
        if len(fine.features):
            inside = np.maximum.reduceat(np.nan_to_num(np.abs(pair.f - pair.g)), fine.starts)
            out[fine.features] = inside
        return pair.where_both(out)

    def noise(self, pair: Pair, alpha: float) -> Floats:
        """``sqrt((1/n + 1/m) * ln(2 / alpha) / 2)``: the asymptotic critical value."""
        noise = np.sqrt(sampling_scale(pair) * log(2.0 / alpha) / 2.0)
        return np.where(pair.numeric, noise, np.nan)

    def equivalent(self, gap: float) -> float:
        """The gap itself."""
        return gap
