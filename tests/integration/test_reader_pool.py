"""The owner's end of real reader processes, without the service: who is replaced, after pauses too,
and when it gives up."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stream.baselining.build import load_baseline
from stream.config.load import parse
from stream.errors import SourceUnavailable
from stream.events import Assign, Partial
from stream.readers import pool as fleet
from stream.readers.pool import ReaderPool
from stream.telemetry.log_setup import LogSetup
from tests.support.jobs import config, learn

SILENT_S = 3.0


@pytest.fixture
def replaced() -> list[str]:
    return []


@pytest.fixture
def running(
    tmp_path: Path, replaced: list[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[ReaderPool]:
    """Two readers, which follow a file each."""
    monkeypatch.setattr(fleet, "SILENT_S", SILENT_S)
    baseline = learn(tmp_path)
    for name in "ab":
        (tmp_path / f"{name}.jsonl").touch()
    source = {"type": "jsonl", "path": ["a.jsonl", "b.jsonl"], "follow": True}
    settings = parse(config(baseline, job="fleet", source=source, readers=2), tmp_path)
    reading = settings.source.open("fleet")
    one = ReaderPool(
        settings, reading, LogSetup("error"), lambda took_s, covers: None, replaced.append
    )
    one.use({"m": load_baseline(baseline)})
    one.assign([Assign(1, found.partition, found.start, None) for found in reading.discover()])
    read_until(one, lambda: all(reader.opened for reader in one.readers), 60)
    yield one
    one.close()


def read_until(one: ReaderPool, condition: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        one.read(0.1)


@pytest.mark.slow
def test_after_a_pause_nobody_is_replaced_but_who_hangs(
    running: ReaderPool, replaced: list[str]
) -> None:
    stays, hangs = running.readers
    time.sleep(2 * SILENT_S)
    for _ in range(30):
        running.read(0.1)
    assert (running.readers, replaced) == ([stays, hangs], [])
    os.kill(hangs.pid, signal.SIGSTOP)
    time.sleep(2 * SILENT_S)
    read_until(running, lambda: bool(replaced), 2 * SILENT_S)
    read_until(running, lambda: len(running.readers) == 2, 10)
    assert replaced == ["killed"]
    assert stays in running.readers
    assert hangs not in running.readers


@pytest.mark.slow
def test_a_reader_that_died_in_a_pause_is_replaced_at_once_after_it(
    running: ReaderPool, replaced: list[str]
) -> None:
    dead, stays = running.readers
    os.kill(dead.pid, signal.SIGKILL)
    time.sleep(2 * SILENT_S)
    running.read(0.0)
    assert replaced == ["killed"]
    assert dead not in running.readers
    assert stays in running.readers


@pytest.mark.slow
def test_an_owner_that_was_stopped_itself_blames_nobody(
    running: ReaderPool, replaced: list[str]
) -> None:
    """A suspended machine, SIGSTOP: for a minute nobody listened, and nobody looked."""
    running._looked_s -= 60
    for reader in running.readers:
        reader.heard_s -= 60
    for _ in range(10):
        running.read(0.1)
    assert replaced == []


@pytest.mark.slow
@pytest.mark.parametrize("hangs", [False, True])
def test_readers_that_die_before_their_source_gives_anything_end_the_job_unless_they_hung(
    running: ReaderPool, hangs: bool
) -> None:
    """A client that hangs while its broker is away is no record that kills; the broker comes back."""
    dead: Any = SimpleNamespace(began=[], asked={"a.jsonl": ("a.jsonl", 7)}, hangs=hangs)
    ends = (
        nullcontext()
        if hangs
        else pytest.raises(
            SourceUnavailable, match=r"the next record of a.jsonl, at \('a.jsonl', 7\)"
        )
    )
    with ends:
        for _ in range(20):
            running._suspect(dead)


@pytest.mark.slow
def test_a_new_reader_that_is_refused_ends_the_job(running: ReaderPool, tmp_path: Path) -> None:
    """Waiting heals no missing right and no missing file: the service says so and ends, instead of
    starting readers for ever."""
    for name in "ab":
        (tmp_path / f"{name}.jsonl").unlink()
    os.kill(running.readers[0].pid, signal.SIGKILL)
    with pytest.raises(SourceUnavailable, match=r"correct source\.path"):
        read_until(running, lambda: False, 30)


def test_once_the_culprit_is_found_every_reader_counts_as_many_records_as_ever(
    running: ReaderPool, tmp_path: Path
) -> None:
    """Both partitions were suspected; the record at the head of one of them is passed over. The
    other reader must be told too."""
    line, found, most = b'{"x":1}\n', running._reading.discover(), dict[str, int]()
    (a, start), (b, _) = ((one.partition, one.start) for one in found)
    for _ in range(3):
        running._suspects.died([(a, start)])
        running._suspects.died([(b, found[1].start)])
    for _ in range(3):
        running._suspects.died([(a, ("a.jsonl", 0))])
    for name in "ab":
        (tmp_path / f"{name}.jsonl").write_bytes(line * 300)
    running.assign([Assign(1, one.partition, one.start, None) for one in found])
    read_until(running, lambda: not running._suspects.step([a, b]), 30.0)
    with (tmp_path / "b.jsonl").open("ab") as file:
        file.write(line * 20_000)

    deadline = time.monotonic() + 30.0
    while most.get(b, 0) <= 1_000:
        assert time.monotonic() < deadline, most
        covers = [
            cover
            for item in running.read(0.1)
            if isinstance(item, Partial)
            for cover in item.covers
        ]
        most.update({one.partition: max(one.read, most.get(one.partition, 0)) for one in covers})
