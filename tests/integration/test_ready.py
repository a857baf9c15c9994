"""``/readyz`` reports 503 while nothing can be read or delivered, whatever the reason."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.servers.gate import Gate
from tests.servers.kafka import KafkaBroker
from tests.servers.moto import MotoServer
from tests.servers.service import RunningService
from tests.support.jobs import PER_WINDOW, append, config, lines_of


@pytest.mark.parametrize("readers", [1, 2])
def test_a_service_at_the_end_of_its_log_stays_ready(
    baseline: Path, tmp_path: Path, readers: int
) -> None:
    append(tmp_path, lines_of(2))
    with running(tmp_path, config(baseline, readers=readers)) as service:
        service.until(lambda: service.accepted() == 2 * PER_WINDOW)
        service.until(lambda: service.ready() == "200 owner")
        until_s = time.monotonic() + 10
        while time.monotonic() < until_s:
            assert service.ready() == "200 owner"
            time.sleep(0.3)
        assert service.stop() == 0


def test_a_broker_that_is_down_makes_its_partitions_silent(
    own_kafka: KafkaBroker, baseline: Path, tmp_path: Path
) -> None:
    own_kafka.create_topic("ready")
    source = {"type": "kafka", "bootstrap_servers": [own_kafka.bootstrap], "topic": "ready"}
    with running(tmp_path, config(baseline, source=source)) as service:
        service.until(lambda: service.ready() == "200 owner")
        own_kafka.stop()
        silent = re.compile(r"503 silent: ready-0 for \d+ s \(.*(Error|ECONNREFUSED).*\)")
        service.until(lambda: silent.fullmatch(service.ready()) is not None, 30)
        assert service.healthy()
        own_kafka.start()
        service.until(lambda: service.ready() == "200 owner", 60)
        assert service.stop() == 0


def test_an_owner_that_cannot_reach_s3_is_healthy_but_not_ready(
    moto: MotoServer, baseline: Path, tmp_path: Path
) -> None:
    moto.client("s3").create_bucket(Bucket="ready")
    gate = Gate(int(moto.url.rpartition(":")[2]))
    gate.open()
    s3 = {
        "bucket": "ready",
        "region": "us-east-1",
        "endpoint_url": f"http://127.0.0.1:{gate.port}",
        "take_over_after": "5s",
    }
    append(tmp_path, lines_of(2))
    try:
        with running(
            tmp_path, config(baseline, state={"path": "state.sqlite", "s3": s3}), moto.env
        ) as service:
            service.until(lambda: service.ready() == "200 owner")
            gate.shut()
            service.until(lambda: service.ready() == "503 another service may have taken over", 30)
            assert service.healthy(), "a restart would not bring S3 back"
            gate.open()
            service.until(lambda: service.ready() == "200 owner", 60)
            assert service.stop() == 0
    finally:
        gate.close()


def running(
    folder: Path, settings: dict[str, object], environment: dict[str, str] | None = None
) -> RunningService:
    """A service that is not ready once a partition has lagged or been silent for four seconds."""
    service = RunningService(folder, settings, environment)
    service.config.write_text(
        service.config.read_text().replace("http:\n", "http:\n  ready_behind: 4s\n")
    )
    return service
