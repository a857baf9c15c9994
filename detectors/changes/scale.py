"""The level and the spread of a series before its newest values."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Final, NamedTuple

import numpy as np

from detectors.arrays import Floats

WARM_UP: Final = 20
"""The number of windows from which the spread of a series can be estimated."""
EXTREME: Final = 4.0
"""Values that are further from the level, in deviations, count as if they were at this distance."""
MAX_CORRELATION: Final = 0.9
"""The largest correlation of neighbours that is allowed for: it makes 1 deviation 4.4."""


class Scale(NamedTuple):
    """The level of a series, and the deviation of its values from it."""

    level: float
    deviation: float

    def without_extremes(self, series: Sequence[float]) -> list[float]:
        """The series with extreme values moved to four deviations from the level."""
        reach = EXTREME * self.deviation
        values: list[float] = np.clip(series, self.level - reach, self.level + reach).tolist()
        return values


def scale_of(series: Sequence[float], smallest: float) -> Scale:
    """The level and the deviation of a series, ``smallest`` or more.

    From the first two thirds of the values, 20 at least, so that a change in the newest ones does
    not hide itself. The level is their median. The deviation is that of the values without
    extremes, and is enlarged by ``sqrt((1 + r) / (1 - r))`` where neighbours have the correlation
    ``r`` (Vasilopoulos and Stamboulis 1978): their sums vary more. An empty series has the level 0.

    >>> scale_of([0.0, 1.0] * 20, smallest=0.01)
    Scale(level=0.5, deviation=0.7413)
    """
    if not len(series):
        return Scale(0.0, smallest)
    values = np.asarray(series[: max(WARM_UP, len(series) * 2 // 3)], dtype=np.float64)
    level = float(np.median(values))
    robust = max(1.4826 * float(np.median(np.abs(values - level))), smallest)
    inside = np.clip(values, level - EXTREME * robust, level + EXTREME * robust)
    deviation = max(robust, float(inside.std()))
    correlation = _correlation(inside)
    return Scale(level, deviation * sqrt((1.0 + correlation) / (1.0 - correlation)))


def _correlation(values: Floats) -> float:
    """The correlation of neighbours less its standard error; 0 where it is negative."""
    centered = values - values.mean()
    squares = float((centered * centered).sum())
    if squares == 0.0:
        return 0.0
    found = float((centered[1:] * centered[:-1]).sum()) / squares
    return min(max(found - 1.0 / sqrt(len(values)), 0.0), MAX_CORRELATION)
