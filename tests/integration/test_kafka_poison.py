"""The service on a Kafka topic with poison records: the ledger balances, also after a restart."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_kafka_unreadable import Latin1, produce_large
from tests.servers.kafka import KafkaBroker, Record
from tests.servers.service import RunningService
from tests.support import events, jobs

MakeTopic = Callable[..., str]
EVENTS = 600
LIMIT = 8 << 20
LARGE_MB = {"columns": 12, "plain": 12, "fast": 90}
"""The size of a batch that is passed over: librdkafka's own limit is at least 50 MB."""


def records(lines: list[bytes]) -> list[Record]:
    """Records of two variants over two partitions; one of fifty has a header with an odd name."""
    found = list[Record]()
    for k, line in enumerate(lines):
        headers: list[tuple[str, bytes | None]] = [("variant", b"AB"[k % 2 :][:1])]
        if k % 50 == 7:
            headers.append((Latin1("modèle"), b"x"))
        found.append((k // 2 % 2, None, line, headers, jobs.START_MS))
    return found


def settings(kafka: KafkaBroker, topic: str, baseline: Path, client: str, **more: Any) -> Any:
    source = {
        "type": "kafka",
        "bootstrap_servers": [kafka.bootstrap],
        "topic": topic,
        "client": client,
        "max_batch_bytes": LIMIT,
    }
    variant = {"from": "header", "name": "variant"}
    return jobs.config(baseline, source=source, variant=variant, **more)


@pytest.mark.parametrize(
    ("client", "readers"), [("columns", 1), ("columns", 2), ("plain", 1), ("fast", 1), ("fast", 2)]
)
def test_odd_headers_and_a_bomb_cost_no_other_record(
    kafka: KafkaBroker,
    make_topic: MakeTopic,
    baseline: Path,
    tmp_path: Path,
    client: str,
    readers: int,
) -> None:
    topic = make_topic(2)
    lines = events.capture_lines(
        events.values(2 * EVENTS, 3), start_ms=jobs.START_MS, events_a_second=jobs.PER_S
    )
    kafka.produce(topic, records(lines[: EVENTS // 2]))
    produce_large(kafka, topic, "zstd", LARGE_MB[client])
    kafka.produce(topic, records(lines[EVENTS // 2 : EVENTS]))
    config = settings(kafka, topic, baseline, client, readers=readers)
    with RunningService(tmp_path, config) as service:
        service.until(lambda: service.accepted() == EVENTS)
        assert counts(service) == (1, 1, 0)
        assert service.stop() == 0
        kafka.produce(topic, records(lines[EVENTS:]))
        service.start()
        service.until(lambda: service.accepted() == 2 * EVENTS)
        assert counts(service) == (1, 1, 0)
        assert service.metric("driftline_ledger_records_total") == 2 * EVENTS
        assert service.stop() == 0
        assert "\ufffd" not in service.log  # nothing of the name
        assert "xe8" not in service.log


def counts(service: RunningService) -> tuple[int, int, int]:
    """Gaps, records lost in gaps, and the imbalance of the ledger."""
    names = ("gaps_total", "gap_records_lost_total", "ledger_imbalance")
    gaps, lost, imbalance = (int(service.metric(f"driftline_{name}")) for name in names)
    return gaps, lost, imbalance


def test_with_on_gap_stop_the_service_ends_and_says_where_and_why(
    kafka: KafkaBroker, make_topic: MakeTopic, baseline: Path, tmp_path: Path
) -> None:
    topic = make_topic()
    produce_large(kafka, topic, "zstd", 12)
    with RunningService(
        tmp_path, settings(kafka, topic, baseline, "columns", on_gap="stop")
    ) as service:
        assert service.wait() == 6
        end = service.log.splitlines()[-1]
    assert f"gap in {topic}-0: 1 records from" in end
    assert "offset 0 is unreadable after 3 tries" in end
    assert f"more than {LIMIT} bytes uncompressed (source.max_batch_bytes)" in end


def test_the_live_check_reads_its_sample_across_a_poison_record(
    kafka: KafkaBroker, make_topic: MakeTopic, check_live: Callable[..., tuple[int, str]]
) -> None:
    """The poison record lies among the newest 200, which are the sample."""
    topic = make_topic()
    now_ms = int(time.time() * 1000) - 60_000
    lines = events.capture_lines(events.values(150, 3), start_ms=now_ms, events_a_second=10)
    kafka.produce(topic, [(0, None, line, (), now_ms) for line in lines[:50]])
    produce_large(kafka, topic, "zstd", 12)
    kafka.produce(topic, [(0, None, line, (), now_ms) for line in lines[50:]])
    source = {
        "type": "kafka",
        "bootstrap_servers": [kafka.bootstrap],
        "topic": topic,
        "max_batch_bytes": LIMIT,
    }
    _, output = check_live(source, [])
    assert "0 % of 150 sampled records rejected" in output, output
