"""The view of a running job on a terminal: a table of the newest windows below permanent lines."""

from __future__ import annotations

import io
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, NamedTuple, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from detectors.diagnosis.shared_cause import in_words
from detectors.report import Signal, WindowReport
from stream.commands.window_text import findings_text, time_text, violation_text, worst_first
from stream.telemetry.terminal_text import printable

ROWS: Final = 12
GAP: Final = 2
"""The blanks between two columns."""
LEAST_FINDINGS: Final = 20
"""The smallest width of the column with the worst features."""


class Column(NamedTuple):
    """A column of the table: its title, its smallest width, and the side of its text."""

    title: str
    width: int
    side: Literal["left", "right"] = "left"


class Row(NamedTuple):
    """A closed window: its report, the kinds of its signals, and the cells of extra columns."""

    report: WindowReport
    signals: str = ""
    extra: tuple[str, ...] = ()


Window = tuple[str, str, int, int | None]
"""The model, the variant, and the span of a window."""


class LiveView:
    """Permanent lines, and below them a table of the newest windows that is drawn again and again.

    Without a terminal, every ``plain_every``-th window is a line instead. ``extra`` are columns of
    the caller, ``footer`` is shown below the table. Times are the ends of windows, in rows and
    lines alike, in the words of ``clock``. ``stderr`` is written above the table while the view is
    open, if it is a terminal.
    """

    def __init__(
        self,
        console: Console,
        footer: Callable[[], RenderableType],
        extra: Sequence[Column] = (),
        clock: Callable[[int], str] = time_text,
        clock_width: int = 16,
        plain_every: int = 1,
    ) -> None:
        self.console = console
        self._footer = footer
        self._extra = tuple(extra)
        self._clock = clock
        self._clock_width = clock_width
        self._plain_every = plain_every
        self._rows: deque[Row] = deque(maxlen=ROWS)
        self._models: set[tuple[str, str]] = set()
        self._windows = 0
        self._shown: list[RenderableType] = []
        self._live = Live(
            get_renderable=self._table,
            console=console,
            refresh_per_second=8,
            redirect_stdout=False,
            redirect_stderr=sys.stderr.isatty(),
        )

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

    def print(self, text: str, style: str = "", *, wrap: bool = True) -> None:
        """Print permanent lines.

        A terminal wraps them between words, unless ``wrap`` is false, as for a command to copy.
        """
        self._shown.append(Text(text, style=style))
        self.console.print(self._shown[-1], soft_wrap=not (wrap and self.console.is_terminal))

    def print_at(self, time_ms: int, lines: Sequence[str], style: str = "") -> None:
        """Print permanent lines beside a time; a terminal wraps them in a column of their own."""
        grid = Table.grid(padding=(0, GAP, 0, 0))
        grid.add_column(width=self._clock_width, no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(Text(self._clock(time_ms), style), Text("\n".join(lines), style))
        self._shown.append(grid)
        if self.console.is_terminal:
            self.console.print(grid)
            return
        indent = " " * (self._clock_width + GAP)
        text = f"\n{indent}".join(lines)
        text = f"{self._clock(time_ms):<{self._clock_width}}{' ' * GAP}{text}"
        self.console.print(Text(text), soft_wrap=True)

    def print_signal(self, signal: Signal, note: str = "") -> None:
        """Print a signal with its reasons, the worst feature first."""
        is_recovered = signal.kind == "recovered"
        reasons = worst_first(signal.reasons)
        names = [reason.key for reason in reasons] or list(signal.features)
        kind = f"{signal.kind} early" if signal.early else signal.kind
        head = printable(f"signal {kind}: {', '.join(names)}{note}")
        lines = [] if is_recovered else [violation_text(reason) for reason in reasons]
        lines += [] if is_recovered else map(printable, in_words(signal.causes, signal.action))
        self.print_at(_told_ms(signal), [head, *lines], "green" if is_recovered else "bold red")

    def add_window(self, row: Row) -> None:
        """Show a window that has been closed."""
        self._windows += 1
        self._rows.append(row)
        self._models.add((row.report.model, row.report.variant))
        if not self.console.is_terminal and self._windows % self._plain_every == 0:
            line = "  ".join(filter(None, self._cells(row, LEAST_FINDINGS * 4)))
            self.console.print(line, markup=False, soft_wrap=True)

    def set_extra(self, window: Window, extra: tuple[str, ...]) -> None:
        """Replace the cells of the extra columns of a window that is still shown."""
        for place, row in enumerate(self._rows):
            report = row.report
            if (report.model, report.variant, report.start_ms, report.end_ms) == window:
                self._rows[place] = row._replace(extra=extra)

    def save_svg(self, path: Path, title: str, width: int, lines: int) -> None:
        """Save the last lines of the screen as a picture of a terminal of this size."""
        console = Console(
            record=True, width=width, file=io.StringIO(), highlight=False, force_terminal=True
        )
        kept: list[RenderableType] = []
        used = 0
        for item in reversed(self._shown):
            used += len(console.render_lines(item))
            if used > lines:
                break
            kept.append(item)
        for item in reversed(kept):
            console.print(item)
        console.save_svg(str(path), title=title)

    def _columns(self) -> list[Column]:
        """All columns except that of the worst features, which takes the rest of the width."""
        widest = max((len(_model(model, variant)) for model, variant in self._models), default=0)
        models = [Column("model", min(widest, 20))] if len(self._models) > 1 else []
        return [
            Column("window to", self._clock_width),
            *models,
            Column("rows", 6, "right"),
            Column("state", 10),
            *self._extra,
            Column("signal", 9),
        ]

    def _table(self) -> Group:
        columns = self._columns()
        fixed = sum(max(column.width, 0) + GAP for column in columns)
        room = max(self.console.width - fixed, LEAST_FINDINGS)
        columns.insert(-1 - len(self._extra), Column("worst features", room))
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
        for title, width, side in columns:
            table.add_column(title[: max(width, 6)], width=width, justify=side, no_wrap=True)
        for row in self._rows:
            style = "red" if row.report.violations else ""
            table.add_row(*map(Text, self._cells(row, room)), style=style)
        return Group("", table, "", self._footer())

    def _cells(self, row: Row, room: int) -> list[str]:
        report = row.report
        end_ms = report.start_ms if report.end_ms is None else report.end_ms
        several = len(self._models) > 1
        return [
            self._clock(end_ms),
            *([printable(_model(report.model, report.variant))] if several else []),
            f"{report.rows:,}",
            report.state,
            findings_text(report, room),
            *row.extra,
            row.signals,
        ]


def _model(model: str, variant: str) -> str:
    return model if variant == "AllTraffic" else f"{model}/{variant}"


def _told_ms(signal: Signal) -> int:
    """The time of the evidence: the end of the window, or of the labels of a quality signal."""
    labels_ms = None if signal.quality is None else signal.quality.labels_until_ms
    return max(signal.end_ms, labels_ms or signal.end_ms)
