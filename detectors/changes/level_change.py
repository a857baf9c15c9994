"""A change of the level of a series, and which later values belong to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

RETURNED: Final = 3
"""The number of consecutive values near the old level that end a change."""


class LevelChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change that a detector has found, while it lasts.

    ``before`` is the mean of the ``windows`` values before the change, and ``after`` that of the
    values since. ``detector`` is the type of the detector. ``returned`` is the number of the latest
    consecutive values that were near the old level.
    """

    detector: str
    before: float
    after: float
    windows: int
    returned: int = 0

    @property
    def limit(self) -> float:
        """The value halfway between both levels, beyond which a value belongs to the change."""
        return (self.before + self.after) / 2.0

    def holds(self, value: float) -> bool:
        """Whether a value is at least half of the change away from the old level.

        In either direction: a level that overshoots on its way back has not returned. False for a
        change of size 0.
        """
        half = abs(self.after - self.before) / 2.0
        return half > 0.0 and abs(value - self.before) >= half

    def with_value(self, value: float) -> LevelChange | None:
        """The change after another value; ``None`` once the values have returned."""
        returned = 0 if self.holds(value) else self.returned + 1
        if returned >= RETURNED:
            return None
        return msgspec.structs.replace(self, returned=returned)


def level_change(detector: str, series: Sequence[float]) -> LevelChange:
    """The change of a series at the point that separates two means best.

    That is the split with the largest ``k (n - k) (difference of the means)**2``, the least-squares
    estimate. ``series`` must have two values or more; with one, both levels are that value.

    >>> change = level_change("adwin", [0.0, 0.0, 0.0, 4.0, 4.0])
    >>> change.before, change.after, change.windows, change.limit
    (0.0, 4.0, 3, 2.0)
    """
    values = np.asarray(series, dtype=np.float64)
    if len(values) < 2:
        return LevelChange(detector=detector, before=values[0], after=values[0], windows=0)
    first = np.arange(1, len(values))
    sums = np.cumsum(values)
    gaps = sums[:-1] / first - (sums[-1] - sums[:-1]) / (len(values) - first)
    split = int(np.argmax(first * (len(values) - first) * gaps**2)) + 1
    return LevelChange(
        detector=detector,
        before=float(values[:split].mean()),
        after=float(values[split:].mean()),
        windows=split,
    )
