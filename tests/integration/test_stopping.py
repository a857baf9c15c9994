"""SIGTERM, a second signal and Ctrl-C: the service stops in time, and the next run resumes after
the last commit."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from stream.service.service import DRAIN_S
from tests.servers.base import free_port
from tests.servers.moto import CREDENTIALS
from tests.servers.processes import children, have_ended
from tests.servers.service import RunningService
from tests.support.jobs import PER_WINDOW, append, config, lines_of, rows

WINDOWS = 4


def unreachable() -> dict[str, object]:
    """A CloudWatch sink whose endpoint is a closed port."""
    return {
        "type": "cloudwatch",
        "region": "us-east-1",
        "endpoint_url": f"http://127.0.0.1:{free_port()}",
    }


@pytest.mark.parametrize("readers", [1, 2])
def test_sigterm_stops_in_time_although_a_sink_is_down(
    baseline: Path, tmp_path: Path, readers: int
) -> None:
    append(tmp_path, lines_of(WINDOWS))
    settings = config(
        baseline, readers=readers, sinks=[{"type": "jsonl", "path": "reports"}, unreachable()]
    )
    with RunningService(tmp_path, settings, CREDENTIALS) as service:
        service.until(lambda: len(rows(service)) == WINDOWS - 1)
        service.until(
            lambda: service.metric("driftline_sink_attempts_retried_total", sink="cloudwatch") >= 1
        )
        pids = children(service.pid)
        began_s = time.monotonic()
        assert len(pids) >= (readers if readers > 1 else 0)
        assert service.stop() == 9
        assert time.monotonic() - began_s < DRAIN_S + 8, (
            "the sinks' time, and a margin for a busy machine"
        )
        assert have_ended(pids)
    assert '"items_undelivered"' in service.log
    assert "Traceback" not in service.log


@pytest.mark.parametrize(
    ("readers", "second"), [(1, signal.SIGTERM), (1, signal.SIGINT), (2, signal.SIGTERM)]
)
def test_a_second_signal_ends_the_process_at_once_and_loses_nothing(
    baseline: Path, tmp_path: Path, readers: int, second: signal.Signals
) -> None:
    lines = lines_of(WINDOWS)
    append(tmp_path, lines)
    down = config(
        baseline, readers=readers, sinks=[{"type": "jsonl", "path": "reports"}, unreachable()]
    )
    with RunningService(tmp_path, down, CREDENTIALS) as service:
        service.until(lambda: len(rows(service)) == WINDOWS - 1)
        pids = children(service.pid)
        assert service.process is not None
        service.process.terminate()
        time.sleep(1.0)
        assert service.process.poll() is None, "it drains the sink that is down"
        began_s = time.monotonic()
        service.process.send_signal(second)
        assert service.process.wait(10) == -second
        assert time.monotonic() - began_s < 3
        assert have_ended(pids)
    append(tmp_path, lines_of(WINDOWS + 1)[len(lines) :], len(lines))
    with RunningService(tmp_path, config(baseline, readers=readers)) as service:
        service.until(lambda: service.accepted() == (WINDOWS + 1) * PER_WINDOW)
        service.until(lambda: len(rows(service)) == WINDOWS)
        assert service.metric("driftline_ledger_imbalance") == 0
        assert service.stop() == 0
    assert rows(service) == dict.fromkeys(range(1, WINDOWS + 1), PER_WINDOW)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "during_start", [True, False], ids=["while readers start", "while they read"]
)
def test_a_signal_to_all_processes_stops_the_service_cleanly(
    baseline: Path, tmp_path: Path, number: signal.Signals, during_start: bool
) -> None:
    """Ctrl-C in a terminal reaches the readers too, as does the SIGTERM of systemd."""
    append(tmp_path, lines_of(2))
    with RunningService(tmp_path, config(baseline, readers=2), new_session=True) as service:
        service.until(
            lambda: (
                service.log.count("reader_started") == 2
                if during_start
                else service.accepted() == 2 * PER_WINDOW
            )
        )
        pids = children(service.pid)
        os.killpg(service.pid, number)
        assert service.wait(30) == 0, service.log
        assert have_ended(pids)
    lines = [json.loads(line) for line in service.log.splitlines()]
    events = [line["event"] for line in lines]
    assert {line["job"] for line in lines} == {config(baseline)["job"]}, "also lines of readers"
    assert "Traceback" not in service.log
    assert "reader_replaced" not in events
    assert events[-1] == "stopped"


def catches_sigterm(pid: int) -> bool:
    """Whether a process has a handler of SIGTERM."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


@pytest.mark.parametrize("client", ["columns", "fast"])
def test_sigterm_stops_a_service_that_waits_for_its_source(
    tmp_path: Path, client: str, baseline: Path
) -> None:
    source = {
        "type": "kafka",
        "bootstrap_servers": [f"127.0.0.1:{free_port()}"],
        "topic": "t",
        "client": client,
    }
    with RunningService(tmp_path, config(baseline, source=source)) as service:
        service.until(
            lambda: (
                catches_sigterm(service.pid)  # the fast client logs nothing while it waits
                if client == "fast"
                else "source_unreachable" in service.log
            )
        )
        time.sleep(1.0)
        began_s = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - began_s < 5.0
