"""The screen of the demo: the view of the running job, with the model's error and the progress."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from detectors.report import Signal, WindowReport
from stream.commands.live_view import Column, LiveView, Row

CLOCK_WIDTH = 9
PLAIN_EVERY = 36
"""Without a terminal, one line is printed for this number of windows (six hours)."""
SVG_WIDTH = 100
"""Width of the picture that :meth:`Screen.save_svg` saves, in characters."""
SVG_LINES = 52
"""Height of that picture, in lines."""


def clock(time_ms: int) -> str:
    """Day and time in UTC, ``Mon 06:20``."""
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%a %H:%M}"


class Screen:
    """Progress, a table of the newest windows, and permanent lines; ``windows`` is their number in
    the whole replay.
    """

    def __init__(self, windows: int, console: Console | None = None) -> None:
        self._bar = Progress(
            TextColumn("replayed"),
            BarColumn(24),
            MofNCompleteColumn(),
            TextColumn("windows"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[rate]:,.0f} events/s"),
        )
        self._task = self._bar.add_task("replay", total=windows, rate=0.0)
        self._view = LiveView(
            console or Console(highlight=False),
            footer=lambda: self._bar,
            extra=[Column("error", 9, "right")],
            clock=clock,
            clock_width=CLOCK_WIDTH,
            plain_every=PLAIN_EVERY,
        )

    def __enter__(self) -> Self:
        self._view.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._view.__exit__(kind, error, trace)

    def print(self, text: str, style: str = "", *, wrap: bool = True) -> None:
        """Print permanent lines, wrapped between words on a terminal unless ``wrap`` is false."""
        self._view.print(text, style, wrap=wrap)

    def print_at(self, time_ms: int, text: str, style: str) -> None:
        """Print a permanent line beside a time."""
        self._view.print_at(time_ms, [text], style)

    def print_signal(self, signal: Signal, judged: str) -> None:
        """Print a signal, and what it is judged to be."""
        self._view.print_signal(signal, f"  ({judged})")

    def add_window(self, report: WindowReport, rmse: float, rate: float, signals: str) -> None:
        """Show a closed window: its report, the model's error in it, the event rate of the service,
        and the signals sent.
        """
        self._bar.update(self._task, advance=1, rate=rate)
        self._view.add_window(Row(report, signals, (f"{rmse:,.1f} min",)))

    def save_svg(self, path: Path, title: str) -> None:
        """Save the last lines of the screen as a picture of a terminal."""
        self._view.save_svg(path, title, SVG_WIDTH, SVG_LINES)
