"""One wrong date, a wrong clock of a sender or of the host, or old files lose no other event."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.servers.kafka import KafkaBroker
from tests.servers.service import RunningService
from tests.support import events, jobs

YEAR_2099_MS = 4_070_908_800_000
HOUR_MS = 3_600_000
CLOCK = """
import os
import time

_time = time.time


def _shifted():
    try:
        with open(os.environ["SHIFTED_CLOCK"]) as file:
            return _time() + float(file.read() or 0)
    except (OSError, ValueError):
        return _time()


time.time = _shifted
"""
"""A module that shifts the clock of a Python process by the seconds in a file."""


def now_ms() -> int:
    return int(time.time() * 1000)


def lines(count: int, start_ms: int, seed: int = 3) -> list[bytes]:
    """Captures of the last milliseconds before ``start_ms``, one a millisecond."""
    columns = events.values(count, seed)
    return events.capture_lines(columns, start_ms=start_ms - count, events_a_second=1_000)


def on_files(tmp_path: Path, **changes: Any) -> RunningService:
    source = {"type": "jsonl", "path": "captures", "follow": True}
    config = jobs.config(jobs.learn(tmp_path), **{"source": source, "window": "5s", **changes})
    (tmp_path / "run" / "captures").mkdir(parents=True)
    return RunningService(tmp_path / "run", config, shifted_clock(tmp_path))


def shifted_clock(tmp_path: Path) -> dict[str, str]:
    """The environment of a process whose clock is ahead by the seconds in the file ``shift``."""
    (tmp_path / "shift").write_text("0")
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(CLOCK)
    path = os.pathsep.join([str(tmp_path / "clock"), os.environ.get("PYTHONPATH", "")])
    return {"PYTHONPATH": path, "SHIFTED_CLOCK": str(tmp_path / "shift")}


def put(service: RunningService, name: str, body: list[bytes], mtime_ms: int = 0) -> None:
    """Move a file into the folder, complete and with its time of change."""
    beside = service.folder / name
    beside.write_bytes(b"".join(line + b"\n" for line in body))
    if mtime_ms:
        os.utime(beside, (mtime_ms / 1000, mtime_ms / 1000))
    beside.replace(service.folder / "captures" / name)


@pytest.mark.parametrize("readers", [1, 2])
def test_a_file_of_a_machine_whose_clock_is_ahead_makes_no_later_event_late(
    tmp_path: Path, readers: int
) -> None:
    ahead_ms = now_ms() + 365 * 24 * HOUR_MS
    with on_files(tmp_path, readers=readers) as service:
        put(service, "a.jsonl", lines(200, now_ms()))
        service.until(lambda: service.accepted() == 200)
        put(service, "b.jsonl", lines(50, ahead_ms), mtime_ms=ahead_ms + 60_000)
        put(service, "c.jsonl", lines(1, YEAR_2099_MS), mtime_ms=YEAR_2099_MS)
        put(service, "d.jsonl", lines(500, now_ms()))
        service.until(lambda: service.accepted() == 751)
        assert service.stop() == 0
        service.start()
        put(service, "e.jsonl", lines(100, now_ms()))
        service.until(lambda: service.accepted() == 851)
        assert service.metric("driftline_future_events_total") == 51
        assert service.metric("driftline_ledger_records_total", outcome="too_late") == 0


def test_the_first_files_after_an_empty_start_are_not_late(tmp_path: Path) -> None:
    """Old captures are copied into the folder of a service that has been idle since its start."""
    three_days_ago_ms = now_ms() - 72 * HOUR_MS
    with on_files(tmp_path, idle="1s", lateness="0s") as service:
        service.until(lambda: "partitions_idle" in service.log)
        time.sleep(1.5)
        put(service, "a.jsonl", lines(300, three_days_ago_ms))
        service.until(lambda: service.accepted() == 300)
        service.until(lambda: sum(report.rows for report in service.reports()) == 300)
        assert service.metric("driftline_ledger_rows_total", stage="late_after_idle") == 0
        time.sleep(1.5)
        put(service, "b.jsonl", lines(40, three_days_ago_ms - HOUR_MS // 60))
        late = "driftline_ledger_records_total"
        service.until(
            lambda: (
                service.metric(late, outcome="late_after_idle")
                + service.metric(late, outcome="too_late")
                == 40
            )
        )
        assert service.accepted() == 300


def test_a_mark_that_is_ahead_of_the_clock_is_told_at_the_start(tmp_path: Path) -> None:
    """It was committed while the clocks of the sender and of the service were both ahead."""
    year_ahead_ms = now_ms() + 365 * 24 * HOUR_MS
    with on_files(tmp_path) as service:
        (tmp_path / "shift").write_text(str(365 * 24 * 3600 + 60))
        put(service, "a.jsonl", lines(50, year_ahead_ms), mtime_ms=year_ahead_ms)
        service.until(lambda: service.accepted() == 50)
        assert "mark_ahead_of_clock" not in service.log
        assert service.stop() == 0
        (tmp_path / "shift").write_text("0")
        service.start()
        service.until(lambda: "mark_ahead_of_clock" in service.log)


def on_kafka(
    kafka: KafkaBroker, topic: str, tmp_path: Path, readers: int = 1
) -> tuple[RunningService, Path]:
    """A service on a topic, and the file with the shift of its clock in seconds."""
    source = {"type": "kafka", "bootstrap_servers": [kafka.bootstrap], "topic": topic}
    config = jobs.config(jobs.learn(tmp_path), source=source, readers=readers, window="5s")
    environment = shifted_clock(tmp_path)
    return RunningService(tmp_path / "run", config, environment), tmp_path / "shift"


@pytest.mark.kafka
@pytest.mark.parametrize("timestamp_ms", [-1, 0, YEAR_2099_MS])
def test_an_event_of_2099_without_a_credible_timestamp_makes_no_later_event_late(
    kafka: KafkaBroker, make_topic: Callable[..., str], tmp_path: Path, timestamp_ms: int
) -> None:
    topic = make_topic(1, {"message.timestamp.after.max.ms": str(2**62)})
    service, _ = on_kafka(kafka, topic, tmp_path)
    with service:
        kafka.produce(topic, [(0, None, line, [], now_ms()) for line in lines(200, now_ms())])
        service.until(lambda: service.accepted() == 200)
        kafka.produce(topic, [(0, None, lines(1, YEAR_2099_MS)[0], [], timestamp_ms)])
        kafka.produce(topic, [(0, None, line, [], now_ms()) for line in lines(500, now_ms())])
        service.until(lambda: service.accepted() == 701)
        assert service.metric("driftline_future_events_total") == 1


@pytest.mark.kafka
@pytest.mark.parametrize("timestamp_ms", [-1, 0, 1_000_000_000])
def test_right_events_with_record_timestamps_that_are_no_times_are_counted(
    kafka: KafkaBroker, make_topic: Callable[..., str], tmp_path: Path, timestamp_ms: int
) -> None:
    topic = make_topic(1)
    service, _ = on_kafka(kafka, topic, tmp_path)
    with service:
        kafka.produce(topic, [(0, None, line, [], now_ms()) for line in lines(100, now_ms())])
        kafka.produce(topic, [(0, None, line, [], timestamp_ms) for line in lines(100, now_ms())])
        service.until(lambda: service.accepted() == 200)
        assert service.metric("driftline_future_events_total") == 0


@pytest.mark.kafka
@pytest.mark.parametrize("readers", [1, 2])
def test_a_clock_of_the_host_that_is_set_back_loses_no_event(
    kafka: KafkaBroker, make_topic: Callable[..., str], tmp_path: Path, readers: int
) -> None:
    topic = make_topic(2)
    service, shift = on_kafka(kafka, topic, tmp_path, readers)
    sent = 0
    with service:
        for step in range(12):
            shift.write_text("-3600" if 1 <= step < 8 else "0")
            body = lines(100, now_ms(), seed=step)
            kafka.produce(topic, [(k % 2, None, line, [], now_ms()) for k, line in enumerate(body)])
            sent += 100
            service.until(lambda: service.accepted() == sent)  # noqa: B023  # called at once
            time.sleep(0.3)
        assert service.metric("driftline_future_events_total") == 0
        assert service.metric("driftline_ledger_imbalance") == 0
