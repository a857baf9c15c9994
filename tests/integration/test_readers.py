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
from structlog.testing import capture_logs
from structlog.typing import EventDict

from stream.config.load import parse
from stream.errors import SourceUnavailable
from stream.service.service import Service
from tests.servers import poison
from tests.servers.service import RunningService
from tests.support import jobs
from tests.support.jobs import PER_WINDOW, append, lines_of, rows

POISON = 4_500
"""The number of the poison record."""
TO_THE_END: dict[str, Any] = {"type": "jsonl", "path": ["a.jsonl", "b.jsonl", "c.jsonl"]}
"""The files of the plain job, read to their end."""
FOLLOWED = {**TO_THE_END, "follow": True}


def config(baseline: Path, **changes: Any) -> dict[str, Any]:
    """The plain job with two readers, which read its files to their end."""
    two_readers = {"readers": 2, "grace": "5s", "lateness": "1d", "http": {"port": 0}}
    return jobs.config(baseline, **{"source": TO_THE_END, **two_readers, **changes})


def first_lines(count: int) -> list[bytes]:
    return lines_of(-(-count // PER_WINDOW))[:count]


def expected(count: int) -> dict[int, int]:
    """Rows of each window, by its number, of the first ``count`` lines."""
    return dict(Counter(k // PER_WINDOW + 1 for k in range(count)))


def expected_without_the_poison_record() -> dict[int, int]:
    counts = expected(9_000)
    counts[POISON // PER_WINDOW + 1] -= 1
    return counts


def marked(lines: list[bytes]) -> list[bytes]:
    """Mark the middle line so that it crashes the readers of :mod:`tests.servers.poison`."""
    record = lines[POISON][:-1] + b',"x":"' + poison.MARK + b'"}'
    return [*lines[:POISON], record, *lines[POISON + 1 :]]


def crashes(logged: list[EventDict]) -> int:
    """How many readers were replaced."""
    return [line["event"] for line in logged].count("reader_replaced")


def has_closed_all_but_the_last(running: RunningService, count: int) -> bool:
    return max(rows(running), default=0) >= max(expected(count)) - 1


def test_two_readers_count_what_one_reader_counts(tmp_path: Path, baseline: Path) -> None:
    reports = []
    for readers in (1, 2):
        folder = tmp_path / str(readers)
        append(folder, first_lines(20_000))
        with RunningService(folder, config(baseline, readers=readers)) as running:
            assert running.wait() == 0, running.log
        assert rows(running) == expected(20_000)
        reports.append({report.id: (report.rows, report.state) for report in running.reports()})
    assert reports[0] == reports[1]


@pytest.mark.slow
def test_killed_readers_and_services_lose_nothing_and_make_no_dead_letter(
    tmp_path: Path, baseline: Path
) -> None:
    lines = first_lines(30_000)
    random = Random(4)
    append(tmp_path, [])
    settings = config(baseline, source=FOLLOWED, idle="300s")
    del settings["http"]  # the test reads metrics from a known port
    with RunningService(tmp_path, settings) as running:
        for k in range(20):
            append(tmp_path, lines[k * 1_500 : (k + 1) * 1_500])
            time.sleep(random.uniform(0.2, 1.2))
            if k % 5 == 4:
                running.kill9()
                running.start()
            elif alive := running.readers():
                os.kill(random.choice(alive), signal.SIGKILL)
        running.until(
            lambda: has_closed_all_but_the_last(running, 30_000) and running.accepted() > 0
        )
        assert running.stop() == 0
    assert not (tmp_path / "dead-letters-files.jsonl").exists()
    with RunningService(tmp_path, config(baseline)) as running:  # this run reads to the end
        assert running.wait() == 0, running.log
    assert rows(running) == expected(30_000)
    assert running.readers() == []


@pytest.mark.slow
def test_a_reader_that_hangs_is_replaced_and_nothing_is_lost(
    tmp_path: Path, baseline: Path
) -> None:
    lines = first_lines(9_000)
    append(tmp_path, lines[:3_000])
    with RunningService(tmp_path, config(baseline, source=FOLLOWED, idle="300s")) as running:
        running.until(lambda: len(running.readers()) == 2 and bool(rows(running)))
        stopped = running.readers()[0]
        os.kill(stopped, signal.SIGSTOP)
        append(tmp_path, lines[3_000:])
        running.until(lambda: has_closed_all_but_the_last(running, 9_000))
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
    append(tmp_path, marked(first_lines(9_000)))
    with capture_logs() as logged:
        assert Service(parse(config(baseline), tmp_path), serve=poison.serve).run() == 0
    letters = (tmp_path / "dead-letters-files.jsonl").read_text().splitlines()
    assert len(letters) == 1
    assert '"reason":"crashes_reader"' in letters[0]
    assert rows(RunningService(tmp_path, {})) == expected_without_the_poison_record()
    assert 6 <= crashes(logged) <= 12, "two in a whole batch, one in 64 records, three alone"


@pytest.mark.slow
def test_a_record_that_crashes_its_source_stops_the_service_until_it_is_removed(
    tmp_path: Path, baseline: Path
) -> None:
    """No reader ever receives the record, so it cannot be skipped; the error names its position."""
    append(tmp_path, marked(first_lines(9_000)))
    path = tmp_path / "a.jsonl"
    line = next(line for line in path.read_bytes().splitlines() if poison.MARK in line)
    offset = path.read_bytes().index(line)
    settings = parse(config(baseline), tmp_path)
    with (
        capture_logs() as logged,
        pytest.raises(SourceUnavailable, match="delete that record from the source") as error,
    ):
        Service(settings, serve=poison.serve_unread).run()
    assert 8 <= crashes(logged) <= 16, "two in a whole batch, one in 64 records, five alone"
    assert error.value.exit_code == 3
    assert error.value.causes == (
        f"readers crash whenever they fetch the next record of {path}, at ('a.jsonl', {offset})",
    )
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b" " * len(line))
    assert Service(settings, serve=poison.serve_unread).run() == 0
    assert rows(RunningService(tmp_path, {})) == expected_without_the_poison_record()
    assert not (tmp_path / "dead-letters-files.jsonl").exists()


@pytest.mark.slow
def test_a_source_that_crashes_on_large_batches_is_asked_for_small_ones(
    tmp_path: Path, baseline: Path
) -> None:
    append(tmp_path, first_lines(9_000))
    assert Service(parse(config(baseline), tmp_path), serve=poison.serve_greedy).run() == 0
    assert rows(RunningService(tmp_path, {})) == expected(9_000)
    assert not (tmp_path / "dead-letters-files.jsonl").exists()


@pytest.mark.slow
def test_repeated_events_count_once_also_across_a_crash(tmp_path: Path, baseline: Path) -> None:
    """Each event is written twice to its file, the second time 300 lines later."""
    lines = first_lines(9_000)
    for k, name in enumerate("abc"):
        once = lines[k::3]
        blocks = [once[start : start + 300] for start in range(0, len(once), 300)]
        twice = [line for block in blocks for line in block * 2]
        (tmp_path / f"{name}.jsonl").write_bytes(b"".join(line + b"\n" for line in twice))
    settings = config(baseline, dedupe={"by": "event_id", "horizon": "2m"})
    with RunningService(tmp_path, {**settings, "source": FOLLOWED, "idle": "300s"}) as running:
        running.until(lambda: bool(rows(running)))
        running.kill9()
    with RunningService(tmp_path, settings) as running:
        assert running.wait() == 0, running.log
    assert rows(running) == expected(9_000)
