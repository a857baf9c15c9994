"""The contract of every source in ``stream/sources/``; a new one adds its :class:`Rig`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, Protocol

import pytest

from detectors.components import find
from stream.events import Assign, Gap, Position, RawBatch
from stream.sources.base import Reading, Source
from stream.sources.jsonl.source import Jsonl
from stream.sources.kafka.source import Kafka
from stream.sources.kinesis.source import Kinesis
from tests.servers.kafka import KafkaBroker
from tests.servers.kinesis import KinesisEmulator

RECORDS = [b'{"n": %d, "text": "\xc3\xa9 \\"quoted\\""}' % n for n in range(40)]


class Rig(Protocol):
    """A log that a test can write to and whose beginning it can remove, and its source."""

    def source(self) -> Source: ...

    def write(self, values: list[bytes]) -> None: ...

    def lose_the_beginning(self) -> None:
        """Remove all records that the partitions hold now; what is written later stays."""

    def position_before(self, batch: RawBatch, at: int) -> Position:
        """The position before record ``at`` of a batch: its own, unless positions name the record
        that was read last."""


class KafkaRig:
    def __init__(
        self, broker: KafkaBroker, topic: str, client: Literal["columns", "plain", "fast"]
    ) -> None:
        self._broker, self._topic, self._written, self._client = broker, topic, [0, 0], client

    def source(self) -> Kafka:
        return Kafka(
            bootstrap_servers=[self._broker.bootstrap], topic=self._topic, client=self._client
        )

    def write(self, values: list[bytes]) -> None:
        self._broker.produce(
            self._topic,
            [(n % 2, None, value, [], 1_700_000_000_000 + n) for n, value in enumerate(values)],
        )
        self._written = [
            self._written[0] + (len(values) + 1) // 2,
            self._written[1] + len(values) // 2,
        ]

    def position_before(self, batch: RawBatch, at: int) -> Position:
        return batch.positions[at]

    def lose_the_beginning(self) -> None:
        for partition, written in enumerate(self._written):
            self._broker.delete_records(self._topic, partition, written)


class KinesisRig:
    """An emulator without retention: the beginning is lost by recreating the stream."""

    def __init__(self, emulator: KinesisEmulator, stream: str) -> None:
        self._emulator, self._stream = emulator, stream

    def source(self) -> Kinesis:
        return Kinesis(stream=self._stream, region="us-east-1", endpoint_url=self._emulator.url)

    def write(self, values: list[bytes]) -> None:
        self._emulator.put(self._stream, values)

    def lose_the_beginning(self) -> None:
        self._emulator.delete(self._stream)
        self._emulator.create(self._stream, 2)

    def position_before(self, batch: RawBatch, at: int) -> Position:
        return batch.positions[at - 1]


class FileRig:
    def __init__(self, path: Path) -> None:
        self._path = path / "events.jsonl"
        self._path.touch()

    def source(self) -> Jsonl:
        return Jsonl(path=str(self._path), follow=True)

    def write(self, values: list[bytes]) -> None:
        with self._path.open("ab") as file:
            file.writelines(value + b"\n" for value in values)

    def lose_the_beginning(self) -> None:
        self._path.write_bytes(b"")

    def position_before(self, batch: RawBatch, at: int) -> Position:
        return batch.positions[at]


class FolderRig:
    def __init__(self, path: Path) -> None:
        self._folder, self._files = path, 0

    def source(self) -> Jsonl:
        return Jsonl(path=str(self._folder), follow=True)

    def write(self, values: list[bytes]) -> None:
        for start in range(0, len(values), 7):
            self._files += 1
            lines = b"".join(value + b"\n" for value in values[start : start + 7])
            (self._folder / f"hour-{self._files // 4:02d}").mkdir(exist_ok=True)
            (
                self._folder / f"hour-{self._files // 4:02d}" / f"part-{self._files:04d}.jsonl"
            ).write_bytes(lines)

    def lose_the_beginning(self) -> None:
        for file in self._folder.rglob("*.jsonl"):
            file.unlink()

    def position_before(self, batch: RawBatch, at: int) -> Position:
        return batch.positions[at]


RIGS = {
    "kafka-columns": "kafka",
    "kafka-plain": "kafka",
    "kafka-fast": "kafka",
    "kinesis": "kinesis",
    "jsonl": "jsonl",
    "jsonl-folder": "jsonl",
}
"""Rig -> the type of the source it tests."""


def marks_of(name: str) -> list[pytest.MarkDecorator]:
    server = RIGS[name]
    return [] if server == "jsonl" else [getattr(pytest.mark, server)]


@pytest.fixture(params=[pytest.param(name, marks=marks_of(name)) for name in RIGS])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    if request.param.startswith("kafka"):
        make_topic: Callable[[int], str] = request.getfixturevalue("make_topic")
        return KafkaRig(
            request.getfixturevalue("kafka"), make_topic(2), request.param.removeprefix("kafka-")
        )
    if request.param == "kinesis":
        return KinesisRig(
            request.getfixturevalue("kinesis"), request.getfixturevalue("make_stream")(2)
        )
    return FileRig(tmp_path) if request.param == "jsonl" else FolderRig(tmp_path)


@pytest.fixture
def opened(rig: Rig) -> Iterator[Callable[[], Reading]]:
    readings: list[Reading] = []

    def open_another() -> Reading:
        readings.append(rig.source().open("contract"))
        return readings[-1]

    yield open_another
    for reading in readings:
        reading.close()


def assign_all(reading: Reading) -> dict[str, Position]:
    """Assign every partition at its start; return the starts."""
    starts = {partition.partition: partition.start for partition in reading.discover()}
    assert reading.assign([Assign(1, name, start, None) for name, start in starts.items()]) == []
    return starts


def read(
    reading: Reading, count: int, max_records: int = 1000, timeout_s: float = 20.0
) -> list[RawBatch]:
    """Poll until ``count`` records are read; at most one batch a partition and call."""
    batches: list[RawBatch] = []
    deadline = time.monotonic() + timeout_s
    while sum(len(batch.values) for batch in batches) < count:
        assert time.monotonic() < deadline, "records are missing"
        polled = reading.poll(0.2, max_records)
        new = batches_in(polled)
        assert len(new) == len(polled), polled
        assert len({batch.partition for batch in new}) == len(new)
        assert sum(len(batch.values) for batch in new) <= max_records
        batches += new
    return batches


def batches_in(results: list[RawBatch | Gap]) -> list[RawBatch]:
    return [result for result in results if isinstance(result, RawBatch)]


def values(batches: list[RawBatch]) -> list[bytes | None]:
    return sorted((value for batch in batches for value in batch.values), key=repr)


def until_at_end(reading: Reading, partitions: set[str]) -> list[RawBatch | Gap]:
    """Poll until every partition has reported that it is at its end."""
    results: list[RawBatch | Gap] = []
    waiting = set(partitions)
    deadline = time.monotonic() + 20.0
    while waiting:
        assert time.monotonic() < deadline, f"{waiting} never reported their end"
        polled = reading.poll(0.2, 1000)
        waiting -= {batch.partition for batch in batches_in(polled) if batch.at_end}
        results += polled
    return results


def test_every_source_has_a_rig() -> None:
    assert set(find("stream.sources", Source, "driftline.sources")) == set(RIGS.values())


def test_the_folder_is_named_like_the_type(rig: Rig) -> None:
    tag = rig.source().__struct_config__.tag
    assert type(rig.source()).__module__.startswith(f"stream.sources.{tag}.")
    assert rig.source().check() == []


def test_all_records_are_read_once_in_the_order_of_their_partition(
    rig: Rig, opened: Callable[[], Reading]
) -> None:
    rig.write(RECORDS)
    reading = opened()
    starts = assign_all(reading)
    batches = read(reading, len(RECORDS), max_records=9)
    assert values(batches) == sorted(RECORDS)
    for partition in starts:
        order = [
            value for batch in batches if batch.partition == partition for value in batch.values
        ]
        assert order == sorted(order, key=lambda value: RECORDS.index(value or b""))
    assert not reading.finished


def test_batches_of_a_partition_are_contiguous(rig: Rig, opened: Callable[[], Reading]) -> None:
    rig.write(RECORDS)
    reading = opened()
    expected = assign_all(reading)
    for batch in read(reading, len(RECORDS), max_records=7):
        assert batch.first == expected[batch.partition]
        assert len(batch.values) == len(batch.positions) == len(batch.arrival_ms)
        expected[batch.partition] = batch.next


def test_reading_begins_at_the_record_that_a_position_names(
    rig: Rig, opened: Callable[[], Reading]
) -> None:
    rig.write(RECORDS)
    first = opened()
    assign_all(first)
    batches = read(first, len(RECORDS))
    second = opened()
    for batch in [batch for batch in batches if len(batch.values) > 3]:
        at = 3
        assert (
            second.assign([Assign(2, batch.partition, rig.position_before(batch, at), None)]) == []
        )
        count = len(batch.values) - at
        reread = [
            result
            for result in read(second, count)
            if result.partition == batch.partition and result.values
        ]
        assert reread[0].first == rig.position_before(batch, at)
        assert [value for result in reread for value in result.values][:count] == batch.values[at:]
        second.assign([Assign(3, batch.partition, batch.next, None)])


def test_a_second_reading_continues_where_the_first_stopped(
    rig: Rig, opened: Callable[[], Reading]
) -> None:
    rig.write(RECORDS)
    first = opened()
    positions = assign_all(first)
    before = read(first, 15, max_records=5)
    positions |= {batch.partition: batch.next for batch in before}
    first.close()
    second = opened()
    assert (
        second.assign(
            [Assign(2, partition, position, None) for partition, position in positions.items()]
        )
        == []
    )
    after = read(second, len(RECORDS) - sum(len(batch.values) for batch in before))
    assert values(before + after) == sorted(RECORDS)


def test_every_call_reports_each_partition_at_its_end(
    rig: Rig, opened: Callable[[], Reading]
) -> None:
    rig.write(RECORDS)
    reading = opened()
    starts = assign_all(reading)
    results = until_at_end(reading, set(starts))
    assert values(batches_in(results)) == sorted(RECORDS)
    for _ in range(3):
        polled = reading.poll(0.1, 1000)
        assert {batch.partition for batch in batches_in(polled) if batch.at_end} == set(starts)


def test_records_that_are_written_later_are_read(rig: Rig, opened: Callable[[], Reading]) -> None:
    rig.write(RECORDS[:10])
    reading = opened()
    starts = assign_all(reading)
    until_at_end(reading, set(starts))
    rig.write(RECORDS[10:])
    assert values(read(reading, len(RECORDS) - 10)) == sorted(RECORDS[10:])


def test_arrival_is_known_and_not_in_the_future(rig: Rig, opened: Callable[[], Reading]) -> None:
    rig.write(RECORDS)
    reading = opened()
    assign_all(reading)
    arrivals = [int(ms) for batch in read(reading, len(RECORDS)) for ms in batch.arrival_ms]
    assert all(1_600_000_000_000 < ms <= time.time() * 1000 + 1000 for ms in arrivals)


def test_nothing_is_read_before_assignment(rig: Rig, opened: Callable[[], Reading]) -> None:
    rig.write(RECORDS)
    assert opened().poll(0.3, 1000) == []


def test_a_poll_lasts_for_its_time_out(rig: Rig, opened: Callable[[], Reading]) -> None:
    rig.write(RECORDS)
    reading = opened()
    until_at_end(reading, set(assign_all(reading)))
    began = time.monotonic()
    reading.poll(0.3, 1000)
    # A busy machine adds to it; a client that waits for a response takes longer.
    assert 0.2 < time.monotonic() - began < 2.5


def test_a_lost_position_is_one_gap_and_reading_resumes_when_assigned(
    rig: Rig, opened: Callable[[], Reading]
) -> None:
    rig.write(RECORDS)
    first = opened()
    starts = assign_all(first)
    middle: dict[str, Position] = {}
    for batch in [batch for batch in read(first, len(RECORDS)) if batch.values]:
        middle[batch.partition] = batch.positions[-1]
    first.close()
    rig.lose_the_beginning()
    rig.write(RECORDS[:6])

    reading = opened()
    gaps = reading.assign(
        [Assign(2, partition, position, None) for partition, position in middle.items()]
    )
    assert {gap.partition: gap.expected for gap in gaps} == middle
    assert set(middle) == set(starts)
    assert reading.poll(0.3, 1000) == []
    assert reading.assign([Assign(3, gap.partition, gap.resume, None) for gap in gaps]) == []
    assert values(read(reading, 6)) == sorted(RECORDS[:6])


def test_positions_can_be_published_and_closing_twice_is_harmless(
    rig: Rig, opened: Callable[[], Reading]
) -> None:
    rig.write(RECORDS)
    reading = opened()
    reading.publish_positions(assign_all(reading))
    reading.close()
    reading.close()
