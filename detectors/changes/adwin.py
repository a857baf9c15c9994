"""Adaptive windowing (ADWIN) over a per-window series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from detectors.changes.base import Change
from detectors.changes.scale import WARM_UP, scale_of

DEVIATIONS: Final = 1.0
"""``unit`` in deviations of the series, where it is not set."""


class Adwin(Change, frozen=True, kw_only=True, tag="adwin"):
    """Detects the point at which the means before and after differ by more than chance.

    ``delta`` is the confidence. The series is divided by ``unit`` first, since the bound allows for
    chance in proportion to the range of the values and assumes that this range is 1. After 40 calm
    windows a step of one unit is detected within about 35 windows, one of ten units within 5. A
    step of any size needs at least 20 windows in all. Without ``unit`` it is the deviation of the
    series' own values. ``clock`` is the number of values between two tests (1 by default: a series
    has one value per window); ``grace_period`` values are needed first. Detects rises and falls.

    Source: Bifet and Gavalda, SDM 2007; computed by river.
    """

    unit: Annotated[float, msgspec.Meta(gt=0)] | None = None
    """The divisor of the series: the change that counts as one unit (for a mean: in standard
    deviations of the baseline). Without it the deviation of the series' own values.
    """
    delta: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.002
    """The highest chance of a false alarm that is accepted."""
    clock: Annotated[int, msgspec.Meta(ge=1)] = 1
    """The number of windows between two tests."""
    grace_period: Annotated[int, msgspec.Meta(ge=1)] = 5
    """The number of windows before the first test."""
    min_window_length: Annotated[int, msgspec.Meta(ge=1)] = 3
    """The smallest part that the series is divided into."""

    def alarms(self, series: Sequence[float]) -> bool:
        """Whether ADWIN drops a part of the series at its last value."""
        if len(series) < WARM_UP and self.unit is None:
            return False
        # Imported here: river takes 74 MB that few jobs need.
        from river import drift

        unit = self.unit or DEVIATIONS * scale_of(series, self.smallest).deviation
        detector = drift.ADWIN(
            delta=self.delta,
            clock=self.clock,
            grace_period=self.grace_period,
            min_window_length=self.min_window_length,
        )
        for value in series:
            detector.update(value / unit)
        return bool(series) and bool(detector.drift_detected)
