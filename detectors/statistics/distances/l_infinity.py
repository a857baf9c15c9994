"""L-infinity distance between categories."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from detectors.arrays import Floats
from detectors.statistics.distances.base import AppliesTo, Distance, Pair
from detectors.statistics.laws import sampling_scale


class LInfinity(Distance):
    """``max |p - q|`` of each text feature over its vocabulary, and all unseen values as one.

    Known values beyond the vocabulary are too rare to be the largest, and are left out.

    The *Simple* form of SageMaker Model Monitor, see ``docs/sagemaker-compatibility.md``, on real
    counts; the *Robust* form subtracts ``1.8 * sqrt((n + m) / (n * m))`` from it. Here the limit is
    at least the sampling noise instead. NaN for numbers, and without rows.

    Trap: many small changes go undetected. Source: Breck et al. 2019; the categorical distance of
    deequ.

    >>> from detectors.statistics.distances.base import of_counts
    >>> LInfinity().distances(of_counts({"a": 600, "b": 400}, {"a": 300, "b": 700}))
    array([0.3])
    """

    applies_to: ClassVar[AppliesTo] = "text"
    title: ClassVar[str] = "L-infinity"
    formula: ClassVar[str] = "max |p - q| over known values, and all unseen ones together"
    decides: ClassVar[bool] = True

    def distances(self, pair: Pair) -> Floats:
        """The largest gap between two shares."""
        if not len(pair.starts):
            return np.empty(0)
        several = pair.layout.unseen | pair.layout.rare
        gaps = np.where(several, 0.0, np.nan_to_num(np.abs(pair.p - pair.q)))
        gap = np.maximum(np.maximum.reduceat(gaps, pair.starts), np.abs(pair.unseen_gain))
        return pair.where_both(np.where(pair.numeric, np.nan, gap))

    def noise(self, pair: Pair, alpha: float) -> Floats:
        """``sqrt((1/n + 1/m) * ln(2 B / alpha) / 2)``: ``alpha`` is shared among the B cells."""
        cells = np.maximum(pair.total(~pair.layout.unseen & ~pair.layout.rare), 1.0) + 1.0
        noise = np.sqrt(sampling_scale(pair) * np.log(2.0 * cells / alpha) / 2.0)
        return np.where(pair.numeric, np.nan, noise)

    def equivalent(self, gap: float) -> float:
        """The gap itself."""
        return gap
