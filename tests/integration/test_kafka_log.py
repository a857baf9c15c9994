"""Kafka logs as read by each of the three clients: codecs, holes, transactions, lag."""

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
ClientName = Literal["columns", "plain", "fast"]
CLIENTS: list[ClientName] = ["columns", "plain", "fast"]
OLD_MS = 1_700_000_000_000


def read(reading: Reading, count: int, max_records: int = 1_000) -> list[RawBatch]:
    batches: list[RawBatch] = []
    deadline = time.monotonic() + 30
    while sum(len(batch.values) for batch in batches) < count:
        assert time.monotonic() < deadline, batches
        for result in reading.poll(0.2, max_records):
            assert not isinstance(result, Gap), result
            batches.append(result)
    return batches


def opened(
    kafka: KafkaBroker, topic: str, client: ClientName, offset: int | None = None
) -> Reading:
    source = Kafka(bootstrap_servers=[kafka.bootstrap], topic=topic, client=client)
    reading = source.open(f"log-{topic}")
    for partition in reading.discover():
        assert not isinstance(partition.start, int)
        start = partition.start if offset is None else (partition.start[0], offset)
        assert (
            reading.assign(
                [Assign(claim=1, partition=partition.partition, next=start, mark_ms=None)]
            )
            == []
        )
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
    """Every column of each record; a batch without headers has none in any record."""
    return [
        (position, value, key, headers, int(arrival_ms))
        for batch in batches
        for position, value, key, headers, arrival_ms in zip(
            batch.positions,
            batch.values,
            batch.keys,
            batch.headers or [[]] * len(batch.values),
            batch.arrival_ms,
            strict=True,
        )
    ]


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
def test_all_clients_read_the_same_records_from_each_codec(
    kafka: KafkaBroker, make_topic: MakeTopic, codec: str | None
) -> None:
    topic = make_topic()
    values: list[bytes | None] = [
        None if k % 50 == 7 else b"x" * (k % 200) + b"%d" % k for k in range(2_000)
    ]
    write(kafka, topic, values, compression_type=codec)
    read_by = []
    for client in CLIENTS:
        reading = opened(kafka, topic, client)
        batches = read(reading, len(values), max_records=333)
        assert all(len(batch.values) <= 333 for batch in batches)
        assert [batch.next for batch in batches[:-1]] == [batch.first for batch in batches[1:]]
        read_by.append(columns(batches))
        reading.close()
    assert [row[1] for row in read_by[0]] == values
    assert [row[4] for row in read_by[0]] == [OLD_MS + k for k in range(len(values))]
    assert read_by[0] == read_by[1] == read_by[2]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_start_inside_a_record_batch_begins_at_that_record(
    kafka: KafkaBroker, make_topic: MakeTopic, client: ClientName
) -> None:
    topic = make_topic()
    write(kafka, topic, [b"%d" % k for k in range(500)], compression_type="zstd")
    reading = opened(kafka, topic, client, 123)
    batches = read(reading, 377, max_records=100)
    assert [value for batch in batches for value in batch.values] == [
        b"%d" % k for k in range(123, 500)
    ]
    reading.close()


@pytest.mark.parametrize("client", CLIENTS)
def test_arrival_is_the_brokers_time_with_log_append_time(
    kafka: KafkaBroker, make_topic: MakeTopic, client: ClientName
) -> None:
    topic = make_topic(1, {"message.timestamp.type": "LogAppendTime"})
    before = int(time.time() * 1000)
    write(kafka, topic, [b"a", b"b", b"c"])
    reading = opened(kafka, topic, client)
    arrivals = [row[4] for row in columns(read(reading, 3))]
    assert all(isinstance(at, int) and before <= at <= time.time() * 1000 for at in arrivals)
    reading.close()


def test_all_clients_pass_the_holes_of_a_compacted_log(
    kafka: KafkaBroker, make_topic: MakeTopic
) -> None:
    topic = make_topic(
        1, {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", "segment.ms": "100"}
    )
    for turn in range(4):  # a segment is rolled when the time of its records has advanced
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
        batches = until_end(reading)
        reading.close()
        if len(columns(batches)) < 200:
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
        polled = reading.poll(0.2, 1_000)
        batches += [result for result in polled if isinstance(result, RawBatch)]
    return batches


@pytest.mark.parametrize("client", CLIENTS)
def test_lag_is_the_distance_from_a_position_to_the_end(
    kafka: KafkaBroker, make_topic: MakeTopic, client: ClientName
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
def test_an_open_transaction_holds_back_later_records_and_lag_counts_markers(
    kafka: KafkaBroker, make_topic: MakeTopic, client: ClientName
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
    kafka.produce(topic, [(0, None, b"after it", [], OLD_MS)])
    reading = opened(kafka, topic, client)
    batches = until_end(reading)
    until = time.monotonic() + 2.0
    while time.monotonic() < until:
        polled = reading.poll(0.2, 100)
        batches += [result for result in polled if isinstance(result, RawBatch)]
    assert [value for batch in batches for value in batch.values] == [b"done"]
    first = batches[0].first
    stable = batches[-1].next
    assert isinstance(first, tuple)
    assert stable == (first[0], 2)
    assert reading.lag({f"{topic}-0": stable}) == {f"{topic}-0": 0}
    producer.commit_transaction()
    producer.close()
    assert [value for batch in read(reading, 2) for value in batch.values] == [
        b"open",
        b"after it",
    ]
    assert until_end(reading)[-1].next == (first[0], 5)
    assert reading.lag({f"{topic}-0": first}) == {f"{topic}-0": 5}, "three records and two markers"
    reading.close()


def test_new_partitions_start_at_their_first_record_while_others_are_assigned_elsewhere(
    kafka: KafkaBroker, make_topic: MakeTopic
) -> None:
    """This is the case of an owner with reader processes, which only discovers partitions."""
    topic = make_topic(2)
    kafka.produce(topic, [(number, None, b"x", [], OLD_MS) for number in (0, 1)])
    reading = Kafka(bootstrap_servers=[kafka.bootstrap], topic=topic, start="latest").open("owner")
    assert starts(reading) == [1, 1]
    reading.assigned_elsewhere({f"{topic}-0": 0})
    assert starts(reading) == [0, 0]
    reading.close()


def starts(reading: Reading) -> list[int]:
    """The offsets at which the discovered partitions start."""
    discovered = [partition.start for partition in reading.discover()]
    return [start[1] for start in discovered if isinstance(start, tuple)]
