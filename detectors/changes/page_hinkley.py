"""Page-Hinkley test over a per-window series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec

from detectors.changes.base import Change
from detectors.changes.scale import WARM_UP, scale_of

DELTA: Final = 0.75
"""``delta`` in deviations of the series, where it is not set."""
THRESHOLD: Final = 10.0
"""``threshold`` in deviations of the series, where it is not set."""


class PageHinkley(Change, frozen=True, kw_only=True, tag="page_hinkley"):
    """Sums the deviations of the values from their running mean, each reduced by ``delta``.

    Alarms when that sum has moved by ``threshold`` from its extreme. Where one of both is not set,
    it is a multiple of the deviation of the series' own values, and a single extreme value counts
    as four deviations at most: the same defaults fit any series, and detect a step of two
    deviations within about 10 windows, one of five or more within 3. ``direction: both`` reports
    rises and falls. At least ``min_instances`` values are needed first.

    Source: Page 1954; Hinkley 1971; computed by river.
    """

    min_instances: Annotated[int, msgspec.Meta(ge=1)] = WARM_UP
    """The number of windows before the first alarm."""
    delta: Annotated[float, msgspec.Meta(ge=0)] | None = None
    """Deviations from the running mean up to this are ignored, in units of the series. Without it
    0.75 deviations of the series' own values.
    """
    threshold: Annotated[float, msgspec.Meta(gt=0)] | None = None
    """The sum of deviations that raises the alarm, in units of the series. Without it 10 deviations
    of the series' own values.
    """
    alpha: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.9999
    """The weight of earlier windows in the sum: below 1 they fade."""
    direction: Literal["up", "down", "both"] = "both"
    """Whether rises (``up``), falls (``down``) or both are reported."""

    def alarms(self, series: Sequence[float]) -> bool:
        """Whether the test's sum passes the threshold at the last value of the series."""
        if len(series) < self.min_instances:
            return False
        # Imported here: river takes 74 MB that few jobs need.
        from river import drift

        scale = scale_of(series, self.smallest)
        detector = drift.PageHinkley(
            min_instances=self.min_instances,
            delta=DELTA * scale.deviation if self.delta is None else self.delta,
            threshold=THRESHOLD * scale.deviation if self.threshold is None else self.threshold,
            alpha=self.alpha,
            mode=self.direction,
        )
        values = scale.without_extremes(series) if self.threshold is None else series
        for value in values:
            detector.update(value)
        return bool(detector.drift_detected)
