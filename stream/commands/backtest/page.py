"""Writes a backtest as one HTML file that needs no other: a timeline, and the tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from jinja2 import Environment, PackageLoader

from detectors.report import Signal
from stream.commands.backtest.incidents import FoundIncident
from stream.commands.backtest.judging import JudgedPast
from stream.commands.backtest.result import Result
from stream.commands.backtest.text import advice, cause_of, duration, sums
from stream.commands.page_files import replace_file
from stream.commands.window_text import span_text, time_text
from stream.events import ModelKey

COLUMNS = 1_000
"""The width of a timeline: windows that share a column are drawn as one, the worst of them."""
WORST = {"violations": 3, "no inputs": 3, "ok": 2, "insufficient": 1}


class BacktestHeading(msgspec.Struct, frozen=True, kw_only=True):
    """What was judged again, and by which rules."""

    reports: str
    rules: str
    incidents: str
    version: str


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """Neighbouring columns of one colour: where they begin, how many they are, and their state."""

    x: int
    width: int
    state: str


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """The timeline of one model and variant."""

    name: str
    bars: tuple[Bar, ...]
    signals: tuple[tuple[float, Signal], ...]
    incidents: tuple[tuple[float, float, FoundIncident], ...]


def write_page(path: Path, heading: BacktestHeading, result: Result) -> None:
    """Write the page; a file that exists is replaced as a whole.

    Raises :class:`~stream.errors.DataError` if it cannot be written.
    """
    replace_file(path, page(heading, result))


def page(heading: BacktestHeading, result: Result) -> str:
    """Return the page as text; all names and sentences are escaped."""
    environment = Environment(
        loader=PackageLoader("stream.commands.backtest", "."), autoescape=True, trim_blocks=True
    )
    filters: dict[str, Callable[..., str]] = {
        "span": _span,
        "cause": cause_of,
        "duration": duration,
        "time": time_text,
    }
    environment.filters |= filters
    return environment.get_template("page.html.j2").render(
        heading=heading,
        result=result,
        lanes=lanes(result),
        others={signal.id for signal in result.findings.others},
        sums=sums(result),
        advice=advice(result) if result.most_a_week is not None else "",
        columns=COLUMNS,
    )


def _span(signal: Signal) -> str:
    return span_text(signal.start_ms, signal.end_ms)


def lanes(result: Result) -> list[Lane]:
    """The timeline of each model and variant, on one scale of time."""
    start_ms, end_ms = result.backtest.span_ms
    scale = COLUMNS / max(end_ms - start_ms, 1)
    keys = dict.fromkeys(window.key for window in result.backtest.windows)
    return [
        Lane(
            name=key.model if key.variant == "AllTraffic" else f"{key.model}/{key.variant}",
            bars=tuple(
                _bars([w for w in result.backtest.windows if w.key == key], start_ms, scale)
            ),
            signals=tuple(
                ((signal.end_ms - start_ms) * scale, signal)
                for signal in result.backtest.raised
                if (signal.model, signal.variant) == key
            ),
            incidents=_incidents(result, key, start_ms, scale),
        )
        for key in keys
    ]


def _incidents(
    result: Result, key: ModelKey, start_ms: int, scale: float
) -> tuple[tuple[float, float, FoundIncident], ...]:
    """Start and width of the incidents of a model that lie in the timeline."""
    found = []
    for each in result.findings.incidents:
        left = min(max((each.incident.from_ms - start_ms) * scale, 0.0), COLUMNS)
        right = min(max((each.incident.to_ms - start_ms) * scale, 0.0), COLUMNS)
        if each.incident.model == key.model and right > left:
            found.append((left, max(right - left, 1.0), each))
    return tuple(found)


def _bars(windows: Sequence[JudgedPast], start_ms: int, scale: float) -> list[Bar]:
    states = [""] * COLUMNS
    for window in windows:
        first = min(int((window.start_ms - start_ms) * scale), COLUMNS - 1)
        last = max(min(int((window.end_ms - start_ms) * scale), COLUMNS), first + 1)
        for x in range(first, last):
            if WORST.get(window.state, 0) >= WORST.get(states[x], -1):
                states[x] = window.state
    bars: list[Bar] = []
    for x, state in enumerate(states):
        if bars and bars[-1].state == state:
            bars[-1] = Bar(x=bars[-1].x, width=bars[-1].width + 1, state=state)
        else:
            bars.append(Bar(x=x, width=1, state=state))
    return [bar for bar in bars if bar.state]
