"""Millions of waiting predictions: ``python -m tests.torture.waiting_leg ROWS LABELS``.

Prints the :class:`Figures` of one process in JSON. Predictions of thirty days are joined and
committed in order of time, then labels of random ones of them.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np

from stream.labels.classes import ClassTable, LabelledModel, LabelMeaning
from stream.labels.join import Join, SliceCounts
from stream.labels.resolve import JoinRule
from stream.labels.rows import LABEL, NUMBER, PREDICTION, Rows
from stream.state.labels.join_store import SqliteJoinStore
from stream.state.store import Store
from tests.support.paths import ROOT
from tests.support.waiting import DAY_MS, commit, random_ids

BATCH = 5_000
COMMIT_ROWS = 100_000
DAYS = 30
MINUTE_MS = 60_000
RULE = JoinRule(horizon_ms=2 * DAYS * DAY_MS, early_ms=DAY_MS, duplicates="last")

Result = TypeVar("Result")


class Figures(msgspec.Struct, kw_only=True):
    """Rates count the time of the commits too, once by the clock and once by the processor.

    ``misses`` are searches for ids that no slice has. ``bytes_per_row`` covers all files of the
    state once the predictions wait, ``peak_mb`` is the largest resident memory of the process.
    """

    rows: int = 0
    labels: int = 0
    matched: int = 0
    slices: int = 0
    predictions_per_s: float = 0.0
    predictions_per_cpu_s: float = 0.0
    labels_per_s: float = 0.0
    labels_per_cpu_s: float = 0.0
    miss_ns_per_id_and_slice: float = 0.0
    longest_commit_s: float = 0.0
    bytes_per_row: float = 0.0
    reopen_s: float = 0.0
    peak_mb: float = 0.0


class Clock:
    """Time spent, by the clock and by the processor."""

    def __init__(self) -> None:
        self.wall_s = self.cpu_s = self.longest_s = 0.0

    def run(self, work: Callable[[], Result]) -> Result:
        """Do some work and count its time."""
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        result = work()
        took_s = time.perf_counter() - wall_s
        self.wall_s += took_s
        self.cpu_s += time.process_time() - cpu_s
        self.longest_s = max(self.longest_s, took_s)
        return result


def measure(folder: Path, rows: int, labels: int) -> Figures:
    """Return the figures of ``rows`` waiting predictions and ``labels`` labels."""
    figures = Figures(rows=rows, labels=labels)
    path = folder / "state.sqlite"
    with closing(Store(path)) as store:
        joins = store.joins()
        _fill(figures, store, joins)
        figures.bytes_per_row = sum(file.stat().st_size for file in folder.iterdir()) / rows
    opened = Clock()
    with closing(Store(path)) as store:
        opened.run(store.joins)
        figures.reopen_s = opened.wall_s
        joins = store.joins()
        if joins.rows() != rows:
            raise AssertionError(f"{joins.rows()} rows wait, not {rows}")
        _search(figures, joins)
        _label(figures, store, joins)
    figures.peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return figures


def measured_apart(rows: int, labels: int) -> Figures:
    """Return the figures of a process of its own on the last core."""
    command = [sys.executable, "-m", "tests.torture.waiting_leg", str(rows), str(labels)]
    result = subprocess.run(command, stdout=subprocess.PIPE, cwd=ROOT, preexec_fn=_pin, check=True)
    return msgspec.json.decode(result.stdout, type=Figures)


def _pin() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _fill(figures: Figures, store: Store, joins: SqliteJoinStore) -> None:
    join, clock, commits = _join(joins), Clock(), Clock()
    for number in range(figures.rows // BATCH):
        rows = predictions(number, figures.rows)
        clock.run(partial(join.take_predictions, rows))
        if (number + 1) * BATCH % COMMIT_ROWS == 0:
            commits.run(lambda: commit(store, joins))
    commits.run(lambda: commit(store, joins))
    figures.predictions_per_s = figures.rows / (clock.wall_s + commits.wall_s)
    figures.predictions_per_cpu_s = figures.rows / (clock.cpu_s + commits.cpu_s)
    figures.longest_commit_s = commits.longest_s


def _search(figures: Figures, joins: SqliteJoinStore) -> None:
    clock, generator = Clock(), np.random.default_rng(1)
    slices, rounds = joins.slices(), 4
    for _ in range(rounds):
        ids = np.unique(random_ids(generator, BATCH))
        for slice_ in slices:
            clock.run(partial(joins.find, slice_, ids))
    figures.slices = len(slices)
    figures.miss_ns_per_id_and_slice = clock.cpu_s / (rounds * BATCH * len(slices)) * 1e9


def _label(figures: Figures, store: Store, joins: SqliteJoinStore) -> None:
    join, clock = _join(joins), Clock()
    read = 0
    for rows in _labels(figures):
        change = clock.run(partial(join.take_labels, rows))
        figures.matched += int(change.weight.sum())
        read += len(rows)
        if read % COMMIT_ROWS < BATCH:
            clock.run(lambda: commit(store, joins))
    clock.run(lambda: commit(store, joins))
    figures.labels_per_s = read / clock.wall_s
    figures.labels_per_cpu_s = read / clock.cpu_s


def _join(joins: SqliteJoinStore) -> Join:
    meaning = LabelMeaning([LabelledModel(problem="regression")], ClassTable([]))
    counts = {slice_: SliceCounts() for slice_ in joins.slices()}
    return Join(RULE, DAY_MS, joins, meaning, counts)


def predictions(number: int, rows: int) -> Rows:
    """The batch of a number, of one that has ``rows`` in all."""
    batch = np.zeros(BATCH, PREDICTION)
    generator = np.random.default_rng(number)
    batch["id"] = random_ids(generator, BATCH)
    day = number * BATCH * DAYS // rows
    minutes = generator.integers(0, DAY_MS // MINUTE_MS, BATCH)
    batch["time_ms"] = day * DAY_MS + minutes * MINUTE_MS
    batch["rows"] = 1
    batch["value"] = generator.random(BATCH)
    return batch


def _labels(figures: Figures) -> Iterator[Rows]:
    """Labels of different predictions: each batch has a hundred from each of fifty batches."""
    each = 100
    hundreds = np.random.default_rng(2).permutation(figures.rows // each)
    for number in range(figures.labels // BATCH):
        of = hundreds[number * BATCH // each : (number + 1) * BATCH // each] * each
        parts = [
            predictions(k // BATCH, figures.rows)[k % BATCH : k % BATCH + each] for k in of.tolist()
        ]
        ids = np.concatenate(parts)["id"]
        rows = np.zeros(len(ids), LABEL)
        rows["id"] = ids
        rows["time_ms"] = DAYS * DAY_MS
        rows["sequence"] = number * BATCH + np.arange(len(ids))
        rows["rows"] = 1
        rows["code"] = NUMBER
        rows["value"] = 1.0
        yield rows


def main(rows: str, labels: str) -> None:
    """Measure in a temporary folder and print the figures."""
    with tempfile.TemporaryDirectory() as name:
        figures = measure(Path(name), int(rows), int(labels))
    sys.stdout.write(msgspec.json.encode(figures).decode() + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
