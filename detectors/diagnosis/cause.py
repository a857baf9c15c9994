"""The likely cause of a drift, in a few words."""

from __future__ import annotations

import numpy as np

from detectors.diagnosis.category_values import category_values
from detectors.diagnosis.frozen import frozen
from detectors.diagnosis.unit_change import unit_change
from detectors.statistics.distances.base import Pair


def likely_cause(pair: Pair, i: int) -> str:
    """A likely cause of a drift of feature ``i``; empty if none of the known ones fits.

    No cause is better than a wrong one: each is named only where it fits clearly. Holds no feature
    value.
    """
    others = unit_change if pair.layout.features[i].numeric else category_values
    # A number beyond the largest float fits no conversion.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return frozen(pair, i) or others(pair, i)
