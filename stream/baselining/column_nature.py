"""What the values of a column are that do not return: times, sequence numbers, identifiers."""

from __future__ import annotations

import re
from itertools import islice
from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.profiles.layout import Nature, Role
from detectors.profiles.reading import BLANKS
from stream.baselining.column_scan import ColumnScan
from stream.baselining.column_summary import distinct_of, present_of

SAMPLED: Final = 2_000
"""The number of different texts of a column that its nature is inferred from."""
ENOUGH: Final = 50
"""The number of values from which on a column can be one of identifiers, or rise."""
NEARLY_ALL: Final = 0.9
MANY: Final = 0.5
RISING: Final = 0.99
"""The rank correlation with the order of the data from which on a column rises."""
LARGE_ID: Final = 10**8
EARLIEST_S: Final = 946_684_800
LATEST_S: Final = 2_208_988_800
"""The years 2000 and 2040 in seconds since 1970: whole numbers in between may be times."""

TIME: Final = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ]\d{1,2}:\d{2}.*)?"
    r"|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}([T ]\d{1,2}:\d{2}.*)?"
    r"|\d{1,2}[- ][A-Za-z]{3}[- ]\d{2,4}([T ]\d{1,2}:\d{2}.*)?"
)


def nature_of(scan: ColumnScan, role: Role = "feature") -> Nature | None:
    """The nature of a column, ``None`` for values that return.

    Also ``None`` where the user has chosen numbers: that compares the distribution all the same.
    Predictions are never taken for a sequence: data may be sorted by them.
    """
    if scan.choice == "number":
        return None
    if _is_date(scan) or _are_epochs(scan):
        return "time"
    if _is_identifier(scan):
        return "identifier"
    return "sequence" if role == "feature" and _rises(scan) else None


def sampled_texts(scan: ColumnScan) -> list[tuple[str, int]]:
    """The first different texts that are not missing markers, with their counts."""
    missing = {"", *scan.reading.missing}
    texts = ((text.strip(BLANKS), count) for text, count in islice(scan.texts.items(), SAMPLED))
    return [(text, count) for text, count in texts if text not in missing]


def _is_date(scan: ColumnScan) -> bool:
    sample = sampled_texts(scan) if scan.type == "String" else []
    total = sum(count for _, count in sample)
    dates = sum(count for text, count in sample if TIME.fullmatch(text))
    return bool(total) and dates >= NEARLY_ALL * total


def _are_epochs(scan: ColumnScan) -> bool:
    """Whether all numbers are times since 1970 in one unit, and mostly different."""
    if scan.type == "String" or not scan.finite or distinct_of(scan) < MANY * present_of(scan):
        return False
    units = (1, 10**3, 10**6, 10**9)
    return any(EARLIEST_S * k <= scan.low and scan.high < LATEST_S * k for k in units)


def _is_identifier(scan: ColumnScan) -> bool:
    """Whether nearly every row has another value; numbers must be dense or large as well."""
    present = present_of(scan)
    if present < ENOUGH or scan.type not in ("String", "Integral"):
        return False
    distinct = present if scan.dropped_values else distinct_of(scan)
    if scan.type == "String":
        return distinct >= NEARLY_ALL * present
    return distinct == present and (scan.high - scan.low < 2.0 * present or scan.high >= LARGE_ID)


def _rises(scan: ColumnScan) -> bool:
    """Whether the numbers, mostly different, rise or fall through the data as times do.

    Fractional ones that do so without an exception may be what the data are sorted by.
    """
    if scan.type == "String" or scan.finite < ENOUGH or scan.low == scan.high:
        return False
    if not scan.dropped_values and distinct_of(scan) < MANY * present_of(scan):
        return False
    before, after = scan.sample[:-1], scan.sample[1:]
    is_sorted = bool((after >= before).all() or (after <= before).all())
    if scan.type == "Fractional" and is_sorted:
        return False
    return is_sorted or abs(_rank_correlation(scan.sample)) >= RISING


def _rank_correlation(values: Floats) -> float:
    """Spearman's correlation of values with their order; equal ones are ranked as they come."""
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return float(np.corrcoef(ranks, np.arange(len(values)))[0, 1])
