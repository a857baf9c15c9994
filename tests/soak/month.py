"""A month of one-minute windows through the service: ``python -m tests.soak.month 43200`` prints
what it was made of on the way.

Traffic has what a month has: quiet nights, records that are late, records that are no records, a
sender that breaks each day for twenty minutes, which opens an episode that ends, an hour of silence
each week.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from detectors.report import Signal, WindowReport
from stream.baselining import build as baselining
from stream.telemetry.log_setup import LogSetup
from tests.soak.clockwork import START_MS, Figures, live, slope, told_by

MINUTE_MS, DAY, WEEK = 60_000, 1_440, 10_080
WINDOWS = 43_200
QUIET = 60
"""Minutes without any record at the end of each week."""
ROWS = 24


def columns(rows: int, rng: np.random.Generator, broken: bool = False) -> dict[str, list[str]]:
    """Three features of different kinds and the answer; the amount is in words if the sender is
    broken."""
    numbers = {"score": rng.beta(2, 5, rows), "amount": rng.lognormal(3, 1, rows)}
    out = {name: [f"{x:.4f}" for x in values] for name, values in numbers.items()}
    out["amount"] = [f'"{x} EUR"' for x in out["amount"]] if broken else out["amount"]
    out["age"] = [str(x) for x in rng.integers(18, 90, rows)]
    out["plan"] = [("free", "basic", "plus")[k] for k in rng.integers(0, 3, rows)]
    return out


def minute(step: int) -> list[bytes]:
    """The records of one minute: most of them in it, one late by two minutes, now and then one that
    is none."""
    if step % WEEK >= WEEK - QUIET:
        return []
    rng = np.random.default_rng(step)
    broken = DAY // 2 <= step % DAY < DAY // 2 + 20
    rows = ROWS if step % DAY > DAY // 4 else ROWS // 4
    cells = zip(*columns(rows, rng, broken).values(), strict=True)
    lines = []
    for k, (score, amount, age, plan) in enumerate(cells):
        late_ms = 2 * MINUTE_MS if k == 0 and step > 2 else 0
        at_ms = START_MS + step * MINUTE_MS + (k + 1) * 1_000 - late_ms
        lines.append(
            f'{{"time":{at_ms},"score":{score},"amount":{amount},"age":{age},"plan":"{plan}"}}'.encode()
        )
    return [*lines, b"no record"] if step % 7 == 0 else lines


def sent(windows: int) -> tuple[int, int]:
    """How many minutes have a record, and how many records :func:`minute` makes that can be
    counted."""
    times = [
        msgspec.json.decode(line)["time"]
        for step in range(windows)
        for line in minute(step)
        if line != b"no record"
    ]
    return len({at // MINUTE_MS for at in times}), len(times)


def config(folder: Path) -> dict[str, Any]:
    """A service with a jsonl sink and a Prometheus sink on a baseline of 5,000 rows."""
    table = pa.table(columns(5_000, np.random.default_rng(1)))
    baselining.write(baselining.make(lambda: [table], ("score",)), folder / "baseline")
    return {
        "job": "month",
        "format": {"type": "json"},
        "time": {"unit": "ms"},
        "model": {"from": "const", "name": "m"},
        "models": {"m": {"baseline": "baseline"}},
        "rules": {"min_n": 5},
        "sinks": [{"type": "jsonl", "path": "reports"}, {"type": "prometheus"}],
    }


class Files:
    """What a log rotation does: files of days that are over are counted and taken away."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.windows = self.rows = 0
        """Windows that were reported, and rows in their last revisions."""

    def rotate(self, keep: int) -> None:
        """Count all files but the newest ones; all lines of a window are in one file."""
        for path in sorted(self._folder.glob("reports-*.jsonl"))[: -keep or None]:
            newest: dict[int, tuple[int, int]] = {}
            for line in path.read_bytes().splitlines():
                report = msgspec.json.decode(line, type=WindowReport)
                if report.end_ms is not None and report.state != "no data":
                    newest[report.end_ms] = max(
                        newest.get(report.end_ms, (-1, 0)), (report.revision, report.rows)
                    )
            self.windows += len(newest)
            self.rows += sum(rows for _, rows in newest.values())
            path.unlink()


def lived(windows: int, folder: Path) -> dict[str, object]:
    """The figures of so many windows."""
    files = Files(folder / "reports")

    def made(step: int) -> list[bytes]:
        if step % (3 * DAY) == 0:
            files.rotate(keep=2)
        return minute(step)

    code, seen = live(folder, config(folder), made, windows, MINUTE_MS, max(windows // 50, 1))
    files.rotate(keep=0)
    minutes, rows = sent(windows)
    at = {
        share: min(seen, key=lambda one: abs(one.step - share * windows / 100))
        for share in (10, 50, 100)
    }
    warm = [one for one in seen if one.step >= windows // 10][:-1]
    return {
        "windows": windows,
        "windows_sent": minutes,
        "exit_code": code,
        "days_with_a_fault": sum(
            day * DAY + DAY // 2 + 20 < windows for day in range(windows // DAY + 1)
        ),
        "signals": _signals(folder / "reports" / "signals.jsonl"),
        "windows_reported": files.windows,
        "rows_reported": files.rows,
        "rows_sent": rows,
        "seconds": round(seen[-1].seconds, 1),
        **{f"rss_mb_at_{share}": round(one.rss_mb, 1) for share, one in at.items()},
        **{f"file_mb_at_{share}": round(one.file_mb, 2) for share, one in at.items()},
        "rss_growth_mb": round(slope(warm, "rss_mb"), 2),
        "file_growth_mb": round(slope(warm, "file_mb"), 3),
        "state_kb_at_10": round(at[10].state_kb, 2),
        "state_kb_at_100": round(at[100].state_kb, 2),
        "most_rows": _most(seen),
    }


def _signals(path: Path) -> dict[str, int]:
    found = (
        [msgspec.json.decode(line, type=Signal).kind for line in path.read_bytes().splitlines()]
        if path.exists()
        else []
    )
    return dict(Counter(found))


def _most(seen: list[Figures]) -> dict[str, int]:
    return {name: max(one.tables.get(name, 0) for one in seen) for name in seen[-1].tables}


def run(windows: int = WINDOWS) -> dict[str, object]:
    """The figures of so many windows, measured in a process of their own."""
    return told_by("tests.soak.month", str(windows))


if __name__ == "__main__":
    LogSetup("warning").set_up()
    with tempfile.TemporaryDirectory(prefix="driftline-month-") as place:
        sys.stdout.write(json.dumps(lived(int(sys.argv[1]), Path(place))) + "\n")
