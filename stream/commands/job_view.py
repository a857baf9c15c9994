"""``driftline run --live``: the view of a job, fed with the items of each commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.text import Text

from detectors.phrases import counted
from detectors.quality_report import QualityReport
from detectors.report import Signal, WindowReport
from stream.commands.live_view import Column, LiveView, Row
from stream.commands.quality_text import cell_width, quality_cell
from stream.state.store import Outgoing
from stream.telemetry.terminal_text import printable


class RunningJobView:
    """Shows the reports and signals of a running job; a context manager.

    ``has_quality``: whether the quality of a model is measured, so that windows have a column for
    it, which is filled in when their labels are there.
    """

    def __init__(self, job: str, console: Console, *, has_quality: bool = False) -> None:
        self._job = job
        self._has_quality = has_quality
        self._windows = self._rows = 0
        self._states: Counter[str] = Counter()
        extra = [Column("quality", cell_width(console))] if has_quality else []
        self._view = LiveView(console, self._footer, extra)

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

    def show(self, items: Sequence[Outgoing]) -> None:
        """Show the items of a commit: signals as lines, and windows with their signals as rows."""
        signals = [item for item in items if isinstance(item, Signal)]
        kinds = {signal.report: signal.kind for signal in signals}
        for signal in signals:
            self._view.print_signal(signal)
        for item in items:
            if isinstance(item, WindowReport):
                self._count(item)
                extra = ("",) if self._has_quality else ()
                self._view.add_window(Row(item, kinds.get(item.id, ""), extra))
        for item in items:
            if isinstance(item, QualityReport):
                self._show_quality(item)

    def _show_quality(self, report: QualityReport) -> None:
        """Show the quality in the row of its window; without a terminal, a verdict as a line."""
        window = (report.model, report.variant, report.start_ms, report.end_ms)
        self._view.set_extra(window, (quality_cell(report, cell_width(self._view.console)),))
        if not self._view.console.is_terminal and report.state != "awaiting labels":
            lines = [printable(f"quality of {report.model}: {quality_cell(report)}")]
            self._view.print_at(report.end_ms, lines)

    def _count(self, report: WindowReport) -> None:
        if report.revision == 0:
            self._windows += 1
            self._rows += report.rows
            self._states[report.state] += 1

    def _footer(self) -> Text:
        states = ", ".join(f"{count:,} {state}" for state, count in sorted(self._states.items()))
        windows = counted(self._windows, "window")
        return Text(f"{self._job}: {windows}, {counted(self._rows, 'row')}  {states}", "dim")
