"""Reader processes die, hang and meet deadly records: the counts stay the producer's own."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from stream.config.load import parse
from stream.errors import SourceUnavailable
from stream.readers.pool import ReaderPool
from stream.service import service
from tests.servers import deadly
from tests.servers.service import RunningService, newest
from tests.support import events, jobs
from tests.support.jobs import MINUTE_MS, PER_S, START_MS

WINDOW_MS, FILES = MINUTE_MS, 3
DEADLY = 4_500


def config(baseline: Path, **changes: Any) -> dict[str, Any]:
    source = {"type": "jsonl", "path": [f"{k}.jsonl" for k in range(FILES)]}
    usual = {"source": source, "readers": 2, "grace": "5s", "lateness": "1d", "http": {"port": 0}}
    return jobs.config(baseline, **{**usual, **changes})


def lines_of(count: int) -> list[bytes]:
    return events.capture_lines(events.values(count, 3), start_ms=START_MS, events_a_second=PER_S)


def deal(folder: Path, lines: list[bytes], mode: str = "wb") -> None:
    """Line ``k`` goes to file ``k`` modulo three."""
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(FILES):
        with (folder / f"{k}.jsonl").open(mode) as file:
            file.writelines(line + b"\n" for line in lines[k::FILES])


def rows(running: RunningService) -> dict[int, int]:
    return {end: report.rows for (_, end), report in newest(running.reports()).items()}


def expected(count: int) -> dict[int, int]:
    return dict(
        Counter(
            (START_MS + k * 1000 // PER_S) // WINDOW_MS * WINDOW_MS + WINDOW_MS
            for k in range(count)
        )
    )


def marked(lines: list[bytes]) -> list[bytes]:
    """The middle line kills the readers in ``deadly``."""
    middle = lines[DEADLY]
    return [*lines[:DEADLY], middle[:-1] + b',"x":"' + deadly.MARK + b'"}', *lines[DEADLY + 1 :]]


def all_but_the_deadly_one() -> dict[int, int]:
    counts = expected(9_000)
    counts[(START_MS + DEADLY * 1000 // PER_S) // WINDOW_MS * WINDOW_MS + WINDOW_MS] -= 1
    return counts


def test_two_readers_count_what_one_counts(tmp_path: Path, baseline: Path) -> None:
    ids = []
    for readers in (1, 2):
        folder = tmp_path / str(readers)
        deal(folder, lines_of(20_000))
        with RunningService(folder, config(baseline, readers=readers)) as running:
            assert running.wait() == 0, running.log
        assert rows(running) == expected(20_000)
        ids.append({report.id: (report.rows, report.state) for report in running.reports()})
    assert ids[0] == ids[1]


@pytest.mark.slow
def test_killed_readers_and_services_lose_nothing_and_make_no_dead_letter(
    tmp_path: Path, baseline: Path
) -> None:
    lines, random = lines_of(30_000), Random(4)
    deal(tmp_path, [])
    source = {"type": "jsonl", "path": [f"{k}.jsonl" for k in range(FILES)], "follow": True}
    settings = config(baseline, source=source, idle="300s")
    del settings["http"]  # a port that is known: the test asks for metrics
    with RunningService(tmp_path, settings) as running:
        for k in range(20):
            deal(tmp_path, lines[k * 1_500 : (k + 1) * 1_500], "ab")
            time.sleep(random.uniform(0.2, 1.2))
            if k % 5 == 4:
                running.kill9()
                running.start()
            elif alive := running.readers():
                os.kill(random.choice(alive), signal.SIGKILL)
        last = max(expected(30_000)) - WINDOW_MS - 5_000
        running.until(lambda: max(rows(running), default=0) >= last and running.accepted() > 0, 90)
        assert running.stop() == 0
    assert not (tmp_path / "dead-letters.jsonl").exists()
    with RunningService(tmp_path, config(baseline)) as running:  # now to the end
        assert running.wait() == 0, running.log
    assert rows(running) == expected(30_000)
    assert running.readers() == []


@pytest.mark.slow
def test_a_reader_that_hangs_is_replaced_and_nothing_is_lost(
    tmp_path: Path, baseline: Path
) -> None:
    lines = lines_of(9_000)
    deal(tmp_path, lines[:3_000])
    source = {"type": "jsonl", "path": [f"{k}.jsonl" for k in range(FILES)], "follow": True}
    running = RunningService(tmp_path, {**config(baseline, source=source, idle="300s")})
    with running:
        running.until(lambda: len(running.readers()) == 2 and bool(rows(running)))
        stopped = running.readers()[0]
        os.kill(stopped, signal.SIGSTOP)
        deal(tmp_path, lines[3_000:], "ab")
        last = max(expected(9_000)) - WINDOW_MS - 5_000
        running.until(lambda: max(rows(running), default=0) >= last, 90)
        assert not Path(f"/proc/{stopped}").exists()
        assert running.stop() == 0
    with RunningService(tmp_path, config(baseline)) as running:
        assert running.wait() == 0, running.log
    assert rows(running) == expected(9_000)


@pytest.mark.slow
def test_a_record_that_kills_its_reader_is_one_dead_letter_and_everything_else_counts(
    tmp_path: Path, baseline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault is planted: the reader process kills itself when it decodes a marked record."""
    deal(tmp_path, marked(lines_of(9_000)))
    monkeypatch.setattr(ReaderPool.__init__, "__defaults__", (deadly.serve,))
    began = time.monotonic()
    assert service.Service(parse(config(baseline), tmp_path)).run() == 0
    took_s = time.monotonic() - began
    letters = (tmp_path / "dead-letters.jsonl").read_text().splitlines()
    assert len(letters) == 1
    assert '"reason":"crashes_reader"' in letters[0]
    assert rows(RunningService(tmp_path, {})) == all_but_the_deadly_one()
    assert took_s < 60


@pytest.mark.slow
def test_a_record_that_its_source_dies_of_ends_the_service_which_names_it_and_goes_on_when_it_is_gone(
    tmp_path: Path, baseline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No reader ever holds it, so none can pass over it."""
    deal(tmp_path, marked(lines_of(9_000)))
    path = tmp_path / "0.jsonl"
    line = next(line for line in path.read_bytes().splitlines() if deadly.MARK in line)
    at = path.read_bytes().index(line)
    settings = parse(config(baseline), tmp_path)
    monkeypatch.setattr(ReaderPool.__init__, "__defaults__", (deadly.serve_unread,))
    began = time.monotonic()
    with pytest.raises(SourceUnavailable, match="delete that record from the source") as caught:
        service.Service(settings).run()
    assert time.monotonic() - began < 90
    assert caught.value.exit_code == 3
    assert caught.value.causes == (
        f"readers die whenever they ask for the next record of {path}, at ('0.jsonl', {at})",
    )
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b" " * len(line))
    assert service.Service(settings).run() == 0
    assert rows(RunningService(tmp_path, {})) == all_but_the_deadly_one()
    assert not (tmp_path / "dead-letters.jsonl").exists()


@pytest.mark.slow
def test_a_source_that_dies_of_many_records_at_once_is_asked_for_few(
    tmp_path: Path, baseline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal(tmp_path, lines_of(9_000))
    monkeypatch.setattr(ReaderPool.__init__, "__defaults__", (deadly.serve_greedy,))
    assert service.Service(parse(config(baseline), tmp_path)).run() == 0
    assert rows(RunningService(tmp_path, {})) == expected(9_000)
    assert not (tmp_path / "dead-letters.jsonl").exists()


@pytest.mark.slow
def test_events_that_come_twice_count_once_also_over_kills(tmp_path: Path, baseline: Path) -> None:
    """Each event is written twice to its file, the second time some hundred lines later."""
    lines = lines_of(9_000)
    files = [lines[k::FILES] for k in range(FILES)]
    for k, mine in enumerate(files):
        twice = [
            line for start in range(0, len(mine), 300) for line in mine[start : start + 300] * 2
        ]
        (tmp_path / f"{k}.jsonl").write_bytes(b"".join(line + b"\n" for line in twice))
    follow = {"type": "jsonl", "path": [f"{k}.jsonl" for k in range(FILES)], "follow": True}
    settings = config(baseline, dedupe={"by": "event_id", "horizon": "2m"})
    with RunningService(tmp_path, {**settings, "source": follow, "idle": "300s"}) as running:
        running.until(lambda: bool(rows(running)))
        running.kill9()
    with RunningService(tmp_path, settings) as running:
        assert running.wait() == 0, running.log
    assert rows(running) == expected(9_000)
