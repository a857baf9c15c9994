"""``driftline windows``: lists executions with the status that Model Monitor would give them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from detectors.durations import duration_ms
from detectors.phrases import counted, distinguishable
from stream.commands.executions import (
    Execution,
    ExecutionFilter,
    FileReports,
    ReportLines,
    Worst,
    read_executions,
    states_named,
)
from stream.commands.report_files import ReportFiles
from stream.commands.time_options import DURATION, since
from stream.commands.usage import wrong_option
from stream.commands.window_text import span_text
from stream.config.artifact_paths import ArtifactPaths
from stream.telemetry.terminal_text import printable

GAP: Final = 2
LAST: Final = 20
"""The number of executions without ``--since``."""
ALL: Final = "all"
STYLES: Final = {"CompletedWithViolations": "red", "NoData": "yellow", "Incomplete": "yellow"}


class WindowsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of ``driftline windows``; empty where an option is not given."""

    model: str = ""
    variant: str = ""
    since: str | None = None
    states: tuple[str, ...] = ()
    schedule: str = ""
    last: int | None = None

    def filter(self, now_s: float) -> ExecutionFilter:
        """Return the filter; raises ``click.UsageError`` for arguments that mean nothing."""
        default = None if self.since is not None else LAST
        return ExecutionFilter(
            model=self.model,
            variant=self.variant,
            since_ms=since(self.since, now_s),
            states=states_named(self.states),
            schedule_ms=_schedule_ms(self.schedule),
            last=default if self.last is None else (self.last or None),
        )


def list_windows(
    config: Path | None,
    reports: Path | None,
    request: WindowsRequest,
    console: Console,
    *,
    as_json: bool = False,
    progress: Progress | None = None,
) -> None:
    """Print the executions, the newest last: a table, or with ``as_json`` an object a line.

    Raises ``click.UsageError`` for options that lead to no report.
    """
    wanted = request.filter(time.time())
    source = _reports(config, reports, progress)
    found = read_executions(source, wanted)
    if as_json:
        for execution in found:
            click.echo(msgspec.json.encode(execution))
        return
    if found:
        _print(found, console)
    console.print(Text(_summary(found, wanted, source)), soft_wrap=True)


def _reports(config: Path | None, reports: Path | None, progress: Progress | None) -> ReportLines:
    """The files of the jsonl sinks; the bucket of a sink ``s3`` where there are none."""
    paths = ArtifactPaths(config) if config else None
    if paths and reports is None and not paths.reports and (bucket := paths.bucket):
        from stream.commands.bucket_reports import BucketReports

        return BucketReports(bucket, paths.job, progress)
    return FileReports(ReportFiles(paths, reports, progress))


def _schedule_ms(schedule: str) -> int | None:
    """The length of the periods to list: 0 for windows, ``None`` for those of all schedules."""
    if schedule in ("", ALL):
        return 0 if not schedule else None
    if not DURATION.fullmatch(schedule):
        message = f"{schedule!r} is no duration, such as 1h; CONFIG stands before --schedule"
        raise wrong_option("--schedule", message)
    return duration_ms(schedule)


def _print(found: Sequence[Execution], console: Console) -> None:
    """Print a row for each execution, in columns as wide as they need."""
    names = _names(found)
    title = [("model",)] if any(names) else [()]
    head = ("window" if found[0].schedule is None else "period", *title[0], "status", "rows")
    rows = [(*head, "violations", "worst")]
    rows += [
        (
            _span(execution),
            *name,
            execution.status,
            f"{execution.rows:,}",
            f"{execution.violations:,}",
            _worst(execution.worst),
        )
        for execution, name in zip(found, names, strict=True)
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    styles = ["bold", *(STYLES.get(execution.status, "") for execution in found)]
    for row, style in zip(rows, styles, strict=True):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        console.print(Text((" " * GAP).join(cells).rstrip(), style), soft_wrap=True)


def _names(found: Sequence[Execution]) -> list[tuple[str, ...]]:
    """The model and variant of each execution, where there is more than one."""
    if len({(execution.model, execution.variant) for execution in found}) == 1:
        return [() for _ in found]
    variants = len({execution.variant for execution in found}) > 1
    return [
        (printable(f"{each.model}/{each.variant}" if variants else each.model),) for each in found
    ]


def _span(execution: Execution) -> str:
    schedule = f" ({execution.schedule})" if execution.schedule else ""
    return span_text(execution.start_ms, execution.end_ms) + schedule


def _worst(worst: Worst | None) -> str:
    if worst is None:
        return ""
    sign = ">" if worst.value > worst.limit else "<"
    value, limit = distinguishable(worst.value, worst.limit)
    return printable(f"{worst.feature} {worst.check}: {worst.statistic} {value} {sign} {limit}")


def _summary(found: Sequence[Execution], wanted: ExecutionFilter, reports: ReportLines) -> str:
    """The line below the table; without executions what there is, so that options can be set."""
    kind = "window" if wanted.schedule_ms == 0 else "period"
    if found:
        at_most = ", at most the last" if wanted.last == len(found) else ""
        return f"{counted(len(found), kind)}{at_most and f'{at_most} {wanted.last}'}; times are UTC"
    everything = ExecutionFilter(schedule_ms=wanted.schedule_ms, last=1)
    newest = read_executions(reports, everything)
    if newest:
        span = span_text(newest[0].start_ms, newest[0].end_ms)
        return f"no {kind} matches; the newest of all is {span} (UTC), {newest[0].status}"
    if kind == "period":
        return "there is no report on a period: a sink needs `schedule`, such as 1h"
    return f"there is no report on a window; searched {reports.searched}"
