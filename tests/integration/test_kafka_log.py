"""The log's own surprises, for each of the three clients: codecs, holes, times of the broker, a
start inside a batch."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal

import kafka as kafka_client
import pytest

from stream.events import Assign, Gap, RawBatch
from stream.sources.base import Reading
from stream.sources.kafka.source import Kafka
from tests.servers.kafka import KafkaBroker

MakeTopic = Callable[..., str]
Name = Literal["columns", "plain", "fast"]
CLIENTS: list[Name] = ["columns", "plain", "fast"]
OLD_MS = 1_700_000_000_000


def read(reading: Reading, count: int, most: int = 1_000) -> list[RawBatch]:
    batches: list[RawBatch] = []
    deadline = time.monotonic() + 30
    while sum(len(batch.values) for batch in batches) < count:
        assert time.monotonic() < deadline, batches
        for one in reading.poll(0.2, most):
            assert not isinstance(one, Gap), one
            batches.append(one)
    return batches


def opened(kafka: KafkaBroker, topic: str, client: Name, offset: int | None = None) -> Reading:
    reading = Kafka(bootstrap_servers=[kafka.bootstrap], topic=topic, client=client).open(
        f"log-{topic}"
    )
    for found in reading.discover():
        assert not isinstance(found.start, int)
        start = found.start if offset is None else (found.start[0], offset)
        assert reading.assign([Assign(1, found.partition, start, None)]) == []
    return reading


def write(kafka: KafkaBroker, topic: str, values: list[bytes | None], **settings: Any) -> None:
    producer = kafka_client.KafkaProducer(
        bootstrap_servers=kafka.bootstrap, linger_ms=100, batch_size=64 << 10, **settings
    )
    for k, value in enumerate(values):
        headers = [("a", b"1"), ("empty", b"")] if k % 3 == 0 else []
        producer.send(
            topic,
            key=b"k%d" % (k % 7) if k % 2 else None,
            value=value,
            headers=headers,
            partition=0,
            timestamp_ms=OLD_MS + k,
        )
    producer.flush()
    producer.close()


def columns(batches: list[RawBatch]) -> list[tuple[object, ...]]:
    """Everything that is known of each record. (No headers at all: no record has any.)"""
    return [
        (position, value, key, headers, int(at))
        for batch in batches
        for position, value, key, headers, at in zip(
            batch.positions,
            batch.values,
            batch.keys,
            batch.headers or [[]] * len(batch.values),
            batch.arrival_ms,
            strict=True,
        )
    ]


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
def test_all_clients_read_the_same_from_each_codec(
    kafka: KafkaBroker, make_topic: MakeTopic, codec: str | None
) -> None:
    topic = make_topic()
    values: list[bytes | None] = [
        None if k % 50 == 7 else b"x" * (k % 200) + b"%d" % k for k in range(2_000)
    ]
    write(kafka, topic, values, compression_type=codec)
    seen = []
    for client in CLIENTS:
        reading = opened(kafka, topic, client)
        batches = read(reading, len(values), most=333)
        assert all(len(batch.values) <= 333 for batch in batches)
        assert [batch.next for batch in batches[:-1]] == [batch.first for batch in batches[1:]]
        seen.append(columns(batches))
        reading.close()
    assert [row[1] for row in seen[0]] == values
    assert [row[4] for row in seen[0]] == [OLD_MS + k for k in range(len(values))]
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_start_inside_a_batch_begins_at_that_record(
    kafka: KafkaBroker, make_topic: MakeTopic, client: Name
) -> None:
    topic = make_topic()
    write(kafka, topic, [b"%d" % k for k in range(500)], compression_type="zstd")
    reading = opened(kafka, topic, client, 123)
    batches = read(reading, 377, most=100)
    assert [value for batch in batches for value in batch.values] == [
        b"%d" % k for k in range(123, 500)
    ]
    reading.close()


@pytest.mark.parametrize("client", CLIENTS)
def test_the_brokers_time_is_the_arrival_where_the_topic_says_so(
    kafka: KafkaBroker, make_topic: MakeTopic, client: Name
) -> None:
    topic = make_topic(1, {"message.timestamp.type": "LogAppendTime"})
    before = int(time.time() * 1000)
    write(kafka, topic, [b"a", b"b", b"c"])
    reading = opened(kafka, topic, client)
    arrivals = [row[4] for row in columns(read(reading, 3))]
    assert all(isinstance(at, int) and before <= at <= time.time() * 1000 for at in arrivals)
    reading.close()


def test_holes_of_a_compacted_log_are_passed_by_all_clients_alike(
    kafka: KafkaBroker, make_topic: MakeTopic
) -> None:
    topic = make_topic(
        1, {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", "segment.ms": "100"}
    )
    for turn in range(4):  # a segment ends when the records' own time has gone on
        kafka.produce(
            topic,
            [
                (0, b"key %d" % (k % 10), b"%d-%d" % (turn, k), [], OLD_MS + turn * 1_000)
                for k in range(50)
            ],
        )
    deadline = time.monotonic() + 60
    while True:
        reading = opened(kafka, topic, "plain")
        plain = until_end(reading)
        reading.close()
        if len(columns(plain)) < 200:
            break
        assert time.monotonic() < deadline, "the broker did not compact"
        time.sleep(1.0)
    for client in CLIENTS:
        reading = opened(kafka, topic, client)
        batches = until_end(reading)
        end = batches[-1].next
        assert isinstance(end, tuple)
        assert end[1] == 200
        assert {row[2] for row in columns(batches)} == {b"key %d" % k for k in range(10)}
        reading.close()


def until_end(reading: Reading) -> list[RawBatch]:
    batches: list[RawBatch] = []
    deadline = time.monotonic() + 30
    while not (batches and batches[-1].at_end):
        assert time.monotonic() < deadline
        batches += [one for one in reading.poll(0.2, 1_000) if isinstance(one, RawBatch)]
    return batches


@pytest.mark.parametrize("client", CLIENTS)
def test_lag_is_what_lies_between_a_position_and_the_end(
    kafka: KafkaBroker, make_topic: MakeTopic, client: Name
) -> None:
    topic = make_topic()
    write(kafka, topic, [b"%d" % k for k in range(50)])
    reading = opened(kafka, topic, client)
    end = until_end(reading)[-1].next
    assert isinstance(end, tuple)
    assert reading.lag({f"{topic}-0": (end[0], 20), "other-9": (end[0], 0)}) == {f"{topic}-0": 30}
    assert reading.lag({f"{topic}-0": ("another-topic", 20)}) == {}
    reading.close()


@pytest.mark.parametrize("client", CLIENTS)
def test_an_open_transaction_holds_back_what_lies_behind_it_and_lag_counts_markers_too(
    kafka: KafkaBroker, make_topic: MakeTopic, client: Name
) -> None:
    topic = make_topic()
    producer = kafka_client.KafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=topic)
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(topic, value=b"done", partition=0)
    producer.commit_transaction()
    producer.begin_transaction()
    producer.send(topic, value=b"open", partition=0)
    producer.flush()
    kafka.produce(topic, [(0, None, b"behind it", [], OLD_MS)])
    reading = opened(kafka, topic, client)
    seen, until = until_end(reading), time.monotonic() + 2.0
    while time.monotonic() < until:
        seen += [one for one in reading.poll(0.2, 100) if isinstance(one, RawBatch)]
    assert [value for batch in seen for value in batch.values] == [b"done"]
    first, stable = seen[0].first, seen[-1].next
    assert isinstance(first, tuple)
    assert stable == (first[0], 2)
    assert reading.lag({f"{topic}-0": stable}) == {f"{topic}-0": 0}
    producer.commit_transaction()
    producer.close()
    assert [value for batch in read(reading, 2) for value in batch.values] == [
        b"open",
        b"behind it",
    ]
    assert until_end(reading)[-1].next == (first[0], 5)
    assert reading.lag({f"{topic}-0": first}) == {f"{topic}-0": 5}, "three records and two markers"
    reading.close()


def test_what_appears_beside_partitions_that_others_read_begins_at_its_first_record(
    kafka: KafkaBroker, make_topic: MakeTopic
) -> None:
    """As for an owner whose reader processes read: it only looks for partitions."""
    topic = make_topic(2)
    kafka.produce(topic, [(number, None, b"x", [], OLD_MS) for number in (0, 1)])
    reading = Kafka(bootstrap_servers=[kafka.bootstrap], topic=topic, start="latest").open("owner")
    assert [found.start[1] for found in reading.discover() if isinstance(found.start, tuple)] == [
        1,
        1,
    ]
    reading.assigned_elsewhere([f"{topic}-0"])
    assert [found.start[1] for found in reading.discover() if isinstance(found.start, tuple)] == [
        0,
        0,
    ]
    reading.close()
