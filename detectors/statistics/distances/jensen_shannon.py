"""Jensen-Shannon distance."""

from __future__ import annotations

from math import log, sqrt
from typing import ClassVar

import numpy as np

from detectors.arrays import Floats
from detectors.statistics.distances.base import AppliesTo, Distance, Pair, normal_shift
from detectors.statistics.laws import chi_squared_noise, freedom_with_small_rests


class JensenShannon(Distance):
    """The *distance* ``sqrt(KL(p || a) / 2 + KL(q || a) / 2)``, ``a = (p + q) / 2``, **base 2**.

    0 to 1, over the merged cells of each feature, without missing and unreadable values; empty
    cells need no floor (0 log 0 = 0). With the natural logarithm instead the largest value would be
    0.8326; the divergence is the square. NaN without values.

    Trap: biased upwards in small windows, by about ``sqrt((B - 1) * (1/n + 1/m) / (8 ln 2))``
    without drift. Source: Lin 1991; Endres and Schindelin 2003 (the root is a metric).

    >>> from detectors.statistics.distances.base import of_counts
    >>> JensenShannon().distances(of_counts({"a": 5}, {"b": 5}))
    array([1.])
    """

    applies_to: ClassVar[AppliesTo] = "both"
    title: ClassVar[str] = "Jensen-Shannon"
    formula: ClassVar[str] = "sqrt(KL(p || a) / 2 + KL(q || a) / 2) with a = (p + q) / 2, base 2"
    decides: ClassVar[bool] = True

    def distances(self, pair: Pair) -> Floats:
        """The root of the divergence over the merged cells."""
        p, q = pair.compared_p, pair.compared_q
        middle = (p + q) / 2.0
        divergence = pair.merged_cells.total(_kl(p, middle) + _kl(q, middle)) / 2.0
        return pair.where_both(np.sqrt(np.maximum(divergence, 0.0)))

    def noise(self, pair: Pair, alpha: float) -> Floats:
        """``sqrt((1/n + 1/m) * quantile / (8 ln 2))``, from the law of PSI to second order.

        Small rests vary more, see :func:`~detectors.statistics.laws.freedom_with_small_rests`.
        """
        law = chi_squared_noise(pair, alpha, freedom_with_small_rests(pair))
        return np.sqrt(law / (8.0 * log(2.0)))

    def equivalent(self, gap: float) -> float:
        """``sqrt(d**2 / (8 ln 2))``: to second order, for normal laws d deviations apart."""
        shift = normal_shift(gap)
        return sqrt(shift * shift / (8.0 * log(2.0)))


def _kl(p: Floats, q: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        terms: Floats = np.where(p > 0, p * np.log2(p / q), 0.0)
    return terms
