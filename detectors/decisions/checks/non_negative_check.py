"""The check for negative values where the baseline had none."""

from __future__ import annotations

from typing import ClassVar

from detectors.decisions.checks.base import Check, CheckedWindow, Reported, Stage
from detectors.decisions.checks.negative_values import negative_share, too_many_negative
from detectors.phrases import percent
from detectors.violation import Violation


class NonNegativeCheck(Check):
    """A feature that ``constraints.json`` calls ``is_non_negative`` has negative values.

    A violation if their share of the finite numbers is above ``negative_share``, and the feature
    has no other violation. A drift that consists mainly of them is this violation. A check of
    driftline, not of SageMaker Model Monitor.
    """

    stage: ClassVar[Stage] = Stage.REMAINDER
    position: ClassVar[int] = 20

    def of_feature(self, window: CheckedWindow, i: int, reported: Reported) -> Violation | None:
        """A violation if negative values are more than chance explains."""
        if reported.violations or not too_many_negative(window, i):
            return None
        return self.found(window, i)

    def found(self, window: CheckedWindow, i: int) -> Violation:
        """The violation of a feature that has negative values."""
        share, limit = negative_share(window, i), window.rules.negative_share
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
            overwhelming=window.overwhelming_loss(i, 1.0 - share, 1.0 - limit),
        )
