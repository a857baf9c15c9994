"""``driftline reports``: lists the windows that a job has reported, with their findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from detectors.phrases import counted
from detectors.quality_report import QualityReport
from detectors.report import WindowReport
from stream.commands.quality_text import cell_width, quality_cell
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

    def wants(self, found: FoundReport, quality: FoundReport | None = None) -> bool:
        """Return whether a window is to be listed, its number aside."""
        head = found.head
        violates = bool(head.violations or (quality and quality.head.violations))
        return self.model in ("", head.model) and (violates or not self.violations)


def list_reports(
    config: Path | None,
    reports: Path | None,
    wanted: ReportsFilter,
    console: Console,
    progress: Progress | None = None,
) -> None:
    """Print a line for the newest report of each window, the newest window last.

    Windows whose quality was reported have it in a column of its own.

    Raises ``click.UsageError`` for options that lead to no report.
    """
    files = ReportFiles(ArtifactPaths(config) if config else None, reports, progress)
    quality = files.newest_quality()
    found = [
        report for report in files.newest() if wanted.wants(report, quality.get(report.head.window))
    ]
    shown = found[-wanted.last :]
    kinds = {signal.report: signal.kind for signal in files.signals()}
    loaded = [files.load(report) for report in shown]
    if shown:
        of_windows = [quality.get(report.head.window) for report in shown]
        judged = [found and files.load_quality(found) for found in of_windows]
        _print(loaded, judged, kinds, console)
    models = sorted({found.head.model for found in found})
    of_model = f" of model {printable(models[0])}" if len(models) == 1 else ""
    left_out = f", the last {len(shown):,} shown" if len(shown) < len(found) else ""
    console.print(Text(f"{counted(len(found), 'window')}{of_model}{left_out}; times are UTC"))
    if shown:
        advice = "`driftline explain` recomputes the numbers of a window: MODEL TIME, or --last"
        console.print(Text(advice), soft_wrap=True)


def _print(
    reports: Sequence[WindowReport],
    qualities: Sequence[QualityReport | None],
    kinds: Mapping[str, str],
    console: Console,
) -> None:
    """Print the rows; ``kinds`` has the kind of the signal of each report that has one, by id.

    The column of the quality is left out if no window has any.
    """
    names, title = _names(reports)
    width = cell_width(console)
    cells = [(quality_cell(quality, width),) if any(qualities) else () for quality in qualities]
    rows = [("window", *title, "rows", "state", *(["quality"] if any(qualities) else []))]
    rows += [
        (span_text(report.start_ms, report.end_ms), *name, f"{report.rows:,}", report.state, *cell)
        for report, name, cell in zip(reports, names, cells, strict=True)
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    room = UNLIMITED
    if console.is_terminal:
        room = max(console.width - sum(widths) - GAP * len(widths), LEAST_FINDINGS)
    findings = ["findings"]
    styles = ["bold"]
    for report, quality in zip(reports, qualities, strict=True):
        mark = _mark(report, quality, kinds)
        findings.append(mark + findings_text(report, room - len(mark)))
        violates = report.violations or (quality and quality.violations)
        styles.append("red" if violates else "")
    for row, text, style in zip(rows, findings, styles, strict=True):
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        line = (" " * GAP).join([*padded, text]).rstrip()
        console.print(Text(line, style), soft_wrap=True)


def _mark(report: WindowReport, quality: QualityReport | None, kinds: Mapping[str, str]) -> str:
    """The kinds of the signals about the data and about the quality of the window."""
    of_data = kinds.get(report.id, "")
    of_quality = kinds.get(quality.id, "") if quality else ""
    marks = [of_data, of_quality and f"quality {of_quality}"]
    return "".join(f"{mark}: " for mark in marks if mark)


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
