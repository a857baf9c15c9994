"""Records that a Kafka client cannot read: they are read in another way, or a gap says where."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest
from structlog.testing import capture_logs

from stream.events import Assign, Gap, RawBatch
from stream.sources.base import Reading
from stream.sources.kafka import stalls
from stream.sources.kafka.source import Kafka
from stream.testing.source import assign_all
from tests.servers.kafka import KafkaBroker, Record

MakeTopic = Callable[..., str]
Open = Callable[..., Reading]
BATCH_HEADER_BYTES = 61


class Latin1(str):
    """A header's name that a producer encodes otherwise than in UTF-8."""

    __slots__ = ()

    def encode(self, *_: Any, **__: Any) -> bytes:
        return super().encode("latin-1")


@pytest.fixture(params=["columns", "plain", "fast"])
def client(request: pytest.FixtureRequest) -> str:
    """Each of the three clients; they must behave the same."""
    return str(request.param)


@pytest.fixture
def open_source(client: str) -> Iterator[Open]:
    opened: list[Reading] = []

    def open_topic(broker: KafkaBroker, topic: str, **fields: Any) -> Reading:
        source = Kafka(bootstrap_servers=[broker.bootstrap], topic=topic, client=client, **fields)  # type: ignore[arg-type]
        opened.append(source.open(f"job-{topic}"))
        return opened[-1]

    yield open_topic
    for reading in opened:
        reading.close()


def record(
    n: int, partition: int = 0, headers: list[tuple[str, bytes | None]] | None = None
) -> Record:
    return (partition, b"key", b"%d" % n, headers or [], 1_700_000_000_000)


def read_all(reading: Reading, ends: dict[str, int]) -> tuple[list[RawBatch], list[Gap]]:
    """Read until every partition is at its end, and continue after gaps as the service does."""
    batches: list[RawBatch] = []
    gaps: list[Gap] = []
    deadline = time.monotonic() + 40
    at: dict[str, Any] = {}
    while any(at.get(name) != end for name, end in ends.items()):
        assert time.monotonic() < deadline, (at, gaps)
        for result in reading.poll(0.2, 1_000):
            if isinstance(result, Gap):
                gaps.append(result)
                assign = Assign(
                    claim=2, partition=result.partition, next=result.resume, mark_ms=None
                )
                assert reading.assign([assign]) == []
            else:
                batches.append(result)
                assert not isinstance(result.next, int)
                at[result.partition] = result.next[1]
    return batches, gaps


def begin(reading: Reading, partition: str) -> str:
    """Assign every partition at its start; return the id of the topic."""
    start = assign_all(reading)[partition]
    assert not isinstance(start, int)
    return start[0]


def values(batches: list[RawBatch], partition: str) -> list[int]:
    return [
        int(value or b"-1")
        for batch in batches
        if batch.partition == partition
        for value in batch.values
    ]


def test_a_header_whose_name_is_not_utf_8_costs_no_record(
    kafka: KafkaBroker, make_topic: MakeTopic, open_source: Open
) -> None:
    """It lies in the middle of a record batch, and a second partition has no such record."""
    topic = make_topic(2)
    odd: list[tuple[str, bytes | None]] = [("good", b"1"), (Latin1("modèle"), b"2")]
    kafka.produce(
        topic,
        [
            record(n, partition, odd if n in (37, 38, 99) and partition == 0 else [])
            for n in range(100)
            for partition in (0, 1)
        ],
    )
    kafka.produce(topic, [record(n) for n in range(100, 150)])
    reading = open_source(kafka, topic)
    assign_all(reading)
    batches, gaps = read_all(reading, {f"{topic}-0": 150, f"{topic}-1": 100})
    assert gaps == []
    assert values(batches, f"{topic}-0") == list(range(150))
    assert values(batches, f"{topic}-1") == list(range(100))
    found = [dict(of_record) for batch in batches for of_record in batch.headers if of_record]
    assert [headers["good"] for headers in found] == [b"1"] * 3
    assert "modèle" not in found[0]


def test_each_record_of_a_topic_may_have_such_a_header(
    kafka: KafkaBroker, make_topic: MakeTopic, open_source: Open
) -> None:
    topic = make_topic()
    kafka.produce(topic, [record(n, headers=[(Latin1("é"), b"")]) for n in range(3_000)])
    reading = open_source(kafka, topic)
    assign_all(reading)
    batches, gaps = read_all(reading, {f"{topic}-0": 3_000})
    assert gaps == []
    assert values(batches, f"{topic}-0") == list(range(3_000))


@pytest.mark.parametrize(
    ("client", "damaged"),
    [(name, byte) for name in ("columns", "plain") for byte in ("content", "length")]
    + [("fast", "length")],
    indirect=["client"],
)
def test_a_damaged_batch_is_passed_over_as_a_gap_that_says_where(
    own_kafka: KafkaBroker, open_source: Open, damaged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk of the broker changed a byte of the second of three batches.

    librdkafka verifies no checksum, and stalls silently on wrong lengths.
    """
    monkeypatch.setattr(stalls, "STALLED_S", 3.0)
    own_kafka.create_topic("damaged", 2)
    for start, stop in ((0, 20), (20, 50), (50, 60)):
        own_kafka.produce("damaged", [record(n) for n in range(start, stop)])
    own_kafka.produce("damaged", [record(n, 1) for n in range(10)])
    own_kafka.stop()
    damage(own_kafka.dir / "data" / "damaged-0", batch=1, at=8 if damaged == "content" else 4)
    own_kafka.start()
    reading = open_source(own_kafka, "damaged")
    topic_id = begin(reading, "damaged-0")
    with capture_logs() as lines:
        batches, gaps = read_all(reading, {"damaged-0": 60, "damaged-1": 10})
    assert values(batches, "damaged-0") == [*range(20), *range(50, 60)]
    assert values(batches, "damaged-1") == list(range(10))
    (gap,) = gaps
    assert (gap.partition, gap.expected, gap.resume, gap.lost) == (
        "damaged-0",
        (topic_id, 20),
        (topic_id, 50),
        30,
    )
    assert gap.reason.startswith("offset 20 is unreadable after 3 tries: ")
    assert "CRC" in gap.reason
    (line,) = [line for line in lines if line["event"] == "records_unreadable"]
    assert (line["partition"], line["offset"], line["log_level"]) == ("damaged-0", 20, "warning")


def damage(folder: Path, batch: int, at: int) -> None:
    """Change a byte in the records of a batch of a partition's log."""
    (log,) = folder.glob("*.log")
    content = bytearray(log.read_bytes())
    start = 0
    for _ in range(batch):
        start += 12 + int.from_bytes(content[start + 8 : start + 12], "big")
    content[start + BATCH_HEADER_BYTES + at] ^= 0x80
    log.write_bytes(content)


@pytest.mark.parametrize(
    ("client", "codec"),
    [(name, codec) for name in ("columns", "plain") for codec in ("zstd", "gzip", "lz4")]
    + [("fast", "zstd")],
    indirect=["client"],
)
def test_a_batch_that_is_too_large_uncompressed_is_passed_over_as_a_gap(
    kafka: KafkaBroker, make_topic: MakeTopic, open_source: Open, client: str, codec: str
) -> None:
    """librdkafka has no limit for gzip and lz4, and one of 50 MB or more for zstd."""
    topic = make_topic()
    kafka.produce(topic, [record(n) for n in range(10)])
    produce_large(kafka, topic, codec, megabytes=90 if client == "fast" else 12)
    kafka.produce(topic, [record(n) for n in range(11, 20)])
    reading = open_source(kafka, topic, max_batch_bytes=8 << 20)
    topic_id = begin(reading, f"{topic}-0")
    batches, gaps = read_all(reading, {f"{topic}-0": 20})
    assert values(batches, f"{topic}-0") == [*range(10), *range(11, 20)]
    (gap,) = gaps
    assert (gap.expected, gap.resume, gap.lost) == ((topic_id, 10), (topic_id, 11), 1)
    assert "more than 8388608 bytes uncompressed (source.max_batch_bytes)" in gap.reason


def test_a_batch_within_the_limit_is_read_whatever_the_client_refuses(
    kafka: KafkaBroker, make_topic: MakeTopic, open_source: Open
) -> None:
    """librdkafka guesses the size of such a batch, and gives up at a third of its own limit."""
    topic = make_topic()
    kafka.produce(topic, [record(0)])
    produce_large(kafka, topic, "zstd", megabytes=30)
    kafka.produce(topic, [record(2)])
    reading = open_source(kafka, topic)
    assign_all(reading)
    batches, gaps = read_all(reading, {f"{topic}-0": 3})
    assert gaps == []
    sizes = [len(value or b"") for batch in batches for value in batch.values]
    assert sizes == [1, 30 << 20, 1]


def produce_large(kafka: KafkaBroker, topic: str, codec: str, megabytes: int) -> None:
    """Produce a record of blanks, which are a few kilobytes when compressed."""
    producer = confluent_kafka.Producer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "compression.type": codec,
            "message.max.bytes": 1_000_000_000,
        }
    )
    refused: list[Any] = []
    producer.produce(
        topic,
        b" " * (megabytes << 20),
        partition=0,
        on_delivery=lambda error, _: refused.append(error),
    )
    producer.flush(60)
    assert refused == [None]
