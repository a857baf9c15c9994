"""Two services of one job: the first is killed, frozen or running; the second takes over, waits or
is refused.

S3 is moto's server (an emulator that honours conditional puts).
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from stream.baselining.build import load_baseline
from tests.integration.machines import BUCKET
from tests.integration.traffic import (
    KEY,
    Traffic,
    config,
    delivered,
    lines_of,
    reported,
    until_started,
)
from tests.servers.base import free_port
from tests.servers.moto import MotoServer
from tests.servers.service import RunningService
from tests.support.jobs import PER_WINDOW

TAKEOVER_S = 120.0
"""A standby takes over after ten seconds (``take_over_after``); the rest is for a busy machine."""


@pytest.mark.slow
def test_a_standby_takes_over_from_a_killed_service(
    services: Any, s3: Any, moto: MotoServer, baseline: Path, tmp_path: Path
) -> None:
    traffic = Traffic(tmp_path, 10)
    first = services("a", config(traffic, baseline, moto.url))
    traffic.start()
    first.until(lambda: len(first.reports()) >= 2)
    waiting = [services(name, config(traffic, baseline, moto.url), "--standby") for name in "bc"]
    for standby in waiting:
        standby.until(lambda standby=standby: bool(lines_of(standby, "standby")))
        assert standby.metric("driftline_ledger_records_total") == 0
    first.kill9()
    waiting[0].until(
        lambda: any(lines_of(service, "ownership_taken_over") for service in waiting), TAKEOVER_S
    )
    [second] = [service for service in waiting if lines_of(service, "ownership_taken_over")]
    [third] = [standby for standby in waiting if standby is not second]
    # On a busy machine the first service may have delivered all windows before it was killed.
    second.until(lambda: 10 in reported(load_baseline(baseline), first, second))
    assert second.metric("driftline_ledger_imbalance") == 0
    assert not lines_of(third, "ownership_taken_over")
    assert third.stop() == 0, "a standby stops at once, without an error"
    assert second.stop() == 0
    assert reported(load_baseline(baseline), first, second) == traffic.expected()
    assert delivered(third) == []


@pytest.mark.slow
def test_a_frozen_service_delivers_nothing_after_a_takeover(
    services: Any, s3: Any, moto: MotoServer, baseline: Path, tmp_path: Path
) -> None:
    traffic = Traffic(tmp_path, 10)
    first = services("a", config(traffic, baseline, moto.url))
    traffic.start()
    first.until(lambda: len(first.reports()) >= 2)
    second = services("b", config(traffic, baseline, moto.url), "--standby")
    second.until(lambda: bool(lines_of(second, "standby")))
    os.kill(first.process.pid, signal.SIGSTOP)
    until_started(second, TAKEOVER_S)
    before = delivered(first)
    os.kill(first.process.pid, signal.SIGCONT)
    assert first.wait() == 5
    assert "another service" in first.log
    assert delivered(first) == before
    # On a busy machine the first service may have delivered all windows before it was frozen.
    second.until(lambda: 10 in reported(load_baseline(baseline), first, second))
    assert second.stop() == 0
    assert reported(load_baseline(baseline), first, second) == traffic.expected()


def test_without_standby_a_second_service_is_refused(
    services: Any, s3: Any, moto: MotoServer, baseline: Path, tmp_path: Path
) -> None:
    traffic = Traffic(tmp_path, 1)
    first = services("a", config(traffic, baseline, moto.url))
    first.until(lambda: bool(lines_of(first, "started")))
    second = services("b", config(traffic, baseline, moto.url))
    assert second.wait() == 5
    assert f"s3://{BUCKET}/{KEY} is in use by another service" in second.log
    assert first.stop() == 0


def test_a_standby_also_waits_for_the_lock_of_a_local_state(
    services: Any, baseline: Path, tmp_path: Path
) -> None:
    """Both services have the same configuration, and therefore the same port."""
    traffic = Traffic(tmp_path, 4)
    traffic.write_windows(0, 2)
    settings = config(traffic, baseline)
    first = services("a", settings)
    first.until(lambda: first.accepted() == 2 * PER_WINDOW)
    second = RunningService(tmp_path / "a", {**settings, "http": {"port": first.port}})
    second.port = first.port
    second.start("--standby")
    try:
        second.until(lambda: bool(lines_of(second, "standby")))
        first.kill9()
        second.until(lambda: bool(lines_of(second, "ownership_taken_over")), TAKEOVER_S)
        traffic.write_windows(2, 4)
        traffic.write_end()
        second.until(lambda: 4 in reported(load_baseline(baseline), second))
        assert second.accepted() == 4 * PER_WINDOW + 1
        assert second.stop() == 0
    finally:
        if second.process is not None and second.process.poll() is None:
            second.kill9()
    assert reported(load_baseline(baseline), first) == traffic.expected()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_standby_is_healthy_and_stops_at_once_on_a_signal(
    services: Any, s3: Any, moto: MotoServer, baseline: Path, tmp_path: Path, number: signal.Signals
) -> None:
    traffic = Traffic(tmp_path, 1)
    first = services("a", config(traffic, baseline, moto.url))
    first.until(lambda: bool(lines_of(first, "started")))
    second = services("b", config(traffic, baseline, moto.url), "--standby")
    second.until(lambda: bool(lines_of(second, "standby")))
    assert second.healthy()
    second.process.send_signal(number)
    assert second.wait(60) == 0, "the owner lives, so nothing else ends the wait"
    assert not lines_of(second, "ownership_taken_over")
    assert first.stop() == 0


@pytest.mark.slow
def test_an_owner_that_drains_its_sinks_is_not_taken_over(
    services: Any, s3: Any, moto: MotoServer, baseline: Path, tmp_path: Path
) -> None:
    traffic = Traffic(tmp_path, 2)
    down = {
        "type": "cloudwatch",
        "region": "us-east-1",
        "endpoint_url": f"http://127.0.0.1:{free_port()}",
    }
    sinks = [{"type": "jsonl", "path": "reports"}, down]
    first = services("a", config(traffic, baseline, moto.url, after="4s", sinks=sinks))
    traffic.write_windows(0, 2)
    traffic.write_end()
    first.until(lambda: len(first.reports()) >= 2)
    second = services(
        "b", config(traffic, baseline, moto.url, after="4s", sinks=sinks), "--standby"
    )
    second.until(lambda: bool(lines_of(second, "standby")))
    assert first.stop() == 9, "items are undelivered; exit code 5 would mean a lost job"
    second.until(lambda: bool(lines_of(second, "ownership_taken_over")), TAKEOVER_S)
    assert (
        lines_of(second, "ownership_taken_over")[0]["timestamp"]
        >= lines_of(first, "stopped")[0]["timestamp"]
    )
