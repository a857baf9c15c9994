"""Adaptive windowing (ADWIN) over a per-window series."""

from __future__ import annotations

from collections.abc import Sequence

from river.drift import ADWIN

from detectors.changes.base import Change


class Adwin(Change, frozen=True, kw_only=True, tag="adwin"):
    """Cuts the series where the means of its two parts differ by more than chance at confidence ``delta``.

    ``clock`` is how many values lie between two looks (1 here: a series has one value a window). ``grace_period`` values must
    be there first. The bound assumes values of a range of about 1, hence the scaling by the baseline's deviation. Reports
    rises and falls. Source: Bifet and Gavalda, SDM 2007; computed by river.
    """

    delta: float = 0.002
    clock: int = 1
    grace_period: int = 5
    min_window_length: int = 3

    def alarms(self, series: Sequence[float]) -> bool:
        """True if ADWIN drops a part of the series at its last value."""
        detector = ADWIN(
            delta=self.delta, clock=self.clock, grace_period=self.grace_period, min_window_length=self.min_window_length
        )
        for value in series:
            detector.update(value)
        return bool(series) and bool(detector.drift_detected)
