"""The check for abrupt changes: a series over windows has changed."""

from __future__ import annotations

from typing import ClassVar, Final

from detectors.changes.base import Change
from detectors.changes.level_change import LevelChange
from detectors.decisions.checks.base import Check, Stage
from detectors.phrases import number
from detectors.report import FeatureReport
from detectors.violation import Violation

NAME: Final = "change_check"


class ChangeCheck(Check):
    """A change detector of the configuration has found a change, and the level has not returned.

    It needs the previous windows, which :mod:`detectors.decisions.series` keeps, and so it runs
    after all other checks. ``limit`` of its violations lies halfway between the level before the
    change and the level after it: windows beyond it violate, until three in a row are back. A
    single one is not enough for a signal. A check of driftline, not of SageMaker Model Monitor.
    """

    stage: ClassVar[Stage] = Stage.REMAINDER
    position: ClassVar[int] = 30

    def of_change(
        self, change: Change, feature: FeatureReport, found: LevelChange, value: float
    ) -> Violation:
        """The violation of a window whose ``value`` belongs to the change that was found."""
        return Violation(
            feature=feature.name,
            check=self.name,
            statistic=change.series,
            value=value,
            limit=_nearest_limit(found, value),
            n=feature.n,
            description=(
                f"The series {change.series} of the feature has changed"
                f" ({found.detector}, {found.windows} windows before the change)."
            ),
            summary=_summary(change, found, value),
        )

    def size(self, violation: Violation) -> float:
        """Always 1: a change has happened or it has not."""
        return 1.0


def _nearest_limit(found: LevelChange, value: float) -> float:
    """Half of the change away from the old level, on the side of the value."""
    half = abs(found.after - found.before) / 2.0
    return found.before + half if value >= found.before else found.before - half


def _summary(change: Change, found: LevelChange, value: float) -> str:
    unit = " baseline deviations" if change.series == "mean" else ""
    before, after, limit, now = _texts(found.before, found.after, found.limit, value)
    return (
        f"{change.series} {now}{unit}: its level changed from {before} (mean of"
        f" {found.windows:,} windows) to {after} ({found.detector}); changed beyond {limit}"
    )


def _texts(*values: float) -> list[str]:
    """The numbers in two digits; in more where different numbers would look equal."""
    for digits in range(2, 18):
        texts = [number(value, digits) for value in values]
        if len(set(texts)) == len(set(values)):
            break
    return texts
