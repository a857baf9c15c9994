"""The time at which a commit is due, and the deliveries after it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import pytest
from structlog.testing import capture_logs

from stream.config.load import parse
from stream.readers.worker import serve
from stream.service.commit import MOST_PENDING, Committer
from stream.service.ownership import Ownership
from stream.service.startup import Startup
from stream.telemetry.log_setup import LogSetup
from stream.telemetry.metrics import Telemetry
from stream.testing.quality_reports import quality_report
from stream.testing.reports import report, signal
from stream.web.liveness import Liveness


class Running:
    """A job without events, whose commits are counted."""

    def __init__(self, folder: Path, cleanup: ExitStack) -> None:
        config = parse(
            {
                "job": "j",
                "source": {"type": "jsonl", "path": "captures"},
                "format": {"type": "json"},
                "model": {"from": "const", "name": "m"},
                "models": {"m": {"baseline": "learn", "outputs": ["p"], "inputs": []}},
                "sinks": [{"type": "jsonl", "path": "reports"}],
                "state": {"path": "state.sqlite", "commit_interval": "1h"},
                "http": {"port": 0},
            },
            folder,
        )
        telemetry = Telemetry(config.job)
        liveness = Liveness(60.0)
        self.ownership = Ownership(config, False, threading.Event(), telemetry.log)
        startup = Startup(
            config=config,
            ownership=self.ownership,
            telemetry=telemetry,
            liveness=liveness,
            logs=LogSetup(),
            serve=serve,
            accept_change=False,
            standby=False,
        )
        job = startup.own(cleanup)
        assert job is not None
        self.ledger = job.aggregator.state.ledger
        self.committer = Committer(startup.open(job, cleanup), self.ownership, telemetry, liveness)
        writes = cleanup.enter_context(patch.object(job.store, "commit", wraps=job.store.commit))
        self._writes = writes
        self.committer.commit()

    @property
    def commits(self) -> int:
        """The number of commits since the first."""
        return int(self._writes.call_count) - 1


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    (tmp_path / "captures").mkdir()
    with ExitStack() as cleanup:
        yield Running(tmp_path, cleanup)


def test_nothing_is_due_before_the_interval_has_passed(running: Running) -> None:
    running.committer.add([])
    running.committer.commit_if_due()
    assert running.commits == 0


@pytest.mark.parametrize("output", [report(), signal()], ids=["report", "signal"])
def test_a_closed_window_or_a_signal_is_committed_at_once(running: Running, output: object) -> None:
    running.committer.add([output])  # type: ignore[list-item]  # a report or a signal
    running.committer.commit_if_due()
    running.committer.commit_if_due()
    assert running.commits == 1


def test_a_report_on_quality_waits_for_the_next_commit_unless_there_are_many(
    running: Running,
) -> None:
    """Labels come late anyway, and each commit writes the counts that they have changed."""
    running.committer.add([quality_report()] * (MOST_PENDING - 1))
    running.committer.commit_if_due()
    assert running.commits == 0
    running.committer.add([quality_report()])
    running.committer.commit_if_due()
    assert running.commits == 1


def test_an_urgent_change_is_committed_at_once(running: Running) -> None:
    running.committer.add([], urgent=True)
    running.committer.commit_if_due()
    assert running.commits == 1


def test_an_owner_commits_in_time_for_its_heartbeat(running: Running) -> None:
    running.ownership.heartbeat_s = 0.0
    running.committer.commit_if_due()
    assert running.commits == 1


def test_nothing_is_delivered_before_the_commit(running: Running, tmp_path: Path) -> None:
    signals = tmp_path / "reports" / "signals.jsonl"
    running.committer.add([signal()])
    time.sleep(0.3)  # the courier's thread would have written it by now
    assert not signals.exists()
    running.committer.commit()
    assert running.committer.drain(10.0)
    assert signals.read_text().count("\n") == 1


def test_an_imbalance_of_the_ledger_is_logged_with_its_differences(running: Running) -> None:
    running.ledger.rows_folded += 3
    with capture_logs() as logs:
        running.committer.commit()
    [line] = [line for line in logs if line["event"] == "ledger_imbalance"]
    assert (line["log_level"], line["differences"]) == ("error", running.ledger.imbalance())
