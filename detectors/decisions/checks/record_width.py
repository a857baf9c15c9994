"""Violations by records whose number of columns is wrong."""

from __future__ import annotations

from typing import Final

from detectors.decisions.checks.base import COLUMNS, Check, CheckedWindow
from detectors.phrases import percent
from detectors.report import Violation

OVERWHELMING_SHARE: Final = 0.5
"""More than half of the records with a wrong number of columns are enough for a signal."""


def record_violation(
    check: Check, window: CheckedWindow, records: int, than_expected: str
) -> Violation | None:
    """The violation of ``check`` by ``records`` of the wrong width, if they are too many.

    Their share is of all records, those that fitted among them. It must be above
    ``1 - type_match``, and at least ``min_n`` records must be there in all.
    """
    expected = len(window.baseline.columns)
    total = window.rows + window.too_narrow + window.too_wide
    limit = round(1.0 - window.rules.type_match, 9)
    if total < window.rules.min_n or not records / max(total, 1) > limit:
        return None
    share = records / total
    return Violation(
        feature=COLUMNS,
        check=check.name,
        statistic="record_share",
        value=share,
        limit=limit,
        n=total,
        description=(
            f"{records} of {total} records have {than_expected} columns than the {expected} of the"
            " baseline constraints."
        ),
        summary=(
            f"{percent(share)} of {total:,} records have {than_expected} than {expected} columns,"
            f" at most {percent(limit)} allowed"
        ),
        overwhelming=share > OVERWHELMING_SHARE and total >= window.rules.overwhelming_n,
    )
