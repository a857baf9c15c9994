"""The progress bar of a replay: how much of the time of the captures is judged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

from detectors.phrases import counted
from detectors.schedule_report import ScheduleReport
from stream.commands.options import judging_bar
from stream.commands.replay import job
from stream.commands.window_text import time_text

DATED: Final = re.compile(r"(\d{4}/\d{2}/\d{2}/\d{2})/[^/]*\.jsonl(\.gz)?$")
HOUR_MS: Final = 3_600_000

Span = tuple[int, int]
"""A time and a later one, in milliseconds."""


def span_of(captures: str, since_ms: int | None, now_ms: int) -> Span | None:
    """Return the time that captures span, as far as it is known before they are read.

    Files state it by the hours in their paths. Of captures in S3 it is known with ``since_ms``: up
    to now. ``None`` if nothing states it.
    """
    if captures.startswith("s3://"):
        return None if since_ms is None else (since_ms, now_ms)
    found = (DATED.search(path.as_posix()) for path in Path(captures).rglob("*"))
    hours = [hour for match in found if match if (hour := _hour_ms(match.group(1))) is not None]
    return (max(min(hours), since_ms or 0), max(hours) + HOUR_MS) if hours else None


def _hour_ms(text: str) -> int | None:
    try:
        at = datetime.strptime(text, "%Y/%m/%d/%H").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(at.timestamp() * 1000)


@contextmanager
def progress_bar(span: Span | None) -> Iterator[job.Progress]:
    """A bar on a terminal that disappears at the end; nothing elsewhere.

    It shows the share of ``span`` that is judged; without it, that the replay goes on.
    """
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with judging_bar(*columns) as bar:
        first_ms, last_ms = span or (0, 0)
        task = bar.add_task("reading captures", total=last_ms - first_ms if span else None)
        rows = 0

        def show(report: ScheduleReport) -> None:
            nonlocal rows
            rows += report.rows
            text = f"judged up to {time_text(report.end_ms)}, {counted(rows, 'row')}"
            bar.update(task, description=text, completed=max(report.end_ms - first_ms, 0))

        yield show
