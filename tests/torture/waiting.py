"""Waiting predictions: the size of twenty million, and a store that is killed as it commits."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from stream.labels.rows import Rows
from stream.labels.store import Slice
from stream.state.labels.join_store import JoinSizes, SqliteJoinStore
from stream.state.store import Store
from tests.support.paths import ROOT
from tests.support.waiting import DAY_MS, commit, random_ids, waiting
from tests.torture.rows import Row, SectionResult
from tests.torture.waiting_leg import Figures, measured_apart

ROWS, LABELS = 20_000_000, 500_000
MOST_BYTES, MOST_MB, MOST_REOPEN_S = 40.0, 500.0, 5.0
KILLS = 100
SIZES = JoinSizes(run_rows=300, memory_rows=900, merged_rows=4_000)
BATCH = 200
SLICES = [Slice("predictions", day * DAY_MS, DAY_MS) for day in range(3)]


def waiting_rows() -> SectionResult:
    """Measure twenty million waiting predictions; kill a process that adds rows and commits."""
    started_s = time.monotonic()
    failures = beyond(measured_apart(ROWS, LABELS))
    sized = Row(f"{ROWS:,} waiting predictions", 1, failures, time.monotonic() - started_s)
    return SectionResult.of(sized, killed(KILLS))


def beyond(figures: Figures) -> tuple[str, ...]:
    """The limits that figures exceed."""
    limits = [
        ("bytes a prediction", figures.bytes_per_row, MOST_BYTES),
        ("MB of memory", figures.peak_mb, MOST_MB),
        ("seconds to open", figures.reopen_s, MOST_REOPEN_S),
    ]
    failures = [f"{value:,.1f} {name}, not {most}" for name, value, most in limits if value > most]
    if figures.matched != figures.labels:
        failures.append(f"{figures.matched:,} of {figures.labels:,} labels matched")
    return tuple(failures)


def killed(kills: int) -> Row:
    """Kill a process at random moments; the state must have whole commits, and all rows of them."""
    started_s = time.monotonic()
    choice = random.Random(1)
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "state.sqlite"
        least = 0
        for number in range(kills):
            acknowledged = max(least, _killed_after(path, choice.random() * 0.3))
            with closing(Store(path)) as store:
                joins = store.joins(SIZES)
                least = joins.rows() // BATCH
                if fault := _fault(joins, acknowledged):
                    failures.append(f"kill {number}: {fault}")
    return Row(
        "kills of a store that commits", kills, tuple(failures), time.monotonic() - started_s
    )


def _killed_after(path: Path, wait_s: float) -> int:
    """Start a process that adds rows, and kill it; returns the commits that it acknowledged."""
    command = [sys.executable, "-m", "tests.torture.waiting", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        time.sleep(wait_s)
        process.kill()
        lines += process.stdout.read().splitlines()
    return max((int(line) for line in lines if line.strip().isdigit()), default=0)


def _fault(joins: SqliteJoinStore, acknowledged: int) -> str:
    """What is wrong with the rows after a kill; empty if nothing is."""
    batches, rest = divmod(joins.rows(), BATCH)
    if rest or batches < acknowledged:
        return f"{batches} batches and {rest} rows, {acknowledged} batches were acknowledged"
    added: dict[Slice, list[Rows]] = {}
    for slice_, rows in map(_batch, range(batches)):
        added.setdefault(slice_, []).append(rows)
    for slice_, parts in added.items():
        rows = np.concatenate(parts)
        found = joins.find(slice_, np.unique(rows["id"]))
        if sorted(row.tobytes() for row in found) != sorted(row.tobytes() for row in rows):
            return f"of {batches} batches, those of {slice_} are not as they were added"
    return ""


def _batch(number: int) -> tuple[Slice, Rows]:
    generator = np.random.default_rng(number)
    slice_ = SLICES[number % len(SLICES)]
    return slice_, waiting(slice_, random_ids(generator, BATCH), generator)


def add_and_commit(path: Path) -> None:
    """Continue a store, a batch in each commit; prints the number of batches after each."""
    with closing(Store(path)) as store:
        joins = store.joins(SIZES)
        number = joins.rows() // BATCH
        while True:
            joins.add(*_batch(number))
            commit(store, joins)
            number += 1
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    add_and_commit(Path(sys.argv[1]))
