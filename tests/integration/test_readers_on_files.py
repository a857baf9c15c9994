"""Reader processes on files: killed, stopped, out of memory, or dying of a record. The producer's own counts are the truth."""

from __future__ import annotations

import os
import resource
import signal
import time
from pathlib import Path
from random import Random

import pytest

from stream.fleet import SILENT_S
from tests.integration import deadly
from tests.integration.captures import PER_WINDOW, append, config, learn, letters, lines_of, rows
from tests.parts.processes import address_space, gone, readers
from tests.parts.service import RunningService

READER_KILLS, OWNER_KILLS = 10, 5


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return learn(tmp_path_factory.mktemp("training"))


def a_reader(service: RunningService, random: Random) -> int:
    """One of the two, as soon as both run."""
    service.until(lambda: len(readers(service.pid)) == 2)
    return random.choice(readers(service.pid))


@pytest.mark.slow
def test_kills_of_readers_and_of_their_owner_lose_nothing_and_count_nothing_twice(baseline: Path, tmp_path: Path) -> None:
    windows, random = 15, Random(4)
    lines = lines_of(windows + 1)
    whens = sorted(["reader"] * READER_KILLS + ["owner"] * OWNER_KILLS, key=lambda _: random.random())
    piece = len(lines) // len(whens)
    append(tmp_path, [])
    with RunningService(tmp_path, config(baseline, readers=2)) as service:
        orphans = []
        for k, who in enumerate(whens):
            append(tmp_path, lines[k * piece : (k + 1) * piece], k * piece)
            victim = a_reader(service, random)
            time.sleep(random.uniform(0.0, 1.5))
            if who == "reader":
                os.kill(victim, signal.SIGKILL)
            else:
                orphans += readers(service.pid)
                service.kill9()
                service.start()
        append(tmp_path, lines[len(whens) * piece :], len(whens) * piece)
        service.until(lambda: service.accepted() == len(lines), 120)
        service.until(lambda: len(rows(service)) >= windows)
        assert service.metric("driftline_ledger_imbalance") == 0
        assert gone(orphans), "readers end with their owner"
        assert service.stop() == 0
    told = rows(service)
    assert {k: told[k] for k in range(1, windows + 1)} == dict.fromkeys(range(1, windows + 1), PER_WINDOW)
    assert letters(tmp_path) == [], "a death by chance is no record's fault"


@pytest.mark.slow
def test_a_reader_that_hangs_is_replaced(baseline: Path, tmp_path: Path) -> None:
    lines = lines_of(3)
    append(tmp_path, lines[:PER_WINDOW])
    with RunningService(tmp_path, config(baseline, readers=2)) as service:
        service.until(lambda: service.accepted() == PER_WINDOW)
        victim = a_reader(service, Random(1))
        os.kill(victim, signal.SIGSTOP)
        began = time.monotonic()
        append(tmp_path, lines[PER_WINDOW:], PER_WINDOW)
        service.until(lambda: service.metric("driftline_readers_replaced_total", reason="killed") == 1)
        assert SILENT_S - 2 < time.monotonic() - began < SILENT_S + 15
        assert gone([victim])
        service.until(lambda: service.accepted() == len(lines))
        assert service.metric("driftline_ledger_imbalance") == 0
        assert service.stop() == 0
    assert letters(tmp_path) == []


def test_a_reader_without_memory_is_replaced_and_its_record_read_by_another(baseline: Path, tmp_path: Path) -> None:
    lines = lines_of(2)
    append(tmp_path, lines[:PER_WINDOW])
    with RunningService(tmp_path, config(baseline, readers=2)) as service:
        service.until(lambda: service.accepted() == PER_WINDOW)
        for pid in readers(service.pid):
            room = address_space(pid) + (32 << 20)
            resource.prlimit(pid, resource.RLIMIT_AS, (room, room))
        with (tmp_path / "a.jsonl").open("ab") as file:
            file.write(b'{"' + b"x" * (40 << 20) + b"\n")
        service.until(lambda: service.metric("driftline_readers_replaced_total") >= 1)
        append(tmp_path, lines[PER_WINDOW:], PER_WINDOW)
        service.until(lambda: service.accepted() == len(lines))
        service.until(lambda: len(letters(tmp_path)) == 1)
        assert service.metric("driftline_ledger_imbalance") == 0
        assert service.stop() == 0
    [letter] = letters(tmp_path)
    assert (letter["reason"], letter["length"]) == ("undecodable", (40 << 20) + 2)


@pytest.mark.slow
@pytest.mark.parametrize("places", [[4_000], [4_000, 3_100]], ids=["one", "two in different files"])
def test_a_record_that_kills_its_readers_ends_as_one_dead_letter(tmp_path: Path, places: list[int]) -> None:
    told = deadly.lived(tmp_path, places)
    assert told["exit_code"] == 0
    assert told["dead_letters"] == {"kills_reader": len(places)}
    assert told["lengths"] == [len(deadly.MARK) + 18] * len(places)
    assert told["rows_reported"] == told["rows_sent"]
    assert float(str(told["seconds"])) < 180
