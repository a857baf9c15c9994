"""Jobs for tests: a baseline, a configuration, capture files to read, and the delivered results.

The producer's own counts are the expected ones: :func:`lines_of` returns :data:`PER_WINDOW` events
a minute, from which the rows of each window follow.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from stream.baselining import build as baselining
from tests.servers.service import RunningService, newest
from tests.support import events

START_MS = 1_750_000_020_000
MINUTE_MS = 60_000
PER_S = 20
PER_WINDOW = PER_S * 60


def learn(folder: Path, rows: int = 5_000) -> Path:
    """Learn a baseline from ``rows`` standard events; return its folder."""
    return learn_from(events.values(rows, 4), events.OUTPUTS, folder)


def learn_from(columns: Mapping[str, list[str]], outputs: Iterable[str], folder: Path) -> Path:
    """Learn a baseline from columns of cell text, of which ``outputs`` are predictions."""
    table = pa.table(dict(columns))
    baselining.write(baselining.make(lambda: [table], tuple(outputs)), folder / "baseline")
    return folder / "baseline"


def config(baseline: Path | str, **changes: Any) -> dict[str, Any]:
    """A job that follows the files a, b and c; ``changes`` replace whole top-level keys."""
    defaults: dict[str, Any] = {
        "job": "files",
        "source": {"type": "jsonl", "path": ["a.jsonl", "b.jsonl", "c.jsonl"], "follow": True},
        "format": {"type": "sagemaker"},
        "model": {"from": "const", "name": "m"},
        "models": {"m": {"baseline": str(baseline)}},
        "grace": "2s",
        "sinks": [{"type": "jsonl", "path": "reports"}],
    }
    return {**defaults, **changes}


def lines_of(windows: int, seed: int = 3) -> list[bytes]:
    """Capture lines of whole one-minute windows, 20 events a second."""
    return events.capture_lines(
        events.values(windows * PER_WINDOW, seed), start_ms=START_MS, events_a_second=PER_S
    )


def append(folder: Path, lines: list[bytes], first: int = 0) -> None:
    """Append lines to the files a, b and c in turn; ``first`` is the number of the first line."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, name in enumerate("abc"):
        with (folder / f"{name}.jsonl").open("ab") as file:
            file.write(b"".join(line + b"\n" for n, line in enumerate(lines, first) if n % 3 == k))


def rows(service: RunningService) -> dict[int, int]:
    """Rows in the last revision of each window, by the window's number; fails if reports with the
    same id differ.
    """
    return {
        (end_ms - START_MS) // MINUTE_MS: report.rows
        for (_, end_ms), report in sorted(newest(service.reports()).items())
    }


def letters(folder: Path) -> list[dict[str, Any]]:
    """The dead letters of the job of :func:`config` in ``folder``; empty without a file."""
    path = folder / "dead-letters-files.jsonl"
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []
