"""Hellinger distance."""

from __future__ import annotations

import numpy as np

from detectors.arrays import Floats
from detectors.statistics.distances.base import Pair

NAME = "hellinger"


def distances(pair: Pair) -> Floats:
    """``sqrt(1 - sum(sqrt(p * q)))`` of each feature over its coarse cells, missing and unreadable
    values among them: 0 to 1.

    Computed as ``sqrt(sum((sqrt(p) - sqrt(q))**2) / 2)``, which keeps small distances exact. Empty
    cells need no floor. NaN without rows. Trap: close to 1 for anything extreme, so large drifts
    look alike. Source: Hellinger 1909.

    >>> from detectors.statistics.distances.base import of_counts
    >>> distances(of_counts({"a": 600, "b": 400}, {"a": 300, "b": 700}))
    array([0.2158])
    """
    gap = np.sqrt(pair.p) - np.sqrt(pair.q)
    return pair.where_both(np.sqrt(pair.total(gap * gap) / 2.0))
