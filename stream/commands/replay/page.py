"""Writes the verdicts of a replay as one HTML file that needs no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
from jinja2 import Environment, PackageLoader

from stream.commands.page_files import replace_file
from stream.commands.replay.comparison import ComparedPeriod
from stream.commands.replay.text import names_of
from stream.commands.window_text import span_text


class Heading(msgspec.Struct, frozen=True, kw_only=True):
    """What was replayed, by which reading, and beside which reports; the last may be empty."""

    source: str
    mode: str
    beside: str
    version: str


def write_page(path: Path, heading: Heading, periods: Sequence[ComparedPeriod]) -> None:
    """Write the page; a file that exists is replaced as a whole.

    It holds no feature values but those in the sentences of Model Monitor. Raises
    :class:`~stream.errors.DataError` if it cannot be written.
    """
    replace_file(path, page(heading, periods))


def page(heading: Heading, periods: Sequence[ComparedPeriod]) -> str:
    """Return the page as text; all names and sentences are escaped."""
    environment = Environment(
        loader=PackageLoader("stream.commands.replay", "."), autoescape=True, trim_blocks=True
    )
    reported = [period for period in periods if period.both_reported]
    environment.filters["span"] = lambda period: span_text(period.start_ms, period.end_ms)
    kinds = Counter(finding.agreement for period in periods for finding in period.findings)
    return environment.get_template("page.html.j2").render(
        heading=heading,
        periods=periods,
        names=names_of(periods),
        kinds=kinds,
        agreeing=sum(period.agrees for period in reported),
        both=len(reported),
    )
