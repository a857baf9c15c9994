"""Adaptive windowing (ADWIN) over a per-window series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from detectors.changes.base import Change


class Adwin(Change, frozen=True, kw_only=True, tag="adwin"):
    """Cuts the series where the means of its two parts differ by more than chance at confidence
    ``delta``.

    The series is divided by ``unit`` first, since the bound allows for chance in proportion to the
    range of the values and takes that to be 1. After 40 calm windows a step of one unit is seen
    within about 35 windows, one of ten units within 5; whatever its size, none is seen while there
    are fewer than 18 windows in all. For a mean ``unit`` is in baseline deviations (the mean of n
    rows varies by about ``1 / sqrt(n)`` of them). ``clock`` is how many values lie between two
    looks (1 here: a series has one value a window); ``grace_period`` values must be there first.
    Reports rises and falls.

    Source: Bifet and Gavalda, SDM 2007; computed by river.
    """

    unit: Annotated[float, msgspec.Meta(gt=0)] = 0.1
    """What the series is divided by first: the change that counts as one unit (for a mean: in
    standard deviations of the baseline).
    """
    delta: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.002
    """The highest chance of a false alarm that is accepted."""
    clock: Annotated[int, msgspec.Meta(ge=1)] = 1
    """How many windows lie between two tests."""
    grace_period: Annotated[int, msgspec.Meta(ge=1)] = 5
    """The number of windows before the first test."""
    min_window_length: Annotated[int, msgspec.Meta(ge=1)] = 3
    """The smallest part that the series is cut into."""

    def alarms(self, series: Sequence[float]) -> bool:
        """True if ADWIN drops a part of the series at its last value."""
        from river.drift import ADWIN  # here, since it takes 74 MB that few jobs need

        detector = ADWIN(
            delta=self.delta,
            clock=self.clock,
            grace_period=self.grace_period,
            min_window_length=self.min_window_length,
        )
        for value in series:
            detector.update(value / self.unit)
        return bool(series) and bool(detector.drift_detected)
