"""Distance ``total_variation``: half of the sum of all differences between shares."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from detectors.arrays import Floats
from detectors.statistics.distances.base import Distance, Pair
from detectors.statistics.laws import sampling_scale


class TotalVariation(Distance):
    """``sum(|p - q|) / 2`` over the bins of each feature; 0 to 1. NaN without rows on a side.

    It is the share of rows that would have to move to another bin to make both sides equal.

    Trap: it grows with the number of bins where both sides are small samples; the sampling law
    allows for that.

    Source: D. A. Levin, Y. Peres, E. L. Wilmer, *Markov Chains and Mixing Times* (2009), section
    4.1. The sampling law is the inequality of W. Hoeffding (1963) for the difference of two means,
    over all ``2**a`` sets of the ``a`` bins that have counts.

    >>> from detectors.statistics.distances.base import of_counts
    >>> TotalVariation().distances(of_counts({"a": 3, "b": 1}, {"a": 1, "b": 1}))
    array([0.25])
    """

    applies_to = "both"
    title = "total variation"
    formula = "sum(|p - q|) / 2 over the bins"
    decides: ClassVar[bool] = True

    def distances(self, pair: Pair) -> Floats:
        """The distance of each feature."""
        return pair.where_both(pair.total(np.abs(pair.p - pair.q)) / 2.0)

    def noise(self, pair: Pair, alpha: float) -> Floats:
        """An upper bound: chance exceeds it in at most a share of ``alpha`` of windows."""
        cells = pair.merged_cells
        occupied = cells.left + np.maximum(cells.merged - 1.0, 0.0)
        sets = occupied * np.log(2.0)
        bounds: Floats = np.sqrt(sampling_scale(pair) * (sets - np.log(alpha)) / 2.0)
        return bounds

    def equivalent(self, gap: float) -> float:
        """The gap itself: for a normal law that moves, the two are equal."""
        return gap
