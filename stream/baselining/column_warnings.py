"""Warnings on columns that are probably not what they look like, each with what to do."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple

from detectors.phrases import percent
from detectors.profiles.columns import NUMBER, WHOLE
from detectors.profiles.layout import BOOLEAN, FRACTIONAL, INTEGRAL, STRING
from detectors.profiles.reading import BLANKS, NUMBER_MARKERS
from stream.baselining.column_scan import ColumnScan
from stream.baselining.column_summary import distinct_of, present_of, shown

SAMPLED: Final = 2_000
"""The number of different texts of a column that its warnings are based on."""
ENOUGH: Final = 50
"""The number of values from which on a column can be called one of identifiers."""
NEARLY_ALL: Final = 0.9
MANY: Final = 0.5
NOTICEABLE: Final = 0.01
LARGE_ID: Final = 10**8
EARLIEST_S: Final = 946_684_800
LATEST_S: Final = 2_208_988_800
"""The years 2000 and 2040 in seconds since 1970: whole numbers in between may be times."""

SEPARATED: Final = re.compile(
    r"[-+]?[$€£¥]?\s?(\d{1,3}([,.'\u2019\u00a0\u202f ]\d{3})+([.,]\d+)?|\d+,\d+|\d+(\.\d+)?)"
    r"\s?[%$€£¥]?"
)
TIME: Final = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ]\d{1,2}:\d{2}.*)?"
    r"|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}([T ]\d{1,2}:\d{2}.*)?"
    r"|\d{1,2}[- ][A-Za-z]{3}[- ]\d{2,4}([T ]\d{1,2}:\d{2}.*)?"
)
LEADING_ZERO: Final = re.compile(r"[-+]?0\d+")
PANDAS_INDEX: Final = re.compile(r"Unnamed: \d+(_level_\d+)?")


class ColumnWarning(NamedTuple):
    """A warning on column ``name``: what was seen, and what to do.

    In ``advice``, ``NAMES`` stands for the columns that it is given for.
    """

    name: str
    seen: str
    advice: str


def column_warnings(scans: Mapping[str, ColumnScan]) -> list[ColumnWarning]:
    """Return the warnings on all columns, in the order of the data."""
    return [warning for name, scan in scans.items() for warning in _warnings(name, scan)]


def _warnings(name: str, scan: ColumnScan) -> Iterator[ColumnWarning]:
    """At most one warning on what a column is, and those on the spelling of its values."""
    found = (kind(name, scan) for kind in _KINDS)
    what = next((warning for warning in found if warning is not None), None)
    if what is not None:
        yield what
    for kind in (_two_spellings, _markers) if scan.type == "String" else ():
        if (warning := kind(name, scan)) is not None:
            yield warning


def _empty(name: str, scan: ColumnScan) -> ColumnWarning | None:
    if scan.type != "Unknown":
        return None
    return ColumnWarning(
        name,
        "no value in the training data, so that a later one is a violation",
        "--exclude NAMES if it is not to be watched",
    )


def _times(name: str, scan: ColumnScan) -> ColumnWarning | None:
    is_text = scan.type == "String" and _share(scan, TIME.fullmatch) >= NEARLY_ALL
    if not is_text and not _are_epochs(scan):
        return None
    return ColumnWarning(
        name,
        "dates or times, which do not return, so that later windows always drift",
        "--exclude NAMES if it is the time of the event, which `time` in the configuration names",
    )


def _are_epochs(scan: ColumnScan) -> bool:
    """Whether all numbers are times since 1970 in one unit, and mostly different."""
    if scan.type == "String" or not scan.finite or distinct_of(scan) < MANY * present_of(scan):
        return False
    units = (1, 10**3, 10**6, 10**9)
    return any(EARLIEST_S * k <= scan.low and scan.high < LATEST_S * k for k in units)


def _separated(name: str, scan: ColumnScan) -> ColumnWarning | None:
    """Numbers with thousands separators, a decimal comma, a currency or a percent sign."""
    others = [text for text, _ in _sample(scan) if not _is_number(text)]
    separated = [text for text in others if SEPARATED.fullmatch(text)]
    if scan.choice == "text" or not separated or len(separated) < MANY * len(others):
        return None
    if _share(scan, SEPARATED.fullmatch) < MANY:
        return None
    kind = "text" if scan.type == "String" else "unreadable"
    return ColumnWarning(
        name,
        f"numbers with separators or signs, such as {_quoted(separated[0])}, which count as {kind}",
        "write them as 1234.5 in the training data and in the events",
    )


def _nearly_numeric(name: str, scan: ColumnScan) -> ColumnWarning | None:
    numbers = scan.types[INTEGRAL] + scan.types[FRACTIONAL]
    others = scan.types[STRING] + scan.types[BOOLEAN]
    if scan.choice is not None or not others or numbers < MANY * (numbers + others):
        return None
    texts = [text for text, _ in _sample(scan) if not _is_number(text)]
    such = f", such as {_quoted(texts[0])}" if texts else ""
    seen = f"{numbers:,} of {numbers + others:,} values are numbers, {others:,} are text{such}"
    if scan.type == "String":
        advice = "--number NAMES if it is a number, and --missing for text that stands for no value"
        return ColumnWarning(name, f"{seen}, and count as text", advice)
    advice = "list the text with --missing if it stands for no value; --text NAMES for codes"
    return ColumnWarning(name, f"{seen}, which counts as unreadable", advice)


def _leading_zeros(name: str, scan: ColumnScan) -> ColumnWarning | None:
    if scan.type == "String" or scan.choice is not None:
        return None
    share = _share(scan, LEADING_ZERO.fullmatch)
    if share < NOTICEABLE:
        return None
    example = next(text for text, _ in _sample(scan) if LEADING_ZERO.fullmatch(text))
    return ColumnWarning(
        name,
        f"{percent(share)} of the values have leading zeros, such as {_quoted(example)}, which"
        " numbers lose",
        "--text NAMES if they are codes",
    )


def _identifiers(name: str, scan: ColumnScan) -> ColumnWarning | None:
    if PANDAS_INDEX.fullmatch(name):
        seen = "a row index, as pandas names it"
        return ColumnWarning(name, seen, "--exclude NAMES unless the model gets it")
    present = present_of(scan)
    if present < ENOUGH or scan.type not in ("String", "Integral"):
        return None
    distinct = present if scan.dropped_values else distinct_of(scan)
    is_dense = scan.high - scan.low < 2.0 * present or scan.high >= LARGE_ID
    unique = distinct >= NEARLY_ALL * present if scan.type == "String" else distinct == present
    if not unique or (scan.type == "Integral" and not is_dense):
        return None
    return ColumnWarning(
        name,
        "another value in nearly every row, as identifiers have, which do not return",
        "--exclude NAMES",
    )


def _two_spellings(name: str, scan: ColumnScan) -> ColumnWarning | None:
    """Values that differ only in case, in blanks, in Unicode form, or as ``1`` and ``1.0`` do."""
    spelled: dict[str, list[str]] = defaultdict(list)
    for value in islice(scan.values, SAMPLED):
        spelled[_plain(value)].append(value)
    several = [values for values in spelled.values() if len(values) > 1]
    if not several:
        return None
    more = f" (and {len(several) - 1} more such values)" if len(several) > 1 else ""
    first, second = several[0][:2]
    return ColumnWarning(
        name,
        f"{_quoted(first)} and {_quoted(second)} count as two values{more}",
        "use one spelling in the training data and in the events",
    )


def _markers(name: str, scan: ColumnScan) -> ColumnWarning | None:
    """Signs that are missing markers among numbers and may be values among words."""
    marked = [value for value in NUMBER_MARKERS if scan.values[value]]
    if not marked or scan.markers is not None or len(scan.values) == len(marked):
        return None
    seen = f"{_quoted(marked[0])} counts as a value, and may stand for none"
    return ColumnWarning(name, seen, "if so, list it with --missing")


def _plain(value: str) -> str:
    """A value without what writers spell differently."""
    if _is_number(value) and not LEADING_ZERO.match(value):
        if re.match(WHOLE, value):
            return f"{int(value)}.0" if len(value) < 17 else value.removeprefix("+")
        return repr(float(value)) if "(" not in value else value
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())


def _sample(scan: ColumnScan) -> list[tuple[str, int]]:
    """The first different texts that are not missing markers, with their counts."""
    missing = {"", *scan.reading.missing}
    texts = ((text.strip(BLANKS), count) for text, count in islice(scan.texts.items(), SAMPLED))
    return [(text, count) for text, count in texts if text not in missing]


def _share(scan: ColumnScan, fits: Callable[[str], object]) -> float:
    """The share of the sampled values that fit; 0 without any."""
    sample = _sample(scan)
    total = sum(count for _, count in sample)
    return sum(count for text, count in sample if fits(text)) / max(total, 1)


def _is_number(text: str) -> bool:
    return re.match(NUMBER, text) is not None


def _quoted(text: str) -> str:
    return f"'{shown(text)}'"


_KINDS: Final = (_empty, _times, _separated, _nearly_numeric, _leading_zeros, _identifiers)
"""What a column may be; the first that applies is told."""
