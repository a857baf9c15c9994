"""Files: whether they can be read, how old the newest is, and what lies in its beginning."""

from __future__ import annotations

import os
import time
from pathlib import Path

from stream.check.disorder import disorder, disorder_finding
from stream.check.findings import Finding, counted, told_ms
from stream.check.sample import decode, sample_findings
from stream.check.setup import CheckContext
from stream.events import Assign, RawBatch
from stream.sources.jsonl.file_order import FileOrder
from stream.sources.jsonl.source import Jsonl

SAMPLED = 500


def look(source: Jsonl, setup: CheckContext) -> list[Finding]:
    """Findings about each path; raises ``SourceUnavailable`` if one is not there."""
    reading = source.open(setup.config.job)
    try:
        reading.assign(
            [Assign(1, found.partition, found.start, None) for found in reading.discover()]
        )
        raws = [
            raw
            for _ in source.paths
            for raw in reading.poll(0.2, SAMPLED)
            if isinstance(raw, RawBatch) and raw.values
        ]
    finally:
        reading.close()
    sample = decode(setup, raws)
    return [
        *(_files(path, source.follow) for path in source.paths),
        *sample_findings("sample", sample, setup),
        disorder_finding(
            "sample", disorder(list(sample.times_ms.values()), setup.times), setup.times
        ),
    ]


def _files(path: str, follow: bool) -> Finding:
    names = FileOrder(Path(path))
    names.refresh(0.0)
    files = [names.root / name for name in names.listed]
    if not files:
        advice = "" if follow else "Nothing would be read: set follow, or correct source.path"
        return Finding(path, "no file yet", "ok" if follow else "fault", advice)
    closed = [file.name for file in files if not os.access(file, os.R_OK)]
    if closed:
        what = f"{counted(len(closed), 'file')} cannot be read, first {closed[0]}"
        return Finding(path, what, "fault", "Give the service the right to read")
    age_ms = (time.time() - max(file.stat().st_mtime for file in files)) * 1000
    return Finding(
        path, f"{counted(len(files), 'file')}, the newest changed {told_ms(max(age_ms, 0))} ago"
    )
