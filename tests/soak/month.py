"""A month of one-minute windows through the service: ``python -m tests.soak.month 43200`` prints
its figures.

The traffic resembles a real month: quiet nights, late records, undecodable records, a sender that
fails for twenty minutes each day, which opens an episode that ends, and an hour of silence each
week.
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

from detectors.report import Signal, WindowReport
from stream.telemetry.log_setup import LogSetup
from tests.soak.clockwork import START_MS, Figures, growth, live, measured_by
from tests.support import jobs

MINUTE_MS = 60_000
DAY = 1_440
WEEK = 10_080
WINDOWS = 43_200
QUIET = 60
"""Minutes without any record at the end of each week."""
ROWS = 24


def columns(rows: int, rng: np.random.Generator, broken: bool = False) -> dict[str, list[str]]:
    """The prediction and three features of different kinds; a broken sender writes the amount as
    text.
    """
    numbers = {"score": rng.beta(2, 5, rows), "amount": rng.lognormal(3, 1, rows)}
    cells = {name: [f"{value:.4f}" for value in values] for name, values in numbers.items()}
    if broken:
        cells["amount"] = [f'"{amount} EUR"' for amount in cells["amount"]]
    cells["age"] = [str(age) for age in rng.integers(18, 90, rows)]
    cells["plan"] = [("free", "basic", "plus")[k] for k in rng.integers(0, 3, rows)]
    return cells


def minute(step: int) -> list[bytes]:
    """The records of a minute: the first is two minutes late, and every seventh minute has an
    undecodable record.
    """
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
        features = f'"score":{score},"amount":{amount},"age":{age},"plan":"{plan}"'
        lines.append(f'{{"time":{at_ms},{features}}}'.encode())
    return [*lines, b"no record"] if step % 7 == 0 else lines


def sent(windows: int) -> tuple[int, int]:
    """The number of minutes with a record, and of records that can be counted."""
    times = [
        msgspec.json.decode(line)["time"]
        for step in range(windows)
        for line in minute(step)
        if line != b"no record"
    ]
    return len({at_ms // MINUTE_MS for at_ms in times}), len(times)


def config(folder: Path) -> dict[str, Any]:
    """A job with a jsonl sink and a Prometheus sink, on a baseline of 5,000 rows."""
    training = columns(5_000, np.random.default_rng(1))
    return jobs.config(
        jobs.learn_from(training, ("score",), folder),
        job="month",
        format={"type": "json"},
        time={"unit": "ms"},
        rules={"mode": "threshold", "min_n": 5},
        grace=None,
        sinks=[{"type": "jsonl", "path": "reports", "compress": False}, {"type": "prometheus"}],
    )


class Files:
    """Counts and removes the report files of past days, as a log rotation would."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.windows = self.rows = 0
        """Reported windows, and the rows in their last revisions."""

    def rotate(self, keep: int) -> None:
        """Count all files except the newest; a file has all revisions of a window."""
        for path in sorted(self._folder.glob("reports-*.jsonl"))[: -keep or None]:
            newest: dict[int, tuple[int, int]] = {}
            for line in path.read_bytes().splitlines():
                report = msgspec.json.decode(line, type=WindowReport)
                if report.end_ms is not None and report.state != "no data":
                    last = newest.get(report.end_ms, (-1, 0))
                    newest[report.end_ms] = max(last, (report.revision, report.rows))
            self.windows += len(newest)
            self.rows += sum(rows for _, rows in newest.values())
            path.unlink()


def measure(windows: int, folder: Path) -> dict[str, object]:
    """The figures of this many windows."""
    files = Files(folder / "reports")

    def records(step: int) -> list[bytes]:
        if step % (3 * DAY) == 0:
            files.rotate(keep=2)
        return minute(step)

    observe_every = max(windows // 50, 1)
    code, figures = live(folder, config(folder), records, windows, MINUTE_MS, observe_every)
    files.rotate(keep=0)
    minutes, rows = sent(windows)
    warm = [figure for figure in figures if figure.step >= windows // 10][:-1]
    ends_of_faults = (day * DAY + DAY // 2 + 20 for day in range(windows // DAY + 1))
    return {
        "windows": windows,
        "windows_sent": minutes,
        "exit_code": code,
        "days_with_a_fault": sum(end < windows for end in ends_of_faults),
        "signals": _signals(folder / "reports" / "signals.jsonl"),
        "windows_reported": files.windows,
        "rows_reported": files.rows,
        "rows_sent": rows,
        "seconds": round(figures[-1].seconds, 1),
        **_sizes(figures, windows),
        "rss_growth_mb": round(growth(warm, "rss_mb"), 2),
        "file_growth_mb": round(growth(warm, "file_mb"), 3),
        "most_rows": _most_rows(figures),
    }


def _sizes(figures: list[Figures], windows: int) -> dict[str, float]:
    """Memory, file and state after a tenth, a half and all of the windows."""
    sizes: dict[str, float] = {}
    for percent in (10, 50, 100):
        step = percent * windows // 100
        at = next(figure for figure in figures if figure.step >= step)
        sizes |= {
            f"rss_mb_at_{percent}": round(at.rss_mb, 1),
            f"file_mb_at_{percent}": round(at.file_mb, 2),
            f"state_kb_at_{percent}": round(at.state_kb, 2),
        }
    return sizes


def _signals(path: Path) -> dict[str, int]:
    lines = path.read_bytes().splitlines() if path.exists() else []
    return dict(Counter(msgspec.json.decode(line, type=Signal).kind for line in lines))


def _most_rows(figures: list[Figures]) -> dict[str, int]:
    tables = figures[-1].tables
    return {name: max(figure.tables.get(name, 0) for figure in figures) for name in tables}


def run(windows: int = WINDOWS) -> dict[str, object]:
    """The figures of this many windows, measured in a process of their own."""
    return measured_by("tests.soak.month", str(windows))


if __name__ == "__main__":
    LogSetup("warning").set_up()
    with tempfile.TemporaryDirectory(prefix="driftline-month-") as run_folder:
        sys.stdout.write(json.dumps(measure(int(sys.argv[1]), Path(run_folder))) + "\n")
