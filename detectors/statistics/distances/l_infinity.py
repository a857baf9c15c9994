"""L-infinity distance between categories."""

from __future__ import annotations

import numpy as np

from detectors.arrays import Floats
from detectors.statistics.distances.base import Pair

NAME = "l_infinity"
CRITICAL = 1.8
"""c in the robust form: sqrt(-ln(alpha / 2) / 2) for alpha = 0.003, as deequ and SageMaker have it.
"""


def distances(pair: Pair) -> Floats:
    """``max |p - q|`` of each text feature over its values, hashed bins, and missing values: 0 to
    1; NaN for numbers.

    The *simple* form of the SageMaker contract, section 5.2, on real counts. :func:`robust` is the
    other one. NaN without rows. Trap: many small moves stay unseen. Source: Breck et al. 2019;
    deequ's categorical distance.

    >>> from detectors.statistics.distances.base import of_counts
    >>> distances(of_counts({"a": 600, "b": 400}, {"a": 300, "b": 700}))
    array([0.3])
    """
    if not len(pair.starts):
        return np.empty(0)
    gap = np.maximum.reduceat(np.nan_to_num(np.abs(pair.p - pair.q)), pair.starts)
    return pair.where_both(np.where(pair.numeric, np.nan, gap))


def robust(simple: float, n: float, m: float) -> float:
    """``max(0, simple - 1.8 * sqrt((n + m) / (n * m)))``: the form for few samples (contract
    section 5).

    >>> robust(0.06015037593984962, 75, 70)
    0.0
    """
    return max(0.0, simple - CRITICAL * float(np.sqrt((n + m) / (n * m))))
