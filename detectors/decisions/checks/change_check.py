"""The check for abrupt changes: a series over windows has changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from detectors.changes.base import Change
from detectors.components import type_of
from detectors.decisions.checks.base import Check, Stage
from detectors.phrases import distinguishable
from detectors.report import FeatureReport, Violation

NAME: Final = "change_check"


class ChangeCheck(Check):
    """A change detector of the configuration alarms at the newest value of its series.

    It needs the previous windows, which :mod:`detectors.decisions.series` keeps, and so it runs
    after all other checks. Its evidence lies in the series, so one window is enough for a signal. A
    check of driftline, not of SageMaker Model Monitor.
    """

    stage: ClassVar[Stage] = Stage.REMAINDER
    position: ClassVar[int] = 30

    def of_series(
        self, change: Change, feature: FeatureReport, series: Sequence[float]
    ) -> Violation | None:
        """The violation if ``change`` alarms at the last value of ``series``."""
        if not change.alarms(series):
            return None
        value = series[-1]
        before = sum(series[:-1]) / max(len(series) - 1, 1)
        return Violation(
            feature=feature.name,
            check=self.name,
            statistic=change.series,
            value=value,
            limit=before,
            n=feature.n,
            description=(
                f"The series {change.series} of the feature has changed"
                f" ({type_of(change)}, {len(series)} windows)."
            ),
            summary=_summary(change, value, before, len(series)),
            overwhelming=True,
        )

    def size(self, violation: Violation) -> float:
        """Always 1: a change has happened or it has not."""
        return 1.0


def _summary(change: Change, value: float, before: float, windows: int) -> str:
    shown_value, shown_before = distinguishable(value, before)
    unit = " baseline deviations" if change.series == "mean" else ""
    return (
        f"{change.series} changed from {shown_before} to {shown_value}{unit}"
        f" ({type_of(change)}, {windows:,} windows)"
    )
