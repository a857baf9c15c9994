"""What `driftline baseline` understood of each column: its type, its values, how many there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from detectors.phrases import escaped, percent
from detectors.profiles.reading import BLANKS
from stream.baselining.column_scan import ColumnScan

TOP_VALUES: Final = 3
"""The number of frequent values that a summary of text names."""
LARGEST_WHOLE: Final = 10**15
"""Whole numbers below this are shown in all their digits."""
LONGEST_VALUE: Final = 24
"""The largest number of characters of a value that a person is shown."""


class ColumnSummary(NamedTuple):
    """One column in words: ``fits`` is the share of the values that are of its type."""

    name: str
    type: str
    fits: str
    missing: str
    distinct: str
    values: str


def summaries(scans: Mapping[str, ColumnScan]) -> list[ColumnSummary]:
    """Return a summary of each column, in the order of the data."""
    return [_summary(name, scan) for name, scan in scans.items()]


def present_of(scan: ColumnScan) -> int:
    """The rows of a column that have a value."""
    return scan.rows - scan.missing


def distinct_of(scan: ColumnScan) -> int:
    """The number of different values; of more than 200,000 those that are still counted."""
    if scan.type == "String":
        return len(scan.values)
    missing = set(scan.reading.missing)
    return sum(text.strip(BLANKS) not in missing for text in scan.texts)


def shown(text: str) -> str:
    r"""Return a text as a terminal may show it: short, control characters as their codes.

    >>> shown("a\x1b[2J"), shown("x" * 30)
    ('a\\x1b[2J', 'xxxxxxxxxxxxxxxxxxxxxxx…')
    """
    safe = escaped(text)
    return safe if len(safe) <= LONGEST_VALUE else f"{safe[: LONGEST_VALUE - 1]}…"


def _summary(name: str, scan: ColumnScan) -> ColumnSummary:
    present = present_of(scan)
    if not present:
        return ColumnSummary(name, scan.type, "-", percent(1.0), "0", "no value")
    fits = percent((present - scan.unreadable) / present)
    missing = percent(scan.missing / scan.rows)
    distinct = f"{'over ' if scan.dropped_values else ''}{distinct_of(scan):,}"
    values = _frequent(scan) if scan.type == "String" else _extent(scan)
    return ColumnSummary(name, scan.type, fits, missing, distinct, values)


def _extent(scan: ColumnScan) -> str:
    if not scan.finite:
        return "no finite number"
    whole = scan.type == "Integral" and max(-scan.low, scan.high) < LARGEST_WHOLE
    low, high = (f"{end:.0f}" if whole else f"{end:.7g}" for end in (scan.low, scan.high))
    return low if low == high else f"{low} to {high}"


def _frequent(scan: ColumnScan) -> str:
    present = present_of(scan)
    frequent = scan.values.most_common(TOP_VALUES)
    return ", ".join(f"'{shown(value)}' {percent(count / present)}" for value, count in frequent)
