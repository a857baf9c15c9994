"""The service on captures in S3, or one of its readers, is killed repeatedly while objects appear.

S3 and SQS are moto's server, an emulator. The producer's own counts are the expected result.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from stream.sources.s3.keys import HOUR_MS, hour_folder
from tests.integration.test_kill9 import kill_at_random
from tests.servers.moto import REGION, MotoServer
from tests.servers.service import RunningService, newest
from tests.support import events, jobs

KILLS = os.environ.get("DRIFTLINE_KILLS_S3", "")
BUCKET = "captures"
PER_OBJECT = 50
BACKLOG = 24
PER_S = 100
WINDOW_MS = 5_000
START_MS = 1_750_000_000_000


class Producer:
    """Objects in time order: a backlog of an object in each past hour, then those of the present
    hour of two variants, some of which appear late and under an earlier key."""

    def __init__(self, moto: MotoServer, queue: str, objects: int) -> None:
        self._moto = moto
        self._objects = objects
        self._queue = queue
        self.lines = events.capture_lines(
            events.values(objects * PER_OBJECT, 3), start_ms=START_MS, events_a_second=PER_S
        )
        self._hour_ms = int(time.time() * 1000) // HOUR_MS * HOUR_MS
        self.thread = threading.Thread(target=self._produce)

    def put_backlog(self) -> None:
        for n in range(BACKLOG):
            self._put(n, self._hour_ms - (BACKLOG + 4 - n) * HOUR_MS, "AllTraffic", f"{n:05d}")

    def _produce(self) -> None:
        order = list(range(BACKLOG, self._objects))
        for at in range(0, len(order) - 4, 7):
            order[at], order[at + 3] = order[at + 3], order[at]
        for n in order:
            self._put(n, self._hour_ms, ("AllTraffic", "Canary")[n % 2], f"{n:05d}")
            time.sleep(0.16)

    def _put(self, n: int, hour_ms: int, variant: str, name: str) -> None:
        key = hour_folder(f"dc/ep/{variant}/", hour_ms) + f"/{name}.jsonl"
        body = b"".join(line + b"\n" for line in self.lines[n * PER_OBJECT : (n + 1) * PER_OBJECT])
        etag = self._moto.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)["ETag"]
        stored = {"key": key, "size": len(body), "eTag": etag.strip('"')}
        record = {
            "eventName": "ObjectCreated:Put",
            "eventTime": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
            "s3": {"bucket": {"name": BUCKET}, "object": stored},
        }
        if n % 3:  # a third of the notices is lost
            self._moto.sqs.send_message(
                QueueUrl=self._queue, MessageBody=json.dumps({"Records": [record]})
            )


@pytest.mark.slow
@pytest.mark.parametrize(("readers", "kills"), [(1, 20), (2, 5)])
def test_random_kills_lose_no_object_and_count_none_twice(
    moto: MotoServer, tmp_path: Path, readers: int, kills: int
) -> None:
    kills = int(KILLS or kills)
    objects = BACKLOG + 10 * kills
    moto.client("s3").create_bucket(Bucket=BUCKET)
    queue = moto.sqs.create_queue(QueueName="notices", Attributes={"VisibilityTimeout": "5"})
    producer = Producer(moto, queue["QueueUrl"], objects)
    producer.put_backlog()
    source: dict[str, Any] = {
        "type": "s3",
        "bucket": BUCKET,
        "prefix": "dc",
        "follow": True,
        "notices": {"sqs_url": queue["QueueUrl"]},
        "relist": "10s",
        "region": REGION,
        "endpoint_url": moto.url,
    }
    config = jobs.config(
        jobs.learn(tmp_path),
        job="killed",
        source=source,
        readers=readers,
        window="5s",
        idle="20s",
        grace="20s",
        lateness="1h",
        variant={"from": "const", "name": "all"},
    )
    service = RunningService(tmp_path / "run", config, moto.env)
    random = Random(9)
    with service:
        producer.thread.start()
        for _ in range(kills):
            time.sleep(random.uniform(0.8, 3.0))
            kill_at_random(service, random)
        producer.thread.join()
        service.until(lambda: service.accepted() == objects * PER_OBJECT, 120)
        last_end_ms = START_MS + objects * PER_OBJECT * 1000 // PER_S
        service.until(
            lambda: max((end for _, end in newest(service.reports())), default=0) >= last_end_ms,
            90,
        )
        assert service.metric("driftline_ledger_imbalance") == 0
        assert service.stop() == 0
    expected = Counter(
        (START_MS + k * 1000 // PER_S) // WINDOW_MS * WINDOW_MS + WINDOW_MS
        for k in range(objects * PER_OBJECT)
    )
    reported = {end: report.rows for (_, end), report in newest(service.reports()).items()}
    assert {end: rows for end, rows in reported.items() if rows} == dict(expected)
    assert not (tmp_path / "run" / "dead-letters-killed.jsonl").exists()
    assert '"event": "gap"' not in service.log
