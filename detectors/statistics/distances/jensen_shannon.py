"""Jensen-Shannon distance."""

from __future__ import annotations

import numpy as np

from detectors.arrays import Floats
from detectors.statistics.distances.base import Pair

NAME = "jensen_shannon"


def distances(pair: Pair) -> Floats:
    """The *distance* of each feature: ``sqrt(KL(p || a) / 2 + KL(q || a) / 2)`` with ``a = (p + q)
    / 2``, **base 2**: 0 to 1.

    Over the coarse cells, missing and unreadable values among them; empty cells need no floor (0
    log 0 = 0). With the natural logarithm instead the largest value would be 0.8326; the divergence
    is the square. NaN without rows.

    Trap: biased up in small windows, by about ``sqrt((B - 1) * (1/n + 1/m) / (8 ln 2))`` while
    nothing drifts. Source: Lin 1991; Endres and Schindelin 2003 (the root is a metric).

    >>> from detectors.statistics.distances.base import of_counts
    >>> distances(of_counts({"a": 5}, {"b": 5}))
    array([1.])
    """
    middle = (pair.p + pair.q) / 2.0
    divergence = pair.total(_kl(pair.p, middle) + _kl(pair.q, middle)) / 2.0
    return pair.where_both(np.sqrt(np.maximum(divergence, 0.0)))


def _kl(p: Floats, q: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        terms: Floats = np.where(p > 0, p * np.log2(p / q), 0.0)
    return terms
