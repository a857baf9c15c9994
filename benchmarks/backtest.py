"""A backtest of a year of hourly windows of 200 features: ``python -m benchmarks.backtest``.

Draws rows, folds and judges them hour by hour as the service does, and writes the reports by the
jsonl sink, which takes half an hour. Then ``driftline backtest`` judges them again, and its time
counts. In each month a feature is shifted for a day, which the backtest must find.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
from rich.console import Console
from rich.progress import track

from benchmarks.detection.driftline_judge import Stream, rules
from benchmarks.detection.kinds import EVERYDAY, Random
from benchmarks.detection.streams import Columns, baseline_of, fold, independent
from detectors.profiles.baseline import Baseline
from detectors.profiles.profile import Profile
from sinks.jsonl import Jsonl
from tests.support.machine import processor

RESULTS: Final = Path(__file__).parent / "results" / "backtest.json"
FEATURES: Final = EVERYDAY * 10
HOUR_MS: Final = 3_600_000
HOURS: Final = 8_760
DAY: Final = 24
BASELINE_ROWS: Final = 20_000
ROWS: Final = 300
SHIFTED: Final = "normal#5"
EVERY_DAYS: Final = 30
"""A feature is shifted on each day of which the number is a multiple of this."""
CONFIG: Final = """
job: bench
source: {type: jsonl, path: events/}
format: {type: json}
model: {from: const, name: m}
models: {m: {baseline: baseline/}}
rules: {mode: evidence}
window: 1h
sinks: [{type: jsonl, path: reports/}]
"""


def shifted(hour: int) -> bool:
    """Whether a feature is shifted in this hour of the year."""
    day = hour // DAY
    return day > 0 and day % EVERY_DAYS == 0


def year(baseline: Baseline, random: Random, hours: int) -> Iterator[Profile]:
    """The counts of each hour."""
    rows = independent(FEATURES, random)
    for hour in range(hours):
        columns: Columns = rows(hour * ROWS, ROWS)
        if shifted(hour):
            columns = {**columns, SHIFTED: columns[SHIFTED] + 1.0}
        yield fold(baseline, FEATURES, columns, ROWS)[0]


def write_year(folder: Path, seed: int, hours: int) -> None:
    """Write the configuration, the baseline and the reports of a job."""
    random = np.random.default_rng(seed)
    baseline = baseline_of(FEATURES, independent(FEATURES, random)(0, BASELINE_ROWS))
    (folder / "baseline").mkdir()
    (folder / "baseline" / "baseline.msgpack").write_bytes(baseline.encode())
    (folder / "config.yaml").write_text(CONFIG)
    sink = Jsonl(path=str(folder / "reports")).open("bench")
    stream = Stream(baseline, rules("evidence"), window_ms=HOUR_MS)
    for profile in track(year(baseline, random, hours), total=hours, description="reports"):
        report, _ = stream.report(profile)
        sink.deliver([report])
    sink.close()


def backtest(folder: Path) -> tuple[float, dict[str, Any]]:
    """The seconds of ``driftline backtest``, and what it printed."""
    command = [sys.executable, "-m", "stream.cli", "backtest", "reports/"]
    began = time.perf_counter()
    done = subprocess.run(
        [*command, "--config", "config.yaml", "--json"], cwd=folder, check=True, capture_output=True
    )
    return time.perf_counter() - began, json.loads(done.stdout)


@click.command(help=__doc__)
@click.option("--hours", default=HOURS, show_default=True, help="Hourly windows.")
@click.option("--seed", type=int, help="Repeat a run; by default a seed is drawn.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path),
    help="Folder to write to and to keep; the reports of an earlier run in it are judged again.",
)
def main(hours: int, seed: int | None, keep: Path | None) -> None:
    """Write a year of reports, and judge it again."""
    console = Console()
    seed = int(np.random.SeedSequence().generate_state(2)[0]) if seed is None else seed
    with tempfile.TemporaryDirectory() as scratch:
        folder = keep or Path(scratch)
        folder.mkdir(exist_ok=True)
        written = folder / "seed.txt"
        if written.exists():
            seed = int(written.read_text())
        console.print(f"seed {seed}, {hours:,} windows of {len(FEATURES)} features")
        if not written.exists():
            write_year(folder, seed, hours)
            written.write_text(str(seed))
        seconds, found = backtest(folder)
    opened = [each for each in found["signals"] if each["kind"] == "opened"]
    days = sum(shifted(hour) for hour in range(0, hours, DAY))
    console.print(f"{seconds:.1f} s; {len(opened)} episodes opened, {days} days with a shift")
    facts = {
        "seed": seed,
        "windows": hours,
        "features": len(FEATURES),
        "seconds": round(seconds, 1),
        "shifted_days": days,
        "opened": len(opened),
        "machine": {**processor(), "python": platform.python_version()},
    }
    RESULTS.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
