"""What every source in ``stream/sources/`` promises; a new one adds its :class:`Rig` and gets the
whole suite."""

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
    """A log that a test can write to and take the beginning from, and the source that reads it."""

    def source(self) -> Source: ...

    def write(self, values: list[bytes]) -> None: ...

    def lose_the_beginning(self) -> None:
        """Make the log forget what its partitions have held so far; what is written later stays."""

    def before(self, batch: RawBatch, at: int) -> Position:
        """Where reading begins with record ``at`` of a batch: its own position, unless positions
        name the record read last."""


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

    def before(self, batch: RawBatch, at: int) -> Position:
        return batch.positions[at]

    def lose_the_beginning(self) -> None:
        for partition, written in enumerate(self._written):
            self._broker.delete_records(self._topic, partition, written)


class KinesisRig:
    """An emulator: it has no retention, so the beginning is lost by making the stream anew."""

    def __init__(self, emulator: KinesisEmulator, stream: str) -> None:
        self._emulator, self._stream = emulator, stream

    def source(self) -> Kinesis:
        return Kinesis(stream=self._stream, region="us-east-1", endpoint_url=self._emulator.url)

    def write(self, values: list[bytes]) -> None:
        self._emulator.put(self._stream, values)

    def lose_the_beginning(self) -> None:
        self._emulator.delete(self._stream)
        self._emulator.create(self._stream, 2)

    def before(self, batch: RawBatch, at: int) -> Position:
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

    def before(self, batch: RawBatch, at: int) -> Position:
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

    def before(self, batch: RawBatch, at: int) -> Position:
        return batch.positions[at]


RIGS = {
    "kafka-columns": "kafka",
    "kafka-plain": "kafka",
    "kafka-fast": "kafka",
    "kinesis": "kinesis",
    "jsonl": "jsonl",
    "jsonl-folder": "jsonl",
}
"""Rig -> the module it tests."""


def marks_of(name: str) -> list[pytest.MarkDecorator]:
    part = RIGS[name]
    return [] if part == "jsonl" else [getattr(pytest.mark, part)]


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
    found = reading.discover()
    assert reading.assign([Assign(1, one.partition, one.start, None) for one in found]) == []
    return {one.partition: one.start for one in found}


def read(
    reading: Reading, count: int, max_records: int = 1000, timeout_s: float = 20.0
) -> list[RawBatch]:
    """Poll until ``count`` records came; at most one batch a partition and call."""
    batches: list[RawBatch] = []
    deadline = time.monotonic() + timeout_s
    while sum(len(batch.values) for batch in batches) < count:
        assert time.monotonic() < deadline, "records are missing"
        polled = reading.poll(0.2, max_records)
        got = [one for one in polled if isinstance(one, RawBatch)]
        assert len(got) == len(polled), polled
        assert len({batch.partition for batch in got}) == len(got)
        assert sum(len(batch.values) for batch in got) <= max_records
        batches += got
    return batches


def values(batches: list[RawBatch]) -> list[bytes | None]:
    return sorted((value for batch in batches for value in batch.values), key=repr)


def until_at_end(reading: Reading, partitions: set[str]) -> list[RawBatch | Gap]:
    """Poll until every partition has said that it is at its end."""
    seen: list[RawBatch | Gap] = []
    waiting = set(partitions)
    deadline = time.monotonic() + 20.0
    while waiting:
        assert time.monotonic() < deadline, f"{waiting} never said that they are at their end"
        polled = reading.poll(0.2, 1000)
        waiting -= {one.partition for one in polled if isinstance(one, RawBatch) and one.at_end}
        seen += polled
    return seen


def test_every_source_has_a_rig() -> None:
    assert set(find("stream.sources", Source, "driftline.sources")) == set(RIGS.values())


def test_file_name_is_the_type(rig: Rig) -> None:
    tag = rig.source().__struct_config__.tag
    assert type(rig.source()).__module__.startswith(f"stream.sources.{tag}.")
    assert rig.source().check() == []


def test_all_records_come_once_in_the_order_of_their_partition(
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


def test_batches_of_a_partition_join_without_a_hole(
    rig: Rig, opened: Callable[[], Reading]
) -> None:
    rig.write(RECORDS)
    reading = opened()
    expected = assign_all(reading)
    for batch in read(reading, len(RECORDS), max_records=7):
        assert batch.first == expected[batch.partition]
        assert len(batch.values) == len(batch.positions) == len(batch.arrival_ms)
        expected[batch.partition] = batch.next


def test_reading_begins_with_the_record_that_a_position_names(
    rig: Rig, opened: Callable[[], Reading]
) -> None:
    rig.write(RECORDS)
    first = opened()
    assign_all(first)
    batches = read(first, len(RECORDS))
    second = opened()
    for batch in [batch for batch in batches if len(batch.values) > 3]:
        at = 3
        assert second.assign([Assign(2, batch.partition, rig.before(batch, at), None)]) == []
        again = read(second, len(batch.values) - at)
        same = [one for one in again if one.partition == batch.partition and one.values]
        assert same[0].first == rig.before(batch, at)
        assert [value for one in same for value in one.values][
            : len(batch.values) - at
        ] == batch.values[at:]
        second.assign([Assign(3, batch.partition, batch.next, None)])


def test_reading_goes_on_where_another_stopped(rig: Rig, opened: Callable[[], Reading]) -> None:
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


def test_every_partition_at_its_end_says_so_in_each_call(
    rig: Rig, opened: Callable[[], Reading]
) -> None:
    rig.write(RECORDS)
    reading = opened()
    starts = assign_all(reading)
    seen = until_at_end(reading, set(starts))
    assert values([one for one in seen if isinstance(one, RawBatch)]) == sorted(RECORDS)
    for _ in range(3):
        polled = reading.poll(0.1, 1000)
        assert {one.partition for one in polled if isinstance(one, RawBatch) and one.at_end} == set(
            starts
        )


def test_records_that_are_written_later_arrive(rig: Rig, opened: Callable[[], Reading]) -> None:
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
    arrivals = [int(at) for batch in read(reading, len(RECORDS)) for at in batch.arrival_ms]
    assert all(1_600_000_000_000 < at <= time.time() * 1000 + 1000 for at in arrivals)


def test_nothing_is_read_before_it_is_assigned(rig: Rig, opened: Callable[[], Reading]) -> None:
    rig.write(RECORDS)
    assert opened().poll(0.3, 1000) == []


def test_poll_keeps_to_its_time_out(rig: Rig, opened: Callable[[], Reading]) -> None:
    rig.write(RECORDS)
    reading = opened()
    until_at_end(reading, set(assign_all(reading)))
    began = time.monotonic()
    reading.poll(0.3, 1000)
    assert (
        0.2 < time.monotonic() - began < 2.5
    )  # a busy machine adds to it; a client that waits for an answer takes longer


def test_a_lost_position_is_one_gap_and_reading_goes_on_only_when_assigned(
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
