"""``driftline run --live``: the view of a job, fed with the items of each commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.text import Text

from detectors.phrases import counted
from detectors.report import Signal, WindowReport
from stream.commands.live_view import LiveView, Row
from stream.state.store import Outgoing


class RunningJobView:
    """Shows the reports and signals of a running job; a context manager."""

    def __init__(self, job: str, console: Console) -> None:
        self._job = job
        self._windows = self._rows = 0
        self._states: Counter[str] = Counter()
        self._view = LiveView(console, self._footer)

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
                self._view.add_window(Row(item, kinds.get(item.id, "")))

    def _count(self, report: WindowReport) -> None:
        if report.revision == 0:
            self._windows += 1
            self._rows += report.rows
            self._states[report.state] += 1

    def _footer(self) -> Text:
        states = ", ".join(f"{count:,} {state}" for state, count in sorted(self._states.items()))
        windows = counted(self._windows, "window")
        return Text(f"{self._job}: {windows}, {counted(self._rows, 'row')}  {states}", "dim")
