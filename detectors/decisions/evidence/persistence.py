"""How many windows show again that a drift lasts: what an episode waits for before it ends."""

from __future__ import annotations

from math import ceil
from typing import Final

import numpy as np

from detectors.finding import EvidenceFinding
from detectors.statistics.evidence.findings import horizons_of
from detectors.statistics.evidence.horizons import HORIZONS, LONGEST, OF_ANY_SIZE
from detectors.statistics.laws import normal_quantile

BY_CHANCE: Final = 2.5
"""The deviations by which chance may have helped to find a drift; at most half of them all."""
SHOWN_AGAIN: Final = 5.0
"""The deviations at which a drift that lasts does not fail to show, where less than 3 are asked."""
LEAST_P_VALUE: Final = 1e-300
"""Smaller p-values, which may be 0, say no more than this one."""


def lasting_horizon(finding: EvidenceFinding) -> int:
    """The number of windows in which the drift of a finding shows again for as long as it lasts.

    A finding of z deviations over h windows is that of a drift of at least ``z - 2.5``, as a rule:
    chance helps when a drift is found. Deviations grow with the root of the number of windows, so
    that it has five over ``h * (5 / (z - 2.5))**2`` of them, here rounded up to a horizon.
    """
    if horizons_of(finding.test) == 1:
        return 1
    p_value = np.array([max(finding.p_value, LEAST_P_VALUE) / 2.0])
    deviations = float(-normal_quantile(p_value)[0])
    least = max(deviations - BY_CHANCE, deviations / 2.0, 1.0)
    windows = max(finding.horizon, ceil(finding.horizon * (SHOWN_AGAIN / least) ** 2 - 1e-6))
    most = OF_ANY_SIZE if finding.horizon <= OF_ANY_SIZE else LONGEST
    return next((h for h in HORIZONS if h >= min(windows, most)), LONGEST)
