"""The checks of SageMaker Model Monitor for the number of columns."""

from __future__ import annotations

from typing import Final

from detectors.decisions.checks.base import COLUMNS, CheckedWindow
from detectors.decisions.sagemaker.sentences import column_count
from detectors.phrases import percent
from detectors.violation import Violation

MOST: Final = 0.5
"""A dataset has the number of columns that more than this share of its records have."""


def column_violations(window: CheckedWindow) -> list[Violation]:
    """A violation if most records have too few columns, or if most have too many.

    Model Monitor compares two numbers, that of a dataset and that of the baseline. Which one a
    dataset has whose records differ is not documented. How many columns a record has beside too few
    or too many is not counted.
    """
    found = [
        _violation(window, "missing_column_check", window.too_narrow, "missing", "fewer"),
        _violation(window, "extra_column_check", window.too_wide, "extra", "more"),
    ]
    return [violation for violation in found if violation is not None]


def _violation(
    window: CheckedWindow, check: str, records: int, kind: str, than: str
) -> Violation | None:
    total = window.rows + window.too_narrow + window.too_wide
    share = records / total if total else 0.0
    if not share > MOST:
        return None
    expected = len(window.baseline.columns)
    return Violation(
        feature=COLUMNS,
        check=check,
        statistic="record_share",
        value=share,
        limit=MOST,
        n=total,
        description=column_count(kind, f"{than} than {expected}", expected),
        summary=f"{percent(share)} of {total:,} records have {than} than {expected} columns",
    )
