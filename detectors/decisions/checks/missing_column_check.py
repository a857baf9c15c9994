"""The check for lost columns: one has no values, or too many records have too few columns."""

from __future__ import annotations

from typing import ClassVar

from detectors.decisions.checks.base import Check, CheckedWindow, Reported
from detectors.decisions.checks.completeness_check import least_completeness, lost
from detectors.decisions.checks.record_width import record_violation
from detectors.violation import Violation


class MissingColumnCheck(Check):
    """A feature has no value in any row although the baseline had some.

    For all columns: the share of records with too few columns is above ``1 - type_match``. Named as
    in SageMaker Model Monitor.
    """

    position: ClassVar[int] = 20

    def of_feature(self, window: CheckedWindow, i: int, reported: Reported) -> Violation | None:
        """A violation if no row has a value."""
        required = window.constraints[i].completeness
        if required is None or float(window.measures.completeness[i]) != 0.0:
            return None
        if not lost(window, i, required):
            return None
        return self.found(window, i, required)

    def found(self, window: CheckedWindow, i: int, required: float) -> Violation:
        """The violation of a feature that has no value in any row."""
        total = len(window.baseline.columns)
        empty = int((window.measures.completeness == 0).sum())
        return self.violation(
            window,
            i,
            statistic="completeness",
            value=0.0,
            limit=least_completeness(window, required),
            description=(
                "The column has no value in any row. There are missing columns in current dataset."
                f" Number of columns in current dataset: {total - empty}, Number of columns in"
                f" baseline constraints: {total}"
            ),
            summary=f"column missing: no value in {int(window.measures.n[i]):,} rows",
            diagnosis="column missing",
            overwhelming=window.overwhelming_loss(i, 0.0, required),
            moved=(),
        )

    def of_columns(self, window: CheckedWindow) -> Violation | None:
        """A violation if too many records have too few columns."""
        return record_violation(self, window, window.too_narrow, "fewer")
