"""Page-Hinkley test over a per-window series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from detectors.changes.base import Change


class PageHinkley(Change, frozen=True, kw_only=True, tag="page_hinkley"):
    """Sums the deviations of the values from their running mean, each reduced by ``delta``.

    Alarms when that sum has moved by ``threshold`` from its extreme. Both are in units of the
    series (baseline standard deviations for a mean). ``direction: both`` reports rises and falls.
    At least ``min_instances`` values are needed first.

    Source: Page 1954; Hinkley 1971; computed by river.
    """

    min_instances: Annotated[int, msgspec.Meta(ge=1)] = 5
    """The number of windows before the first alarm."""
    delta: Annotated[float, msgspec.Meta(ge=0)] = 0.005
    """Deviations from the running mean up to this are ignored, in units of the series."""
    threshold: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    """The sum of deviations that raises the alarm, in units of the series."""
    alpha: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.9999
    """The weight of earlier windows in the sum: below 1 they fade."""
    direction: Literal["up", "down", "both"] = "both"
    """Whether rises (``up``), falls (``down``) or both are reported."""

    def alarms(self, series: Sequence[float]) -> bool:
        """Whether the test's sum passes the threshold at the last value of the series."""
        # Imported here: river takes 74 MB that few jobs need.
        from river import drift

        detector = drift.PageHinkley(
            min_instances=self.min_instances,
            delta=self.delta,
            threshold=self.threshold,
            alpha=self.alpha,
            mode=self.direction,
        )
        for value in series:
            detector.update(value)
        return bool(series) and bool(detector.drift_detected)
