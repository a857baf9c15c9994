"""The owner's part of a job with labels: ``python -m benchmarks.labels_leg NAME ROWS NUMBER``.

Predictions and labels go through the aggregator in batches as readers send them, with ticks of the
clock, and the state's file is committed as often as the service does. Windows have a minute, and
all reports on them are made. Prints the figures of one process in JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Floats, Ints
from detectors.profiles.baseline import Baseline, Constraints
from detectors.profiles.layout import Feature, Layout
from detectors.profiles.profile import Profile
from detectors.quality_report import QualityReport
from stream.aggregation.label_ledger import LabelLedger
from stream.config.load import parse
from stream.events import DiscoveredPartition, Item, ModelKey, OfLabels, Partial, Tick
from stream.labels.rows import LABEL, NUMBER, PREDICTION, LabelRange, Predictions
from stream.service.commit import COMMIT_FACTOR, MOST_PENDING
from stream.service.job import Job, open_job
from stream.service.loop import TICK_S
from tests.support.records import covered_range

MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
START_MS: Final = 20_000 * DAY_MS
PREDICTIONS_AT_ONCE: Final = 5_000
LABELS_AT_ONCE: Final = 10_000
"""The numbers of rows that a reader sends at once."""
COMMIT_S: Final = 1.0
LAYOUT: Final = Layout(
    (Feature(name="score", type="Fractional", kind="grid", edges=(0.5,), cells=(0, 1)),)
)
CONFIG: Final[dict[str, Any]] = {
    "job": "bench",
    "source": {"type": "jsonl", "path": ["events.jsonl"]},
    "format": {"type": "sagemaker"},
    "model": {"from": "const", "name": "m"},
    "window": "60s",
    "labels": {
        "source": {"type": "jsonl", "path": ["labels.jsonl"]},
        "format": {"type": "ground_truth"},
        "horizon": "60d",
    },
    "models": {
        "m": {
            "baseline": "baseline",
            "quality": {
                "problem": "binary",
                "probability": "score",
                "limits": {"f1": {"min": 0.5}, "auc": {"min": 0.6}},
            },
        }
    },
    "sinks": [{"type": "prometheus"}],
}


class Spent:
    """Time spent, by the clock and by the processor."""

    def __init__(self) -> None:
        self.wall_s = self.cpu_s = self.longest_s = 0.0
        self.times = 0

    def __enter__(self) -> None:
        self._wall_s, self._cpu_s = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        took_s = time.perf_counter() - self._wall_s
        self.wall_s += took_s
        self.cpu_s += time.process_time() - self._cpu_s
        self.longest_s = max(self.longest_s, took_s)
        self.times += 1


class Owner:
    """A job with its stores, whose items are measured by what they are."""

    def __init__(self, folder: Path) -> None:
        config = parse(CONFIG, folder)
        baseline = Baseline(LAYOUT, Profile(LAYOUT), Constraints(), ("score",))
        self.job: Job = open_job(config, baselines={"m": baseline}, quality={"m": None})
        self.steps, self.ticks, self.commits = Spent(), Spent(), Spent()
        self.reports = 0
        self._outputs: list[Any] = []
        self._ticked_s = self._committed_s = time.process_time()
        self._commit_s = 0.0
        self.now_ms = START_MS

    @property
    def spent(self) -> Sequence[Spent]:
        return self.steps, self.ticks, self.commits

    def begin(self) -> None:
        """Discover a partition of events and one of labels."""
        self.step(DiscoveredPartition("p", 0))
        self.step(OfLabels(DiscoveredPartition("l", 0)))

    def step(self, item: Item | LabelRange) -> None:
        """Take an item."""
        with self.steps:
            self._take(item)

    def turn(self, item: Item | LabelRange) -> None:
        """Take an item, then tick and commit if that is due in the service.

        The clock is that of the processor, as if no other process had a part of it.
        """
        self.step(item)
        now_s = time.process_time()
        if now_s - self._ticked_s >= TICK_S:
            self._ticked_s = now_s
            self.tick()
        urgent = len(self._outputs) >= MOST_PENDING
        if urgent or now_s - self._committed_s >= max(COMMIT_S, COMMIT_FACTOR * self._commit_s):
            self.commit()

    def tick(self, ms: int = int(TICK_S * 1_000)) -> None:
        """Move the clock."""
        self.now_ms += ms
        with self.ticks:
            self._take(Tick(self.now_ms))

    def commit(self) -> None:
        job, started_s = self.job, time.process_time()
        with self.commits:
            job.store.commit(
                job.identity,
                job.aggregator.state,
                job.tables,
                self._outputs,
                cursors={"sink": job.store.last_seq()},
            )
        self._committed_s = time.process_time()
        self._commit_s = self._committed_s - started_s
        self._outputs = []

    def figures(self, rows: int) -> dict[str, float]:
        """The rates since the start, and what the parts took; begins anew."""
        wall_s = sum(spent.wall_s for spent in self.spent)
        cpu_s = sum(spent.cpu_s for spent in self.spent)
        found = {
            "per_s": rows / wall_s,
            "per_cpu_s": rows / cpu_s,
            "steps_cpu_share": self.steps.cpu_s / cpu_s,
            "ticks_cpu_share": self.ticks.cpu_s / cpu_s,
            "commits_cpu_share": self.commits.cpu_s / cpu_s,
            "ticks": self.ticks.times,
            "commits": self.commits.times,
            "longest_tick_s": self.ticks.longest_s,
            "longest_commit_s": self.commits.longest_s,
            "reports": self.reports,
        }
        self.steps, self.ticks, self.commits = Spent(), Spent(), Spent()
        self.reports = 0
        return found

    def _take(self, item: Item | LabelRange) -> None:
        outputs = self.job.aggregator.step(item)
        self.reports += sum(isinstance(output, QualityReport) for output in outputs)
        self._outputs += outputs


class World(NamedTuple):
    """Predictions at an even rate over some minutes; all values follow from their numbers."""

    rows: int
    minutes: int

    def times_ms(self, number: Ints) -> Ints:
        """The panes of predictions."""
        minute = number * self.minutes // self.rows
        return START_MS + minute * MINUTE_MS

    def partial(self, first: int, count: int) -> Partial:
        """The partial of ``count`` predictions."""
        number = np.arange(first, first + count)
        rows = np.zeros(count, PREDICTION)
        score = _shares(number, 1)
        rows["id"], rows["time_ms"], rows["rows"] = _mixed(number, 0), self.times_ms(number), 1
        rows["value"], rows["code"] = score, score > 0.5
        cover = covered_range(
            "p", first, count, int(rows["time_ms"].max()), first_ms=int(rows["time_ms"].min())
        )
        predictions = Predictions(keys=(ModelKey("m", "v"),), rows=rows.tobytes())
        return Partial(
            covers=(cover,),
            layouts={"m": LAYOUT.fingerprint},
            predictions=msgspec.msgpack.encode(predictions),
        )

    def labels(self, number: Ints, first: int, time_ms: int, step_ms: float) -> LabelRange:
        """The range of the labels of some predictions, ``step_ms`` after each other."""
        count = len(number)
        rows = np.zeros(count, LABEL)
        rows["id"], rows["rows"], rows["code"] = _mixed(number, 0), 1, NUMBER
        rows["sequence"] = np.arange(count)
        rows["time_ms"] = time_ms + ((first + np.arange(count)) * step_ms).astype(np.int64)
        rows["value"] = _shares(number, 2) < _shares(number, 1)
        return LabelRange(
            partition="l",
            claim=1,
            first=first,
            next=first + count,
            mark_ms=int(rows["time_ms"][-1]),
            at_end=False,
            read=count,
            rows=rows.tobytes(),
            texts=(),
            positions=list(range(first, first + count)),
            rejected={},
        )


def _mixed(number: Ints, salt: int) -> NDArray[np.uint64]:
    """Return the hash of numbers (SplitMix64)."""
    bits = (number + (salt << 40) + 1).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def _shares(number: Ints, salt: int) -> Floats:
    shares: Floats = (_mixed(number, salt) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return shares


def late(rows: int, labels: int) -> Iterator[tuple[str, dict[str, float]]]:
    """``rows`` predictions wait, 10 million in 30 days; then labels of the last two days come
    shuffled.
    """
    days = max(rows * 3 // 1_000_000, 2)
    world = World(rows, days * 1_440)
    with tempfile.TemporaryDirectory() as name:
        owner = Owner(Path(name))
        owner.begin()
        for first in range(0, rows, PREDICTIONS_AT_ONCE):
            owner.turn(world.partial(first, min(PREDICTIONS_AT_ONCE, rows - first)))
        owner.commit()
        yield "predictions", owner.figures(rows)
        for _ in range(20):
            owner.tick()
        yield "idle", {"tick_ms": owner.ticks.cpu_s / 20 * 1_000}
        owner.figures(0)
        newest = np.arange(rows - rows * 2 // days, rows)
        chosen = np.random.default_rng(1).permutation(newest)[:labels]
        end_ms = int(world.times_ms(np.array([rows]))[0])
        step_ms = 2 * DAY_MS / len(newest)
        for first in range(0, len(chosen), LABELS_AT_ONCE):
            some = chosen[first : first + LABELS_AT_ONCE]
            owner.turn(world.labels(some, first, end_ms, step_ms))
        owner.commit()
        yield "labels", owner.figures(len(chosen))
        state = owner.job.aggregator.state.labels
        ledger = LabelLedger() if state is None else state.ledger
        yield "ledger", {"imbalance": len(ledger.imbalance()), **ledger.labels}
        yield "memory", {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3}
        owner.job.store.close()


def revised(rows: int, windows: int) -> Iterator[tuple[str, dict[str, float]]]:
    """``rows`` predictions in some windows, which are reported in one tick, without labels, and
    then with all of them.
    """
    world = World(rows, windows)
    with tempfile.TemporaryDirectory() as name:
        owner = Owner(Path(name))
        owner.begin()
        for first in range(0, rows, PREDICTIONS_AT_ONCE):
            owner.step(world.partial(first, min(PREDICTIONS_AT_ONCE, rows - first)))
        owner.step(world.partial(rows, 1))
        yield "awaiting", _reported(owner)
        shuffled = np.random.default_rng(1).permutation(rows)
        for first in range(0, rows, LABELS_AT_ONCE):
            some = shuffled[first : first + LABELS_AT_ONCE]
            owner.step(world.labels(some, first, START_MS + DAY_MS, 0))
        yield "judged", _reported(owner)
        owner.job.store.close()


def _reported(owner: Owner) -> dict[str, float]:
    """What one tick and its commit take."""
    owner.figures(1)
    owner.tick()
    owner.commit()
    return {
        "reports": owner.reports,
        "tick_s": owner.ticks.wall_s,
        "tick_cpu_s": owner.ticks.cpu_s,
        "commit_s": owner.commits.wall_s,
        "commit_cpu_s": owner.commits.cpu_s,
    }


def main(leg: str, rows: str, number: str) -> None:
    """Print the figures of a leg in JSON, by part and name."""
    parts = {"late": late, "revised": revised}[leg](int(rows), int(number))
    figures = {f"{part} {name}": value for part, found in parts for name, value in found.items()}
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
