"""The ten buckets of ``statistics.json``."""

from __future__ import annotations

from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.statistics_file import Bucket

BUCKETS: Final = 10


def buckets(values: Floats, weights: Floats, low: float, high: float) -> list[Bucket]:
    """Return ten buckets of equal width between ``low`` and ``high`` with the weight in each.

    A bucket holds its lower bound, and the last one both of its bounds. In a constant column all
    bounds are equal, and the last bucket has the whole weight, as in the files of SageMaker.

    >>> [bucket.count for bucket in buckets(np.array([3.0]), np.array([7.0]), 3.0, 3.0)][-2:]
    [0.0, 7.0]
    """
    width = high - low
    bounds = _bounds(low, high, width)
    places = np.full(len(values), BUCKETS - 1)
    if width:
        places = np.searchsorted(np.array(bounds[1:-1]), values, side="right")
    counts = np.bincount(places, weights=weights, minlength=BUCKETS)
    ends = zip(bounds[:-1], bounds[1:], counts.tolist(), strict=True)
    return [Bucket(lower, upper, count) for lower, upper, count in ends]


def _bounds(low: float, high: float, width: float) -> list[float]:
    """The eleven bounds; in two halves where the width is beyond the largest number."""
    if np.isfinite(width):
        return [*(low + width * k / BUCKETS for k in range(BUCKETS)), high]
    return [*(low * (1 - k / BUCKETS) + high * (k / BUCKETS) for k in range(BUCKETS)), high]
