"""The check for negative values where the baseline had none."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from detectors.decisions.checks.base import Check, CheckedWindow, Reported, Stage
from detectors.phrases import percent
from detectors.report import Violation


class NonNegativeCheck(Check):
    """A feature that ``constraints.json`` calls ``is_non_negative`` has negative values.

    A violation if their share of the finite numbers is above ``negative_share``, and the feature
    has no other violation. A check of driftline, not of SageMaker Model Monitor.
    """

    stage: ClassVar[Stage] = Stage.REMAINDER
    position: ClassVar[int] = 20

    def of_feature(self, window: CheckedWindow, i: int, reported: Reported) -> Violation | None:
        """A violation if negative values are more than chance explains."""
        if reported.violations or not self._applies(window, i):
            return None
        finite = float(window.measures.finite[i])
        share = _negative(window, i) / finite
        limit = window.rules.negative_share
        if share <= limit or not window.beyond_chance(i, share * finite, finite, limit):
            return None
        return self.violation(
            window,
            i,
            statistic="negative_share",
            value=share,
            limit=limit,
            description=f"{share:.4%} of the values are negative.",
            summary=(
                f"{percent(share)} of the values are negative, at most {percent(limit)} allowed"
                f" (n = {int(window.measures.n[i]):,})"
            ),
            diagnosis="negative values",
        )

    def _applies(self, window: CheckedWindow, i: int) -> bool:
        return bool(
            window.constraints[i].non_negative
            and window.layout.features[i].numeric
            and window.measures.finite[i] > 0
            and window.measures.low[i] < 0
        )


def _negative(window: CheckedWindow, i: int) -> float:
    """Negative values in the bins below 0; at least one, since the smallest number is negative."""
    below = int(np.searchsorted(window.layout.features[i].edges, 0.0, side="right"))
    counts = window.pair.window.counts[window.layout.bins(i)]
    return max(float(counts[:below].sum()), 1.0)
