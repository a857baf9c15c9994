"""Real reader processes and their owner, without the service: which readers are replaced, and when
the owner gives up.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

from detectors.profiles.baseline import Baseline
from stream.baselining.build import load_baseline
from stream.config.load import parse
from stream.errors import SourceUnavailable
from stream.events import Assign, Partial
from stream.labels.rows import PREDICTION, Predictions
from stream.readers import pool as pools
from stream.readers.base import Readers
from stream.readers.in_process import InProcessReader
from stream.readers.pool import ReaderPool
from stream.sources.base import Reading
from stream.telemetry.log_setup import LogSetup
from tests.support.jobs import config, learn, lines_of

SILENT_S = 3.0


@pytest.fixture
def replaced() -> list[str]:
    """The reasons for which readers were replaced, in order."""
    return []


@pytest.fixture
def pool(
    tmp_path: Path, replaced: list[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[ReaderPool]:
    """Two readers, each of which follows a file."""
    monkeypatch.setattr(pools, "SILENT_S", SILENT_S)
    baseline = learn(tmp_path)
    for name in "ab":
        (tmp_path / f"{name}.jsonl").touch()
    source = {"type": "jsonl", "path": ["a.jsonl", "b.jsonl"], "follow": True}
    settings = parse(config(baseline, job="pool", source=source, readers=2), tmp_path)
    reading = settings.source.open("pool")
    started = ReaderPool(
        config=settings,
        reading=reading,
        logs=LogSetup("error"),
        on_counted=lambda took_s, covers: None,
        on_replaced=replaced.append,
    )
    started.use({"m": load_baseline(baseline)})
    started.assign(assigns_of(started))
    read_until(started, lambda: all(reader.opened for reader in started.readers), 60)
    yield started
    started.close()


def assigns_of(pool: ReaderPool) -> list[Assign]:
    """Assignments of all partitions from their starts."""
    return [
        Assign(claim=1, partition=discovered.partition, next=discovered.start, mark_ms=None)
        for discovered in pool._reading.discover()
    ]


def read_until(pool: ReaderPool, condition: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        pool.read(0.1)


@pytest.mark.slow
def test_after_a_pause_of_the_owner_only_a_reader_that_hangs_is_replaced(
    pool: ReaderPool, replaced: list[str]
) -> None:
    healthy, hanging = pool.readers
    time.sleep(2 * SILENT_S)
    for _ in range(30):
        pool.read(0.1)
    assert (pool.readers, replaced) == ([healthy, hanging], [])
    os.kill(hanging.pid, signal.SIGSTOP)
    time.sleep(2 * SILENT_S)
    read_until(pool, lambda: bool(replaced), 2 * SILENT_S)
    read_until(pool, lambda: len(pool.readers) == 2, 10)
    assert replaced == ["killed"]
    assert healthy in pool.readers
    assert hanging not in pool.readers


@pytest.mark.slow
def test_a_reader_that_died_during_a_pause_is_replaced_right_after_it(
    pool: ReaderPool, replaced: list[str]
) -> None:
    dead, healthy = pool.readers
    os.kill(dead.pid, signal.SIGKILL)
    time.sleep(2 * SILENT_S)
    pool.read(0.0)
    assert replaced == ["killed"]
    assert dead not in pool.readers
    assert healthy in pool.readers


@pytest.mark.slow
def test_an_owner_that_was_suspended_itself_replaces_no_reader(
    pool: ReaderPool, replaced: list[str]
) -> None:
    """A suspended machine, or SIGSTOP: no message was received for a minute."""
    pool._checked_s -= 60
    for reader in pool.readers:
        reader.last_message_s -= 60
    for _ in range(10):
        pool.read(0.1)
    assert replaced == []


@pytest.mark.slow
@pytest.mark.parametrize("hung", [False, True])
def test_readers_that_die_while_fetching_stop_the_job_unless_they_hung(
    pool: ReaderPool, hung: bool
) -> None:
    """A client that hangs while its broker is down has no poison record; the broker will return."""
    dead: Any = SimpleNamespace(decoding=[], fetching={"a.jsonl": ("a.jsonl", 7)}, hung=hung)
    message = r"the next record of a.jsonl, at \('a.jsonl', 7\)"
    with nullcontext() if hung else pytest.raises(SourceUnavailable, match=message):
        for _ in range(20):
            pool._note_crash(dead)


@pytest.mark.slow
def test_a_new_reader_that_meets_a_permanent_error_stops_the_job(
    pool: ReaderPool, tmp_path: Path
) -> None:
    """Waiting restores no missing permission or file, so no further reader is started."""
    for name in "ab":
        (tmp_path / f"{name}.jsonl").unlink()
    os.kill(pool.readers[0].pid, signal.SIGKILL)
    with pytest.raises(SourceUnavailable, match=r"correct source\.path"):
        read_until(pool, lambda: False, 30)


def test_all_readers_count_full_batches_again_once_the_poison_record_is_skipped(
    pool: ReaderPool, tmp_path: Path
) -> None:
    """Both partitions were suspects; the record at the start of one of them is skipped. The reader
    of the other partition must be relaxed too.
    """
    line = b'{"x":1}\n'
    assigns = assigns_of(pool)
    first, second = ((assign.partition, assign.next) for assign in assigns)
    partitions = [first[0], second[0]]
    for _ in range(3):
        pool._search.crashed_decoding([first])
        pool._search.crashed_decoding([second])
    for _ in range(3):
        pool._search.crashed_decoding([(first[0], ("a.jsonl", 0))])
    for name in "ab":
        (tmp_path / f"{name}.jsonl").write_bytes(line * 300)
    pool.assign(assigns)
    read_until(pool, lambda: not pool._search.max_records(partitions), 30.0)
    with (tmp_path / "b.jsonl").open("ab") as file:
        file.write(line * 20_000)

    largest = 0
    deadline = time.monotonic() + 30.0
    while largest <= 1_000:
        assert time.monotonic() < deadline, largest
        partials = [item for item in pool.read(0.1) if isinstance(item, Partial)]
        covers = [cover for partial in partials for cover in partial.covers]
        sizes = [cover.read for cover in covers if cover.partition == second[0]]
        largest = max([largest, *sizes])


def test_reader_processes_collect_the_same_predictions_as_a_reader_in_this_one(
    tmp_path: Path,
) -> None:
    baseline = learn(tmp_path)
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines_of(3)) + b"\n")
    (tmp_path / "labels.jsonl").touch()
    labels = {
        "source": {"type": "jsonl", "path": "labels.jsonl"},
        "format": {"type": "json"},
        "sample": 0.5,
    }
    quality = {"problem": "multiclass", "prediction": "plan", "probability": "score"}
    settings = parse(
        config(
            baseline,
            source={"type": "jsonl", "path": "a.jsonl"},
            models={"m": {"baseline": str(baseline), "quality": quality}},
            labels=labels,
            readers=2,
        ),
        tmp_path,
    )
    baselines = {"m": load_baseline(baseline)}
    reading = settings.source.open("pool")
    in_process = InProcessReader(settings, reading, lambda took_s, covers: None)
    processes = ReaderPool(
        config=settings,
        reading=settings.source.open("pool"),
        logs=LogSetup("error"),
        on_counted=lambda took_s, covers: None,
        on_replaced=lambda reason: None,
    )
    try:
        found = [predictions_of(readers, reading, baselines) for readers in (in_process, processes)]
    finally:
        processes.close()
        reading.close()
    assert found[0] == found[1]
    assert found[0][0] > 100


def predictions_of(
    readers: Readers, reading: Reading, baselines: dict[str, Baseline]
) -> tuple[int, Counter[object], Counter[str]]:
    """The number of predicted rows, the rows with their classes, and the events left out."""
    readers.use(baselines)
    readers.assign(
        [
            Assign(claim=1, partition=discovered.partition, next=discovered.start, mark_ms=None)
            for discovered in reading.discover()
        ]
    )
    rows: Counter[object] = Counter()
    untaken: Counter[str] = Counter()
    deadline = time.monotonic() + 60
    while not readers.finished:
        assert time.monotonic() < deadline
        for partial in readers.read(0.1):
            if isinstance(partial, Partial) and partial.predictions:
                found = msgspec.msgpack.decode(partial.predictions, type=Predictions)
                untaken.update(found.untaken)
                for id_, time_ms, key, _, _, code, value in np.frombuffer(
                    found.rows, PREDICTION
                ).tolist():
                    rows[id_, time_ms, found.keys[key], found.classes[code], value] += 1
    return rows.total(), rows, untaken
