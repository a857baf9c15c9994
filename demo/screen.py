"""The screen: a live table of windows on a terminal, plain lines everywhere else."""

from __future__ import annotations

import io
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from detectors.report import FeatureReport, Violation, WindowReport

ROWS = 12
COLUMNS: tuple[tuple[str, int, Literal["left", "right"]], ...] = (
    ("window", 9, "left"),
    ("events", 6, "right"),
    ("events/s", 8, "right"),
    ("state", 10, "left"),
    ("worst features", 24, "left"),
    ("model error", 11, "right"),
    ("signal", 9, "left"),
)
PLAIN_EVERY = 36
"""Without a terminal, one line is printed for this number of windows (six hours)."""


SVG_WIDTH = 150
"""Width of the picture that :meth:`Screen.save_svg` saves, in characters."""
SVG_LINES = 52
"""Height of that picture, in lines."""


class Row(NamedTuple):
    """A closed window: its report, the model's error in it, the event rate of the service, and
    the signals sent.
    """

    report: WindowReport
    rmse: float
    rate: float
    signals: str


def clock(time_ms: int) -> str:
    """Day and time in UTC, ``Mon 06:20``."""
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%a %H:%M}"


def worst(report: WindowReport, limit: int = 2) -> str:
    """The violations; without violations, the features closest to their limits.

    >>> worst(WindowReport(1, "", "", "", "", 0, 1, 0, "ok", 0, "", ""))
    ''
    """
    if report.violations:
        named = [_violated(violation) for violation in report.violations[:limit]]
        more = len(report.violations) - limit
        return ", ".join(named) + (f" and {more} more" if more > 0 else "")
    known = [feature for feature in report.features if feature.value is not None and feature.limit]
    nearest = sorted(known, key=lambda feature: -(feature.value or 0.0) / (feature.limit or 1.0))
    return ", ".join(_near(feature) for feature in nearest[:limit])


def _violated(violation: Violation) -> str:
    sign = ">" if violation.value > violation.limit else "<"
    return (
        f"{violation.feature} {violation.statistic} {violation.value:.2f} {sign}"
        f" {violation.limit:.2f}"
    )


def _near(feature: FeatureReport) -> str:
    return f"{feature.name} {feature.value or 0.0:.3f}"


class Screen:
    """Progress, a table of the newest windows, and permanent lines; ``windows`` is their number in
    the whole replay.
    """

    def __init__(self, windows: int, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        self._rows: deque[Row] = deque(maxlen=ROWS)
        self._bar = Progress(
            TextColumn("replayed"),
            BarColumn(40),
            MofNCompleteColumn(),
            TextColumn("windows"),
            TimeElapsedColumn(),
        )
        self._task = self._bar.add_task("replay", total=windows)
        self._live = Live(get_renderable=self._table, console=self.console, refresh_per_second=8)
        self._windows = 0
        self._shown: list[Text | Group] = []

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()
        self._shown.append(self._table())

    def print(self, text: str, style: str = "") -> None:
        """Print permanent lines."""
        self._shown.append(Text(text, style=style))
        self.console.print(self._shown[-1])

    def add_window(self, row: Row) -> None:
        """Show a window that has been closed."""
        self._windows += 1
        self._rows.append(row)
        self._bar.update(self._task, completed=self._windows)
        if not self.console.is_terminal and self._windows % PLAIN_EVERY == 0:
            self.console.print("  ".join(_cells(row)), markup=False)

    def save_svg(self, path: Path, title: str) -> None:
        """Save the last lines of the screen as a picture of a terminal."""
        console = Console(
            record=True, width=SVG_WIDTH, file=io.StringIO(), highlight=False, force_terminal=True
        )
        kept: list[Text | Group] = []
        lines = 0
        for item in reversed(self._shown):
            lines += len(console.render_lines(item))
            if lines > SVG_LINES:
                break
            kept.append(item)
        for item in reversed(kept):
            console.print(item)
        console.save_svg(str(path), title=title)

    def _table(self) -> Group:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for name, width, side in COLUMNS:
            table.add_column(name, min_width=width, justify=side, no_wrap=True)
        for row in self._rows:
            table.add_row(*_cells(row), style="red" if row.report.violations else "")
        return Group("", table, "", self._bar)


def _cells(row: Row) -> tuple[str, ...]:
    report = row.report
    error = f"{row.rmse:.1f} min"
    return (
        clock(report.start_ms),
        f"{report.rows:,}",
        f"{row.rate:,.0f}",
        report.state,
        worst(report),
        error,
        row.signals,
    )
