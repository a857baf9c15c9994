"""The processes of the Compose file, started without containers: one alert about the producer's
first incident is delivered within two minutes, and names feature and report.

Each reads its own file of ``deploy/``, in which only host names, ports and paths are replaced.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import skip_or_fail
from tests.servers import alertmanager, prometheus
from tests.servers.base import LOOPBACK, DependencyMissing, Process, free_port, port_answers
from tests.servers.kafka import KafkaBroker
from tests.servers.service import RunningService
from tests.support.paths import ROOT

DEPLOY = ROOT / "deploy"
WITHIN_S = 120


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts programs, waits for their ports, and stops them at the end."""
    with ExitStack() as stack:

        def started(name: str, *command: object, port: int | None = None) -> Process:
            process = Process(name, tmp_path / f"{name}.log")
            stack.callback(process.stop)
            process.start(list(map(str, command)), lambda: port is None or port_answers(port))
            return process

        yield started


def copied(name: str, folder: Path, hosts: Mapping[str, str]) -> Path:
    """A copy of a file of ``deploy/`` in which the names of other containers are replaced."""
    text = (DEPLOY / name).read_text()
    for host, address in hosts.items():
        text = text.replace(host, address)
    (folder / name).write_text(text)
    return folder / name


def config(kafka: KafkaBroker, topic: str) -> dict[str, Any]:
    """The job of the Compose file, which writes into the folder of the test."""
    job: dict[str, Any] = yaml.safe_load((DEPLOY / "config.compose.yaml").read_text())
    job["source"] |= {"bootstrap_servers": [kafka.bootstrap], "topic": topic}
    job["sinks"] = [{"type": "prometheus"}, {"type": "jsonl", "path": "reports"}]
    for key in ("state", "dead_letters", "http"):
        del job[key]
    return job


@pytest.mark.slow
@pytest.mark.prometheus
@pytest.mark.alertmanager
def test_an_alert_about_the_first_incident_is_delivered_within_two_minutes(
    kafka: KafkaBroker,
    make_topic: Callable[..., str],
    start: Callable[..., Process],
    tmp_path: Path,
) -> None:
    for name, server in (("prometheus", prometheus), ("alertmanager", alertmanager)):
        if reason := server.why_missing():
            skip_or_fail(DependencyMissing(name, reason))
    topic = make_topic(4)
    alerts, manager, web = (free_port() for _ in range(3))
    hosts = {"alerts:8080": f"{LOOPBACK}:{alerts}", "alertmanager:9093": f"{LOOPBACK}:{manager}"}
    begun_s = time.monotonic()
    receiver = start(
        "alerts", sys.executable, DEPLOY / "alert_receiver.py", f"{LOOPBACK}:{alerts}", port=alerts
    )
    start(
        "producer",
        sys.executable,
        DEPLOY / "producer.py",
        f"--bootstrap={kafka.bootstrap}",
        f"--topic={topic}",
    )
    start(
        "alertmanager",
        alertmanager.program(),
        f"--config.file={copied('alertmanager.yml', tmp_path, hosts)}",
        f"--storage.path={tmp_path / 'alertmanager'}",
        f"--web.listen-address={LOOPBACK}:{manager}",
        "--cluster.listen-address=",
        port=manager,
    )
    with RunningService(tmp_path / "run", config(kafka, topic)) as service:
        hosts["driftline:9108"] = f"{LOOPBACK}:{service.port}"
        copied("prometheus-rules.yml", tmp_path, {})
        start(
            "prometheus",
            "prometheus",
            f"--config.file={copied('prometheus.yml', tmp_path, hosts)}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address={LOOPBACK}:{web}",
            port=web,
        )
        while not (lines := receiver.log.read_text().splitlines()):
            assert time.monotonic() < begun_s + WITHIN_S, service.log[-3_000:]
            time.sleep(0.5)
        assert lines[0].startswith("firing DriftlineEpisode: delays drifts since "), lines
        assert "dep_delay" in lines[0]
        [signal] = [signal for signal in service.signals() if signal.kind == "opened"]
        assert f"driftline explain {signal.report} --config CONFIG" in lines[0]
        assert "dep_delay" in signal.features
        assert all(line.startswith("firing DriftlineEpisode") for line in lines), lines
