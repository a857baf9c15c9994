"""The service on Kinesis is killed repeatedly while events flow and shards are split and merged.

Runs against kinesis-local, an emulator.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.integration.test_kill9 import kill_at_random
from tests.servers.kinesis import KinesisEmulator
from tests.servers.service import RunningService, newest
from tests.support import events, jobs

KILLS = int(os.environ.get("DRIFTLINE_KILLS_KINESIS", "5"))
EVENTS = 400 * KILLS
PER_S = 100
CHUNK = 40
WINDOW_MS = 5_000
START_MS = 1_750_000_000_000


def produce(
    kinesis: KinesisEmulator, stream: str, lines: list[bytes], done: threading.Event
) -> None:
    """Put events in time order; split a shard after a third, merge its children after two."""
    for start in range(0, EVENTS, CHUNK):
        entries = [
            {"Data": lines[k], "PartitionKey": f"key {k}"} for k in range(start, start + CHUNK)
        ]
        response = kinesis.client.put_records(StreamName=stream, Records=entries)
        assert response["FailedRecordCount"] == 0
        if start == EVENTS // CHUNK // 3 * CHUNK:
            kinesis.split(stream, min(kinesis.shards(stream)))
        if start == EVENTS // CHUNK * 2 // 3 * CHUNK:
            left, right = [
                name for name, shard in kinesis.shards(stream).items() if shard.get("ParentShardId")
            ][:2]
            kinesis.merge(stream, left, right)
        time.sleep(0.15)
    done.set()


@pytest.mark.slow
def test_kills_and_resharding_lose_nothing_and_count_nothing_twice(
    kinesis: KinesisEmulator, make_stream: Callable[[int], str], tmp_path: Path
) -> None:
    lines = events.capture_lines(events.values(EVENTS, 3), start_ms=START_MS, events_a_second=PER_S)
    stream = make_stream(2)
    source = {
        "type": "kinesis",
        "stream": stream,
        "region": "us-east-1",
        "endpoint_url": kinesis.url,
    }
    config = jobs.config(
        jobs.learn(tmp_path), job="killed", source=source, readers=2, window="5s", idle="8s"
    )
    service = RunningService(tmp_path / "run", config, kinesis.env)
    done = threading.Event()
    random = Random(9)
    producer = threading.Thread(target=produce, args=(kinesis, stream, lines, done))
    with service:
        producer.start()
        for _ in range(KILLS):
            time.sleep(random.uniform(1.5, 4.0))
            kill_at_random(service, random)
        producer.join()
        assert done.is_set()
        service.until(lambda: service.accepted() == EVENTS, 120)
        service.until(
            lambda: (
                max((end for _, end in newest(service.reports())), default=0)
                >= START_MS + EVENTS * 1000 // PER_S
            ),
            90,
        )
        assert service.metric("driftline_ledger_imbalance") == 0
        assert service.metric("driftline_partitions_ended") == 3
        assert service.stop() == 0
    expected = Counter(
        (START_MS + k * 1000 // PER_S) // WINDOW_MS * WINDOW_MS + WINDOW_MS for k in range(EVENTS)
    )
    assert {end: report.rows for (_, end), report in newest(service.reports()).items()} == dict(
        expected
    )
    assert not (tmp_path / "run" / "dead-letters-killed.jsonl").exists()
