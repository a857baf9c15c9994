"""``driftline reports``: lists the windows that a job has reported, with their findings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from detectors.phrases import counted
from detectors.report import WindowReport
from stream.commands.report_files import FoundReport, ReportFiles
from stream.commands.window_text import findings_text, span_text
from stream.config.artifact_paths import ArtifactPaths
from stream.telemetry.terminal_text import printable

GAP: Final = 2
LEAST_FINDINGS: Final = 16
UNLIMITED: Final = 400
"""The width of the findings where the output is not a terminal."""


class ReportsFilter(msgspec.Struct, frozen=True, kw_only=True):
    """The windows to list: of one ``model``, only with ``violations``, and the ``last`` ones.

    An empty model means all; 0 lists all windows.
    """

    model: str = ""
    violations: bool = False
    last: int = 20

    def wants(self, found: FoundReport) -> bool:
        """Return whether a report is to be listed, its number aside."""
        head = found.head
        return self.model in ("", head.model) and (bool(head.violations) or not self.violations)


def list_reports(
    config: Path | None,
    reports: Path | None,
    wanted: ReportsFilter,
    console: Console,
    progress: Progress | None = None,
) -> None:
    """Print a line for the newest report of each window, the newest window last.

    Raises ``click.UsageError`` for options that lead to no report.
    """
    files = ReportFiles(ArtifactPaths(config) if config else None, reports, progress)
    found = [report for report in files.newest() if wanted.wants(report)]
    shown = found[-wanted.last :]
    kinds = {signal.report: signal.kind for signal in files.signals()}
    loaded = [files.load(report) for report in shown]
    if shown:
        _print(loaded, [kinds.get(report.id, "") for report in loaded], console)
    models = sorted({found.head.model for found in found})
    of_model = f" of model {printable(models[0])}" if len(models) == 1 else ""
    left_out = f", the last {len(shown):,} shown" if len(shown) < len(found) else ""
    console.print(Text(f"{counted(len(found), 'window')}{of_model}{left_out}; times are UTC"))
    if shown:
        advice = "`driftline explain` recomputes the numbers of a window: MODEL TIME, or --last"
        console.print(Text(advice), soft_wrap=True)


def _print(reports: Sequence[WindowReport], kinds: Sequence[str], console: Console) -> None:
    names, title = _names(reports)
    rows = [("window", *title, "rows", "state")]
    rows += [
        (span_text(report.start_ms, report.end_ms), *name, f"{report.rows:,}", report.state)
        for report, name in zip(reports, names, strict=True)
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    room = UNLIMITED
    if console.is_terminal:
        room = max(console.width - sum(widths) - GAP * len(widths), LEAST_FINDINGS)
    findings = ["findings"]
    for report, kind in zip(reports, kinds, strict=True):
        mark = f"{kind}: " if kind else ""
        findings.append(mark + findings_text(report, room - len(mark)))
    styles = ["bold", *("red" if report.violations else "" for report in reports)]
    for row, text, style in zip(rows, findings, styles, strict=True):
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        line = (" " * GAP).join([*padded, text]).rstrip()
        console.print(Text(line, style), soft_wrap=True)


def _names(reports: Sequence[WindowReport]) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    """The names of model and variant of each report where they differ, and their title."""
    variants = len({report.variant for report in reports}) > 1
    if not variants and len({report.model for report in reports}) == 1:
        return [() for _ in reports], ()
    names: list[tuple[str, ...]] = [
        (printable(f"{report.model}/{report.variant}" if variants else report.model),)
        for report in reports
    ]
    return names, ("model",)
