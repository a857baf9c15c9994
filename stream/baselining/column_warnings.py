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
from detectors.profiles.magnitude import LEAST
from detectors.profiles.reading import NUMBER_MARKERS
from stream.baselining.column_nature import SAMPLED, nature_of, sampled_texts
from stream.baselining.column_scan import ColumnScan
from stream.baselining.column_summary import shown
from stream.baselining.value_format import usual_extremes

NOTICEABLE: Final = 0.01
MANY: Final = 0.5
NOT_COMPARED: Final = "judged for completeness and type, not for drift"
FORMAT_COMPARED: Final = "judged for completeness, type and format, not for drift"
COMPARE: Final = "--number NAMES to compare it all the same"

SEPARATED: Final = re.compile(
    r"[-+]?[$€£¥]?\s?(\d{1,3}([,.'\u2019\u00a0\u202f ]\d{3})+([.,]\d+)?|\d+,\d+|\d+(\.\d+)?)"
    r"\s?[%$€£¥]?"
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
    if nature_of(scan) != "time":
        return None
    advice = (
        "--exclude NAMES if it is the time of the event, which `time` in the configuration names"
    )
    numeric = scan.type != "String"
    return ColumnWarning(
        name,
        f"dates or times, which do not return: {FORMAT_COMPARED}",
        f"{advice}; {COMPARE}" if numeric else advice,
    )


def _separated(name: str, scan: ColumnScan) -> ColumnWarning | None:
    """Numbers with thousands separators, a decimal comma, a currency or a percent sign."""
    others = [text for text, _ in sampled_texts(scan) if not _is_number(text)]
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
    texts = [text for text, _ in sampled_texts(scan) if not _is_number(text)]
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
    example = next(text for text, _ in sampled_texts(scan) if LEADING_ZERO.fullmatch(text))
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
    if nature_of(scan) != "identifier":
        return None
    seen = "another value in nearly every row, as identifiers have"
    if scan.type == "String":
        judged = "judged for completeness, type, format and the share of values never seen"
        return ColumnWarning(name, f"{seen}: {judged}", "--exclude NAMES")
    judged = FORMAT_COMPARED if usual_extremes(scan)[0] >= LEAST else NOT_COMPARED
    return ColumnWarning(name, f"{seen}: {judged}", f"--exclude NAMES; {COMPARE}")


def _rising(name: str, scan: ColumnScan) -> ColumnWarning | None:
    if nature_of(scan) != "sequence":
        return None
    seen = f"rises or falls through the data, as times and sequence numbers do: {NOT_COMPARED}"
    return ColumnWarning(name, seen, "--number NAMES if the data are only sorted by it")


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


def _share(scan: ColumnScan, fits: Callable[[str], object]) -> float:
    """The share of the sampled values that fit; 0 without any."""
    sample = sampled_texts(scan)
    total = sum(count for _, count in sample)
    return sum(count for text, count in sample if fits(text)) / max(total, 1)


def _is_number(text: str) -> bool:
    return re.match(NUMBER, text) is not None


def _quoted(text: str) -> str:
    return f"'{shown(text)}'"


_KINDS: Final = (_empty, _times, _separated, _nearly_numeric, _leading_zeros, _identifiers, _rising)
"""What a column may be; the first that applies is told."""
