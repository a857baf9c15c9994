"""L-infinity distance between categories."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from detectors.arrays import Floats
from detectors.statistics.distances.base import AppliesTo, Distance, Pair
from detectors.statistics.laws import sampling_scale


class LInfinity(Distance):
    """``max |p - q|`` of each text feature over its values, hashed bins and missing values: 0 to 1.

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
    formula: ClassVar[str] = "max |p - q| over values, hashed bins and missing values"
    decides: ClassVar[bool] = True

    def distances(self, pair: Pair) -> Floats:
        """The largest gap between two shares."""
        if not len(pair.starts):
            return np.empty(0)
        gap = np.maximum.reduceat(np.nan_to_num(np.abs(pair.p - pair.q)), pair.starts)
        return pair.where_both(np.where(pair.numeric, np.nan, gap))

    def noise(self, pair: Pair, alpha: float) -> Floats:
        """``sqrt((1/n + 1/m) * ln(2 B / alpha) / 2)``: ``alpha`` is shared among the B cells."""
        noise = np.sqrt(sampling_scale(pair) * np.log(2.0 * pair.widths / alpha) / 2.0)
        return np.where(pair.numeric, np.nan, noise)

    def equivalent(self, gap: float) -> float:
        """The gap itself."""
        return gap
