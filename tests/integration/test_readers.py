"""Reader processes crash, hang and read poison records; the counts equal those of the producer."""

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
from stream.service.service import Service
from tests.servers import poison
from tests.servers.service import RunningService, newest
from tests.support import events, jobs
from tests.support.jobs import MINUTE_MS, PER_S, START_MS

WINDOW_MS = MINUTE_MS
FILES = 3
EVENTS_PER_S = PER_S
GRACE_MS = 5_000
POISON = 4_500
"""The number of the poison record."""


def config(baseline: Path, **changes: Any) -> dict[str, Any]:
    source = {"type": "jsonl", "path": [f"{k}.jsonl" for k in range(FILES)]}
    defaults = {
        "source": source,
        "readers": 2,
        "grace": "5s",
        "lateness": "1d",
        "http": {"port": 0},
    }
    return jobs.config(baseline, **{**defaults, **changes})


def lines_of(count: int) -> list[bytes]:
    return events.capture_lines(
        events.values(count, 3), start_ms=START_MS, events_a_second=EVENTS_PER_S
    )


def distribute(folder: Path, lines: list[bytes], mode: str = "wb") -> None:
    """Write line ``k`` to file ``k`` modulo three."""
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(FILES):
        with (folder / f"{k}.jsonl").open(mode) as file:
            file.writelines(line + b"\n" for line in lines[k::FILES])


def rows(running: RunningService) -> dict[int, int]:
    return {end_ms: report.rows for (_, end_ms), report in newest(running.reports()).items()}


def window_end(k: int) -> int:
    """The end of the window of event ``k``."""
    return (START_MS + k * 1000 // EVENTS_PER_S) // WINDOW_MS * WINDOW_MS + WINDOW_MS


def expected(count: int) -> dict[int, int]:
    return dict(Counter(map(window_end, range(count))))


def expected_without_the_poison_record() -> dict[int, int]:
    counts = expected(9_000)
    counts[window_end(POISON)] -= 1
    return counts


def marked(lines: list[bytes]) -> list[bytes]:
    """Mark the middle line so that it crashes the readers of :mod:`tests.servers.poison`."""
    record = lines[POISON][:-1] + b',"x":"' + poison.MARK + b'"}'
    return [*lines[:POISON], record, *lines[POISON + 1 :]]


def following() -> dict[str, Any]:
    """The source of the same files, followed: it waits for more lines."""
    return {"type": "jsonl", "path": [f"{k}.jsonl" for k in range(FILES)], "follow": True}


def has_closed_all_but_the_last(running: RunningService, count: int) -> bool:
    last = max(expected(count)) - WINDOW_MS - GRACE_MS
    return max(rows(running), default=0) >= last


def test_two_readers_count_what_one_reader_counts(tmp_path: Path, baseline: Path) -> None:
    reports = []
    for readers in (1, 2):
        folder = tmp_path / str(readers)
        distribute(folder, lines_of(20_000))
        with RunningService(folder, config(baseline, readers=readers)) as running:
            assert running.wait() == 0, running.log
        assert rows(running) == expected(20_000)
        reports.append({report.id: (report.rows, report.state) for report in running.reports()})
    assert reports[0] == reports[1]


@pytest.mark.slow
def test_killed_readers_and_services_lose_nothing_and_make_no_dead_letter(
    tmp_path: Path, baseline: Path
) -> None:
    lines = lines_of(30_000)
    random = Random(4)
    distribute(tmp_path, [])
    settings = config(baseline, source=following(), idle="300s")
    del settings["http"]  # the test reads metrics from a known port
    with RunningService(tmp_path, settings) as running:
        for k in range(20):
            distribute(tmp_path, lines[k * 1_500 : (k + 1) * 1_500], "ab")
            time.sleep(random.uniform(0.2, 1.2))
            if k % 5 == 4:
                running.kill9()
                running.start()
            elif alive := running.readers():
                os.kill(random.choice(alive), signal.SIGKILL)
        running.until(
            lambda: has_closed_all_but_the_last(running, 30_000) and running.accepted() > 0, 90
        )
        assert running.stop() == 0
    assert not (tmp_path / "dead-letters.jsonl").exists()
    with RunningService(tmp_path, config(baseline)) as running:  # this run reads to the end
        assert running.wait() == 0, running.log
    assert rows(running) == expected(30_000)
    assert running.readers() == []


@pytest.mark.slow
def test_a_reader_that_hangs_is_replaced_and_nothing_is_lost(
    tmp_path: Path, baseline: Path
) -> None:
    lines = lines_of(9_000)
    distribute(tmp_path, lines[:3_000])
    with RunningService(tmp_path, config(baseline, source=following(), idle="300s")) as running:
        running.until(lambda: len(running.readers()) == 2 and bool(rows(running)))
        stopped = running.readers()[0]
        os.kill(stopped, signal.SIGSTOP)
        distribute(tmp_path, lines[3_000:], "ab")
        running.until(lambda: has_closed_all_but_the_last(running, 9_000), 90)
        assert not Path(f"/proc/{stopped}").exists()
        assert running.stop() == 0
    with RunningService(tmp_path, config(baseline)) as running:
        assert running.wait() == 0, running.log
    assert rows(running) == expected(9_000)


@pytest.mark.slow
def test_a_poison_record_becomes_one_dead_letter_and_everything_else_counts(
    tmp_path: Path, baseline: Path
) -> None:
    """A planted fault: the reader process kills itself when it decodes a marked record."""
    distribute(tmp_path, marked(lines_of(9_000)))
    started_s = time.monotonic()
    assert Service(parse(config(baseline), tmp_path), serve=poison.serve).run() == 0
    elapsed_s = time.monotonic() - started_s
    letters = (tmp_path / "dead-letters.jsonl").read_text().splitlines()
    assert len(letters) == 1
    assert '"reason":"crashes_reader"' in letters[0]
    assert rows(RunningService(tmp_path, {})) == expected_without_the_poison_record()
    assert elapsed_s < 60


@pytest.mark.slow
def test_a_record_that_crashes_its_source_stops_the_service_until_it_is_removed(
    tmp_path: Path, baseline: Path
) -> None:
    """No reader ever receives the record, so it cannot be skipped; the error names its position."""
    distribute(tmp_path, marked(lines_of(9_000)))
    path = tmp_path / "0.jsonl"
    line = next(line for line in path.read_bytes().splitlines() if poison.MARK in line)
    offset = path.read_bytes().index(line)
    settings = parse(config(baseline), tmp_path)
    started_s = time.monotonic()
    with pytest.raises(SourceUnavailable, match="delete that record from the source") as error:
        Service(settings, serve=poison.serve_unread).run()
    assert time.monotonic() - started_s < 90
    assert error.value.exit_code == 3
    assert error.value.causes == (
        f"readers crash whenever they fetch the next record of {path}, at ('0.jsonl', {offset})",
    )
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b" " * len(line))
    assert Service(settings, serve=poison.serve_unread).run() == 0
    assert rows(RunningService(tmp_path, {})) == expected_without_the_poison_record()
    assert not (tmp_path / "dead-letters.jsonl").exists()


@pytest.mark.slow
def test_a_source_that_crashes_on_large_batches_is_asked_for_small_ones(
    tmp_path: Path, baseline: Path
) -> None:
    distribute(tmp_path, lines_of(9_000))
    assert Service(parse(config(baseline), tmp_path), serve=poison.serve_greedy).run() == 0
    assert rows(RunningService(tmp_path, {})) == expected(9_000)
    assert not (tmp_path / "dead-letters.jsonl").exists()


@pytest.mark.slow
def test_repeated_events_count_once_also_across_a_crash(tmp_path: Path, baseline: Path) -> None:
    """Each event is written twice to its file, the second time 300 lines later."""
    lines = lines_of(9_000)
    for k in range(FILES):
        once = lines[k::FILES]
        blocks = [once[start : start + 300] for start in range(0, len(once), 300)]
        twice = [line for block in blocks for line in block * 2]
        (tmp_path / f"{k}.jsonl").write_bytes(b"".join(line + b"\n" for line in twice))
    settings = config(baseline, dedupe={"by": "event_id", "horizon": "2m"})
    with RunningService(tmp_path, {**settings, "source": following(), "idle": "300s"}) as running:
        running.until(lambda: bool(rows(running)))
        running.kill9()
    with RunningService(tmp_path, settings) as running:
        assert running.wait() == 0, running.log
    assert rows(running) == expected(9_000)
