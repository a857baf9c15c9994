"""The screen of the demo: the view of the running job, the model's error, labels and progress."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from detectors.quality_report import QualityReport
from detectors.report import Signal, WindowReport
from stream.commands.live_view import Column, LiveView, Row
from stream.commands.window_text import violation_text

CLOCK_WIDTH = 9
PLAIN_EVERY = 36
"""Without a terminal, one line is printed for this number of windows (six hours)."""
SVG_WIDTH = 100
"""Width of the picture that :meth:`Screen.save_svg` saves, in characters."""
SVG_LINES = 76
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
        self._quality = Text("quality: no window has its labels yet", "dim")
        self._view = LiveView(
            console or Console(highlight=False),
            footer=lambda: Group(self._quality, "", self._bar),
            extra=[Column("true error", 11, "right")],
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

    def print_quality_signal(self, signal: Signal, known_ms: int, judged: str) -> None:
        """Print a signal about the model's error, beside the time at which its labels were known.

        It is about the window of the predictions, which is hours before.
        """
        span = f"{clock(signal.start_ms)} to {clock(signal.end_ms)}"
        head = f"quality signal {signal.kind}: {', '.join(signal.features)} of {span}  ({judged})"
        is_recovered = signal.kind == "recovered"
        lines = [] if is_recovered else [violation_text(reason) for reason in signal.reasons]
        style = "green" if is_recovered else "bold magenta"
        self._view.print_at(known_ms, [head, *lines], style)

    def set_quality(self, report: QualityReport | None) -> None:
        """Show the newest window whose error was judged."""
        if report is None:
            return
        rmse = next(metric for metric in report.metrics if metric.name == "rmse")
        self._quality = Text(
            f"quality: {report.state} up to {clock(report.end_ms)}, RMSE {rmse.value or 0.0:,.1f}"
            f" min (baseline {rmse.baseline or 0.0:.1f}), labels for {report.coverage or 0.0:.0%}",
            "magenta" if report.violations else "dim",
        )

    def add_window(self, report: WindowReport, rmse: float, rate: float, signals: str) -> None:
        """Show a closed window: its report, the model's error in it, the event rate of the service,
        and the signals sent.
        """
        self._bar.update(self._task, advance=1, rate=rate)
        self._view.add_window(Row(report, signals, (f"{rmse:,.1f} min",)))

    def save_svg(self, path: Path, title: str) -> None:
        """Save the last lines of the screen as a picture of a terminal."""
        self._view.save_svg(path, title, SVG_WIDTH, SVG_LINES)
