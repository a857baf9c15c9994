"""Violations of records that have a wrong number of columns."""

from __future__ import annotations

from typing import Final

from detectors.decisions.checks.base import COLUMNS, Check, CheckedWindow
from detectors.phrases import percent
from detectors.statistics.laws import binomial_tail
from detectors.violation import Violation

OVERWHELMING_SHARE: Final = 0.5
"""A larger share of records with a wrong number of columns is enough for a signal."""


def record_violation(
    check: Check, window: CheckedWindow, records: int, than_expected: str
) -> Violation | None:
    """The violation of ``check`` if too many records have the wrong width; else ``None``.

    ``records`` is their number. Their share of all records must be above ``1 - type_match``, and
    there must be at least ``min_n`` records in all; by evidence, chance must not explain that.
    """
    expected = len(window.baseline.columns)
    total = window.rows + window.too_narrow + window.too_wide
    limit = round(1.0 - window.rules.type_match, 9)
    if not _too_many(window, records, total, limit):
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
        overwhelming=window.evidence is not None
        or (share > OVERWHELMING_SHARE and total >= window.rules.overwhelming_n),
    )


def _too_many(window: CheckedWindow, records: int, total: int, limit: float) -> bool:
    if total < window.rules.least_rows or not records / max(total, 1) > limit:
        return False
    if window.evidence is None:
        return True
    return binomial_tail(records, total, limit) <= window.evidence.width_alpha
