"""Hellinger distance."""

from __future__ import annotations

from math import exp, sqrt
from typing import ClassVar

import numpy as np

from detectors.arrays import Floats
from detectors.statistics.distances.base import AppliesTo, Distance, Pair, normal_shift
from detectors.statistics.laws import chi_squared_noise, freedom_with_small_rests


class Hellinger(Distance):
    """``sqrt(1 - sum(sqrt(p * q)))`` of each feature over its merged cells: 0 to 1.

    Missing and unreadable values are no part of it. Computed as
    ``sqrt(sum((sqrt(p) - sqrt(q))**2) / 2)``, which keeps small distances exact. Empty cells need
    no floor. NaN without values.

    Trap: close to 1 for every extreme drift, so it does not separate large ones. Source: Hellinger
    1909.

    >>> from detectors.statistics.distances.base import of_counts
    >>> Hellinger().distances(of_counts({"a": 600, "b": 400}, {"a": 300, "b": 700}))
    array([0.2158])
    """

    applies_to: ClassVar[AppliesTo] = "both"
    title: ClassVar[str] = "Hellinger"
    formula: ClassVar[str] = "sqrt(1 - sum(sqrt(p * q))) over the bins"
    decides: ClassVar[bool] = True

    def distances(self, pair: Pair) -> Floats:
        """The distance over the merged cells."""
        gap = np.sqrt(pair.compared_p) - np.sqrt(pair.compared_q)
        return pair.where_both(np.sqrt(pair.merged_cells.total(gap * gap) / 2.0))

    def noise(self, pair: Pair, alpha: float) -> Floats:
        """``sqrt((1/n + 1/m) * quantile / 8)``: to second order its square is an eighth of PSI.

        Small rests vary more, see :func:`~detectors.statistics.laws.freedom_with_small_rests`.
        """
        return np.sqrt(chi_squared_noise(pair, alpha, freedom_with_small_rests(pair)) / 8.0)

    def equivalent(self, gap: float) -> float:
        """``sqrt(1 - exp(-d**2 / 8))``, exact for two normal laws that are d deviations apart."""
        shift = normal_shift(gap)
        return sqrt(1.0 - exp(-shift * shift / 8.0))
