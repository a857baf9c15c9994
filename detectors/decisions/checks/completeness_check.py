"""The check for missing values: too few rows have a value."""

from __future__ import annotations

from typing import ClassVar

from detectors.decisions.checks.base import Check, CheckedWindow, Reported
from detectors.phrases import percent
from detectors.violation import Violation


class CompletenessCheck(Check):
    """The share of rows with a value is below the baseline's ``completeness``.

    A loss of up to ``completeness_gap`` is not a violation. A feature without a single value is
    left to ``missing_column_check``. Named as in SageMaker Model Monitor.
    """

    position: ClassVar[int] = 10

    def of_feature(self, window: CheckedWindow, i: int, reported: Reported) -> Violation | None:
        """A violation if values were lost, but not all of them."""
        share = float(window.measures.completeness[i])
        required = window.constraints[i].completeness
        if required is None or share == 0.0 or not lost(window, i, required):
            return None
        return self.found(window, i, share, required)

    def found(self, window: CheckedWindow, i: int, share: float, required: float) -> Violation:
        """The violation of a feature that has a value in a ``share`` of the rows."""
        least = least_completeness(window, required)
        before = float(window.pair.baseline.missing[i]) / float(window.measures.baseline_rows[i])
        return self.violation(
            window,
            i,
            statistic="completeness",
            value=share,
            limit=least,
            description=f"Value: {share!r} does not meet the constraint requirement! ",
            summary=(
                f"completeness {percent(share)}, at least {percent(least)} required"
                f" (n = {int(window.measures.n[i]):,})"
            ),
            diagnosis=f"nulls rose from {percent(before)} to {percent(1.0 - share)}",
            overwhelming=window.overwhelming_loss(i, share, required),
            moved=(),
        )


def lost(window: CheckedWindow, i: int, required: float) -> bool:
    """Return whether feature ``i`` lost more than ``completeness_gap`` and chance explain."""
    measures = window.measures
    share = float(measures.completeness[i])
    if required - share <= window.rules.tolerated_loss:
        return False
    return window.beyond_chance(i, float(measures.missing[i]), float(measures.n[i]), 1.0 - required)


def least_completeness(window: CheckedWindow, required: float) -> float:
    """The completeness that applies: the required one less the gap that is tolerated."""
    return max(required - window.rules.tolerated_loss, 0.0)
