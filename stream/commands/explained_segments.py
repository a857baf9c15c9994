"""The segments of the rows for `driftline explain`: as published, and as their counts give them."""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose
from typing import Final

import msgspec
from rich.console import Console
from rich.text import Text

from detectors.finding import EvidenceFinding
from detectors.phrases import escaped, percent
from detectors.profiles.layout import Layout
from detectors.profiles.segments import place_of, segments, value_of
from detectors.report import SegmentReport, WindowReport
from stream.commands.explain_page import DIFFERS, narrow_table

TITLE: Final = (
    "the segments that moved most (test, windows together); those that moved are recomputed from"
    " the counts, others are as published:"
)
TEXTS: Final = ("segment", "feature", "test")
COLUMNS: Final = ("rows", "share", "p", "allowed", "effect")
NUMBERS: Final = ("rows", "share", "baseline_share", "feature", "violates", "factor")
"""What is compared of a segment that moved, beside its finding."""


def print_segments(
    console: Console, published: WindowReport, recomputed: WindowReport, layout: Layout
) -> bool:
    """Print the segments of a report, worst first; returns true if those that moved match.

    Of the others the report does not have the windows that they were judged together with. A value
    that the report masks is named below, by the baseline.
    """
    if not published.segments:
        return True
    again = _by_place(recomputed, layout)
    table = narrow_table(TEXTS, COLUMNS)
    all_match = True
    for each in published.segments:
        matches = _matches(each, again.get(place_of(layout, each.by, each.value)))
        mark = "differs" if not matches else "moved" if each.violates else ""
        table.add_row(*map(_cell, _cells(each)), mark, style=DIFFERS if mark else None)
        all_match &= matches
    console.print()
    console.print(Text(TITLE))
    console.print(table)
    _print_names(console, published, layout)
    return all_match


def _by_place(report: WindowReport, layout: Layout) -> Mapping[int | None, SegmentReport]:
    return {place_of(layout, each.by, each.value): each for each in report.segments}


def _matches(published: SegmentReport, recomputed: SegmentReport | None) -> bool:
    """Whether a segment that moved has the same numbers; one that did not is not recomputed."""
    if not published.violates:
        return True
    if recomputed is None:
        return False
    pairs = [(getattr(published, name), getattr(recomputed, name)) for name in NUMBERS]
    before, after = _numbers(published.finding), _numbers(recomputed.finding)
    return before.keys() == after.keys() and all(
        _equal(*pair) for pair in (*pairs, *((before[name], after[name]) for name in before))
    )


def _numbers(finding: EvidenceFinding | None) -> dict[str, object]:
    return {} if finding is None else msgspec.structs.asdict(finding)


def _equal(before: object, after: object) -> bool:
    if isinstance(before, float) and isinstance(after, int | float):
        return isclose(before, after, rel_tol=1e-9, abs_tol=1e-300)
    return before == after


def _cells(each: SegmentReport) -> list[str]:
    found = each.finding
    test, numbers = "", ["", "", ""]
    if found is not None:
        test = f"{found.test}, {found.horizon}"
        numbers = [f"{found.p_value:.1g}", f"{found.allowed:.1g}", f"{found.effect:.3f}"]
    share = "" if each.share is None else percent(each.share)
    return [f"{each.by}: {each.value}", each.feature, test, f"{each.rows:,}", share, *numbers]


def _print_names(console: Console, report: WindowReport, layout: Layout) -> None:
    """Print the values of the segments that the report masks."""
    for each in report.segments:
        s = place_of(layout, each.by, each.value)
        if s is None or segments(layout)[s].bin is None or value_of(layout, s) == each.value:
            continue
        console.print(Text(escaped(f"{each.by}: {each.value} is {value_of(layout, s)}")))


def _cell(text: str) -> Text:
    return Text(escaped(text))
