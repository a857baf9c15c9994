"""Two services, one job: the second waits, takes over when the first is dead or hangs, and the first, woken up, delivers nothing new.

The state lies in S3, played by moto's server (an emulator).
"""

from __future__ import annotations

import os
import signal
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from benchmarks import events
from detectors.report import WindowReport
from stream import baselining
from tests.parts.moto import MotoServer
from tests.parts.service import RunningService, newest

START_MS, WINDOW_MS, PER_S = 1_750_000_020_000, 60_000, 20
LINES = events.capture_lines(events.values(18_000, 3), start_ms=START_MS, events_a_second=PER_S)


@pytest.fixture
def both(tmp_path: Path, moto: MotoServer) -> tuple[RunningService, RunningService, Path]:
    """The same configuration in two folders, and the file that both read."""
    baselining.write(baselining.make(lambda: [pa.table(events.values(5_000, 4))], events.OUTPUTS), tmp_path / "baseline")
    moto.client("s3").create_bucket(Bucket="states")
    captures = tmp_path / "captures.jsonl"
    captures.touch()
    config: dict[str, Any] = {
        "job": "standby",
        "source": {"type": "jsonl", "path": str(captures), "follow": True},
        "format": {"type": "sagemaker"},
        "model": {"from": "const", "name": "m"},
        "models": {"m": {"baseline": str(tmp_path / "baseline")}},
        "grace": "2s",
        "idle": "300s",
        "readers": 1,
        "sinks": [{"type": "jsonl", "path": "reports"}],
        "state": {"path": "state.sqlite", "s3": {"bucket": "states", "endpoint_url": moto.url, "region": "us-east-1"}},
    }
    first, second = (RunningService(tmp_path / name, config, moto.env) for name in ("first", "second"))
    return first, second, captures


def append(captures: Path, start: int, stop: int) -> None:
    with captures.open("ab") as file:
        file.writelines(line + b"\n" for line in LINES[start:stop])


def ready(service: RunningService) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{service.port}/readyz", timeout=5) as page:
            return str(page.read().decode().strip())
    except OSError:
        return ""


def rows(*services: RunningService) -> dict[int, int]:
    """Windows of all services together; fails if one id has two contents."""
    reports: list[WindowReport] = [report for service in services for report in service.reports()]
    return {end: report.rows for (_, end), report in newest(reports).items()}


def expected(count: int) -> dict[int, int]:
    """Rows of the windows that are closed when so many lines are read."""
    whole = Counter((START_MS + k * 1000 // PER_S) // WINDOW_MS * WINDOW_MS + WINDOW_MS for k in range(count))
    last = START_MS + count * 1000 // PER_S - 2_000
    return {end: n for end, n in whole.items() if end <= last}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_a_standby_takes_over_within_15_s_with_the_same_counts(both: tuple[RunningService, RunningService, Path], how: str) -> None:
    first, second, captures = both
    append(captures, 0, 6_000)
    with first:
        first.until(lambda: ready(first) == "owner" and rows(first) == expected(6_000), 90)
        second.start("--standby")
        try:
            second.until(lambda: ready(second) == "standby", 60)
            assert first.process is not None
            before = {report.id for report in first.reports()}
            os.kill(first.process.pid, signal.SIGKILL if how == "killed" else signal.SIGSTOP)
            began = time.monotonic()
            append(captures, 6_000, 12_000)
            second.until(lambda: ready(second) == "owner", 60)
            took_s = time.monotonic() - began
            second.until(lambda: rows(first, second) == expected(12_000), 60)
            if how == "frozen":
                os.kill(first.process.pid, signal.SIGCONT)
                assert first.wait(60) == 5, first.log[-2000:]
                assert {report.id for report in first.reports()} == before
            append(captures, 12_000, 18_000)
            second.until(lambda: rows(first, second) == expected(18_000), 60)
            assert took_s < 15
            assert second.stop() == 0
        finally:
            if second.process is not None and second.process.poll() is None:
                second.process.kill()


@pytest.mark.slow
def test_without_standby_a_second_service_is_refused(both: tuple[RunningService, RunningService, Path]) -> None:
    first, second, captures = both
    append(captures, 0, 3_000)
    with first:
        first.until(lambda: ready(first) == "owner" and bool(rows(first)), 60)
        second.start()
        assert second.wait(60) == 5
        assert "one job has one owner" in second.log
        assert first.stop() == 0
