"""The check for empty columns: one that had no value in the baseline has values now."""

from __future__ import annotations

from typing import ClassVar

from detectors.decisions.checks.base import Check, CheckedWindow, Reported
from detectors.phrases import percent
from detectors.violation import Violation


class EmptyColumnCheck(Check):
    """A feature of type ``Unknown``, which had no value in the baseline, has values.

    A violation if the share of rows with a value is more than chance explains. ``domains`` in
    ``constraints.json`` allows values; ``categorical_values_check`` then judges in its place. A
    check of driftline, not of SageMaker Model Monitor.
    """

    position: ClassVar[int] = 45

    def of_feature(self, window: CheckedWindow, i: int, reported: Reported) -> Violation | None:
        """A violation if the column has values."""
        is_empty = window.layout.features[i].type == "Unknown"
        if not is_empty or window.constraints[i].domains is not None:
            return None
        present, n = float(window.measures.present[i]), float(window.measures.n[i])
        return self.found(window, i) if window.beyond_chance(i, present, n, 0.0) else None

    def found(self, window: CheckedWindow, i: int) -> Violation:
        """The violation of a feature that has values."""
        n = float(window.measures.n[i])
        share = float(window.measures.present[i]) / n
        return self.violation(
            window,
            i,
            statistic="present_share",
            value=share,
            limit=0.0,
            description=f"{share:.4%} of the rows have a value, none in the baseline.",
            summary=(
                f"{percent(share)} of the rows have a value, none in the baseline (n = {n:,.0f})"
            ),
            diagnosis="a column without values is filled",
            overwhelming=window.overwhelming_loss(i, 1.0 - share, 1.0),
            moved=(),
        )
