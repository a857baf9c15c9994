"""Network faults and restarts of the broker: the windows still hold what was produced."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest

from stream.baselining.build import load_baseline
from tests.integration.test_kill9 import (
    PARTITIONS,
    PER_S,
    START_MS,
    WINDOW_MS,
    config,
    counted,
    windows_of,
)
from tests.servers.base import free_port
from tests.servers.kafka import KafkaBroker
from tests.servers.service import RunningService, newest
from tests.servers.toxiproxy import Toxiproxy
from tests.support import events, jobs

Fault = Callable[[], AbstractContextManager[None]]
PER_FAULT = PER_S * WINDOW_MS // 1000
CHUNK_S = float(os.environ.get("DRIFTLINE_CHUNK_S", "0.2"))
"""Time between two chunks of 200 events; a fault lasts ten chunks."""


@pytest.fixture
def proxied(
    toxiproxy_before: Callable[[int], Toxiproxy],
) -> Iterator[tuple[KafkaBroker, Toxiproxy]]:
    """A broker, and the proxy through which the service reads from it."""
    listen_port = free_port()
    proxy = toxiproxy_before(listen_port)
    with KafkaBroker(via=(listen_port, proxy.port)) as broker:
        yield broker, proxy


def faults(broker: KafkaBroker, proxy: Toxiproxy) -> list[Fault]:
    """Faults, from none to a killed broker; events are produced during each of them."""

    @contextmanager
    def restarted(stop: Callable[[], None]) -> Iterator[None]:
        stop()
        time.sleep(CHUNK_S * 8)
        broker.start()
        yield

    return [
        nullcontext,
        proxy.down,
        lambda: proxy.toxic("latency", latency=900),
        lambda: proxy.toxic("reset_peer", timeout=50),
        lambda: restarted(broker.stop),
        lambda: proxy.toxic("limit_data", bytes=30_000),
        lambda: proxy.toxic("slicer", average_size=700, size_variation=300, delay=2_000),
        lambda: restarted(broker.kill9),
        nullcontext,
    ]


@pytest.mark.slow
@pytest.mark.parametrize("client", ["columns", "fast"])
def test_network_faults_and_broker_restarts_lose_nothing_and_count_nothing_twice(
    proxied: tuple[KafkaBroker, Toxiproxy], tmp_path: Path, client: str
) -> None:
    broker, proxy = proxied
    stages = faults(broker, proxy)
    columns = events.values(PER_FAULT * len(stages), 3)
    lines = events.capture_lines(columns, start_ms=START_MS, events_a_second=PER_S)
    baseline = jobs.learn(tmp_path)
    broker.create_topic("events", PARTITIONS)
    settings = config(broker, "events", baseline, readers=1)
    settings["source"] |= {"bootstrap_servers": [f"127.0.0.1:{proxy.port}"], "client": client}
    settings["lateness"] = "10m"
    with RunningService(tmp_path / "run", settings) as service:
        service.until(lambda: '"started"' in service.log)
        for k, fault in enumerate(stages):
            with fault():
                for start in range(k * PER_FAULT, (k + 1) * PER_FAULT, 200):
                    broker.produce(
                        "events",
                        [
                            (n % PARTITIONS, None, lines[n], (), None)
                            for n in range(start, start + 200)
                        ],
                    )
                    time.sleep(CHUNK_S)
        service.until(lambda: service.accepted() == len(lines), 120)
        last_end = START_MS + len(lines) * 1000 // PER_S
        service.until(
            lambda: max((end for _, end in newest(service.reports())), default=0) >= last_end, 90
        )
        assert service.metric("driftline_ledger_imbalance") == 0
        assert service.metric("driftline_gaps_total") == 0
        assert service.stop() == 0
    counts = {
        end: counted(load_baseline(baseline), report.profile)
        for (_, end), report in newest(service.reports()).items()
    }
    assert counts == windows_of(columns)
