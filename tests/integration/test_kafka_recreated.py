"""A Kafka topic that is recreated again and again under load: no record is read twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Literal

import confluent_kafka
import pytest

from stream.events import Assign, Gap
from stream.sources.base import Reading
from stream.sources.kafka.source import Kafka
from stream.testing.source import assign_all
from tests.servers.kafka import KafkaBroker

PARTITIONS = 2
PER_SECOND = 4_000
TIMES = 4
REACTION_S = 0.6
"""The time after which the service reads on after a gap."""


COUNTING_S = 0.03
"""The time in which the service counts what it read: the client finds truncations meanwhile."""


class Producer:
    """Produces each number once, in whichever topic has the name then; refused ones are lost."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._topic = topic
        self._stopping = threading.Event()
        self._producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": bootstrap,
                "retries": 0,
                "linger.ms": 5,
                "topic.metadata.refresh.interval.ms": 300,
                "partitioner": "random",
                "log_level": 0,
            }
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(30)

    def _run(self) -> None:
        produced, began_s = 0, time.monotonic()
        while not self._stopping.is_set():
            while produced < (time.monotonic() - began_s) * PER_SECOND:
                self._producer.produce(self._topic, b"%d" % produced)
                produced += 1
            self._producer.poll(0.01)
        self._producer.flush(10)


@pytest.fixture(params=["columns", "plain", "fast"])
def reading(request: pytest.FixtureRequest, own_kafka: KafkaBroker) -> Iterator[Reading]:
    client: Literal["columns", "plain", "fast"] = request.param
    own_kafka.create_topic("recreated", PARTITIONS)
    source = Kafka(bootstrap_servers=[own_kafka.bootstrap], topic="recreated", client=client)
    opened = source.open("job")
    yield opened
    opened.close()


def test_a_topic_recreated_under_load_is_never_read_twice(
    own_kafka: KafkaBroker, reading: Reading
) -> None:
    assign_all(reading)
    producer = Producer(own_kafka.bootstrap, "recreated")
    recreating = threading.Thread(target=recreate, args=(own_kafka,))
    recreating.start()
    numbers: list[int] = []
    gaps: list[Gap] = []
    waiting: list[tuple[float, Gap]] = []
    end_s = float("inf")
    while time.monotonic() < end_s:
        for result in reading.poll(0.1, 1_000):
            if isinstance(result, Gap):
                gaps.append(result)
                waiting.append((time.monotonic() + REACTION_S, result))
            else:
                numbers += [int(value or b"-1") for value in result.values]
        time.sleep(COUNTING_S)
        while waiting and waiting[0][0] < time.monotonic():
            resume(reading, waiting.pop(0)[1])
        if end_s == float("inf") and not recreating.is_alive():
            producer.stop()
            end_s = time.monotonic() + 3.0
    assert len(numbers) == len(set(numbers))
    assert {gap.reason for gap in gaps} == {"the topic was recreated"}
    assert len(gaps) <= TIMES * PARTITIONS
    assert len(numbers) > PER_SECOND


def recreate(broker: KafkaBroker) -> None:
    for _ in range(TIMES):
        time.sleep(2.0)
        broker.delete_topic("recreated")
        broker.create_topic("recreated", PARTITIONS)
    time.sleep(2.0)


def resume(reading: Reading, gap: Gap) -> None:
    assign = Assign(claim=2, partition=gap.partition, next=gap.resume, mark_ms=None)
    for again in reading.assign([assign]):
        resume(reading, again)
