"""Capture files that a test writes while the service reads them, and what the service reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from stream.baselining import build as baselining
from tests.servers.service import RunningService, newest
from tests.support import events

START_MS, MINUTE_MS, PER_S = 1_750_000_020_000, 60_000, 20
PER_WINDOW = PER_S * 60


def learn(folder: Path) -> Path:
    """The folder of a baseline of the standard events."""
    baselining.write(
        baselining.make(lambda: [pa.table(events.values(5_000, 4))], events.OUTPUTS),
        folder / "baseline",
    )
    return folder / "baseline"


def lines_of(windows: int, seed: int = 3) -> list[bytes]:
    """20 events a second."""
    return events.capture_lines(
        events.values(windows * PER_WINDOW, seed), start_ms=START_MS, events_a_second=PER_S
    )


def config(baseline: Path, **changes: Any) -> dict[str, Any]:
    """A service on the three files a, b and c, which it follows."""
    plain: dict[str, Any] = {
        "job": "files",
        "source": {"type": "jsonl", "path": ["a.jsonl", "b.jsonl", "c.jsonl"], "follow": True},
        "format": {"type": "sagemaker"},
        "model": {"from": "const", "name": "m"},
        "models": {"m": {"baseline": str(baseline)}},
        "grace": "2s",
        "sinks": [{"type": "jsonl", "path": "reports"}],
    }
    return {**plain, **changes}


def append(folder: Path, lines: list[bytes], first: int = 0) -> None:
    """Lines dealt out to the three files in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    for k, name in enumerate("abc"):
        with (folder / f"{name}.jsonl").open("ab") as file:
            file.write(b"".join(line + b"\n" for n, line in enumerate(lines, first) if n % 3 == k))


def rows(service: RunningService) -> dict[int, int]:
    """Rows of the last revision of each window, by its number; no id has two contents."""
    return {
        (end - START_MS) // MINUTE_MS: report.rows
        for (_, end), report in sorted(newest(service.reports()).items())
    }


def letters(folder: Path) -> list[dict[str, object]]:
    """The dead letters."""
    path = folder / "dead-letters.jsonl"
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []
