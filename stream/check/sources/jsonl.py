"""Live check of files: permissions, age of the newest, and the first records of each path."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from detectors.phrases import counted
from stream.check.disorder import disorder, disorder_finding
from stream.check.findings import Finding, format_duration
from stream.check.sample import decode, sample_findings
from stream.check.setup import CheckContext
from stream.events import Assign, RawBatch
from stream.sources.jsonl.file_order import FileOrder
from stream.sources.jsonl.source import Jsonl

SAMPLED: Final = 500
"""The number of records that are read from the beginning of each path."""


def live_check(source: Jsonl, context: CheckContext) -> list[Finding]:
    """Return findings about each path; raises ``SourceUnavailable`` if one does not exist."""
    sample = decode(context, _first_records(source, context.config.job))
    measured = disorder(list(sample.times_ms.values()), context.times)
    return [
        *(_files(path, source.follow) for path in source.paths),
        *sample_findings("sample", sample, context),
        disorder_finding("sample", measured, context.times),
    ]


def _first_records(source: Jsonl, job: str) -> list[RawBatch]:
    reading = source.open(job)
    try:
        partitions = reading.discover()
        reading.assign(
            [
                Assign(claim=1, partition=each.partition, next=each.start, mark_ms=None)
                for each in partitions
            ]
        )
        polled = [raw for _ in source.paths for raw in reading.poll(0.2, SAMPLED)]
        return [raw for raw in polled if isinstance(raw, RawBatch) and raw.values]
    finally:
        reading.close()


def _files(path: str, follow: bool) -> Finding:
    order = FileOrder(Path(path))
    order.refresh(at_once=True)
    files = [Path(order.path(name)) for name in order.listed]
    if order.unreadable:
        name, reason = next(iter(order.unreadable.items()))
        message = f"{counted(len(order.unreadable), 'file')} cannot be read, first {name}: {reason}"
        return Finding(path, message, "fault", "Give read permission, or remove the file")
    if not files and follow:
        return Finding(path, "no file yet")
    if not files:
        advice = "Nothing would be read: set follow, or correct source.path"
        return Finding(path, "no file", "fault", advice)
    age_ms = (time.time() - max(file.stat().st_mtime for file in files)) * 1000
    age = format_duration(max(age_ms, 0))
    return Finding(path, f"{counted(len(files), 'file')}, the newest changed {age} ago")
