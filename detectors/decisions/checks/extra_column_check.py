"""The check for additional columns: too many records have too many columns."""

from __future__ import annotations

from typing import ClassVar

from detectors.decisions.checks.base import Check, CheckedWindow
from detectors.decisions.checks.record_width import record_violation
from detectors.violation import Violation


class ExtraColumnCheck(Check):
    """The share of records with too many columns is above ``1 - type_match``.

    Named as in SageMaker Model Monitor.
    """

    position: ClassVar[int] = 50

    def of_columns(self, window: CheckedWindow) -> Violation | None:
        """A violation if too many records have too many columns."""
        return record_violation(self, window, window.too_wide, "more")
