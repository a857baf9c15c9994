"""The contract of a source: the laws of its partitions, positions and batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import ClassVar, Protocol

import pytest

from stream.events import Assign, Gap, Position, RawBatch
from stream.sources.base import Reading, Source
from stream.testing.configuration import ConfigurationContract, faults_without_network

RECORDS = [b'{"n": %d, "text": "\xc3\xa9 \\"quoted\\""}' % n for n in range(40)]


OpenReading = Callable[[], Reading]


class SourceRig(Protocol):
    """A log that a test can write to and whose beginning it can remove, and its source."""

    def source(self) -> Source:
        """The configuration of the source; equal each time, and of the same log."""

    def write(self, values: list[bytes]) -> None:
        """Append records to the log, in their order; to several partitions if it can have some."""

    def lose_the_beginning(self) -> None:
        """Remove all records that the partitions hold now; what is written later stays."""

    def position_before(self, batch: RawBatch, at: int) -> Position:
        """The position before record ``at`` of a batch: its own, unless positions name the record
        that was read last.
        """


def assign_all(reading: Reading) -> dict[str, Position]:
    """Assign every partition at its start; return the starts."""
    starts = {partition.partition: partition.start for partition in reading.discover()}
    assert (
        reading.assign(
            [
                Assign(claim=1, partition=name, next=start, mark_ms=None)
                for name, start in starts.items()
            ]
        )
        == []
    )
    return starts


def read(
    reading: Reading, count: int, max_records: int = 1000, timeout_s: float = 20.0
) -> list[RawBatch]:
    """Poll until ``count`` records are read; batches of one partition and call are consecutive."""
    batches: list[RawBatch] = []
    deadline = time.monotonic() + timeout_s
    while sum(len(batch.values) for batch in batches) < count:
        assert time.monotonic() < deadline, "records are missing"
        polled = reading.poll(0.2, max_records)
        new = batches_in(polled)
        assert len(new) == len(polled), polled
        assert_consecutive(new)
        assert sum(len(batch.values) for batch in new) <= max_records
        batches += new
    return batches


def assert_consecutive(batches: list[RawBatch]) -> None:
    """Check that batches of one partition follow each other, and differ in their origin."""
    latest: dict[str, RawBatch] = {}
    for batch in batches:
        before = latest.get(batch.partition)
        assert before is None or (before.next == batch.first and before.origin != batch.origin)
        latest[batch.partition] = batch


def batches_in(results: list[RawBatch | Gap]) -> list[RawBatch]:
    """The batches among the results of a poll; the others are gaps."""
    return [result for result in results if isinstance(result, RawBatch)]


def values(batches: list[RawBatch]) -> list[bytes | None]:
    """The records of all batches, sorted."""
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


class SourceContract(ConfigurationContract):
    """The laws of a source. A subclass overrides the fixture ``rig``::

        from stream.testing.source import SourceContract, SourceRig


        class LinesRig:
            def __init__(self, folder):
                self._path = folder / "lines.txt"
                self._path.touch()

            def source(self):
                return Lines(path=str(self._path))

            def write(self, values):
                with self._path.open("ab") as file:
                    file.writelines(value + b"\\n" for value in values)

            def lose_the_beginning(self):
                self._path.write_bytes(b"")

            def position_before(self, batch, at):
                return batch.positions[at]


        class TestLines(SourceContract):
            @pytest.fixture
            def rig(self, tmp_path) -> SourceRig:
                return LinesRig(tmp_path)

    The log of a new rig exists and is empty. Its source reads it without end: ``finished`` stays
    false. Records arrive within 20 seconds.
    """

    package: ClassVar = "stream.sources"
    base: ClassVar = Source
    group: ClassVar = "driftline.sources"

    @pytest.fixture
    def rig(self) -> SourceRig:
        """The source under test, and its log."""
        raise NotImplementedError("override the fixture rig")

    @pytest.fixture
    def configuration(self, rig: SourceRig) -> Source:
        return rig.source()

    @pytest.fixture
    def opened(self, rig: SourceRig) -> Iterator[OpenReading]:
        """Opens readings of the source, and closes them after the test."""
        readings: list[Reading] = []

        def open_another() -> Reading:
            readings.append(rig.source().open("contract"))
            return readings[-1]

        yield open_another
        for reading in readings:
            reading.close()

    def test_a_valid_source_has_no_faults_and_is_checked_without_network(
        self, rig: SourceRig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert faults_without_network(rig.source(), monkeypatch) == []

    def test_its_identity_is_that_of_the_log(self, rig: SourceRig) -> None:
        """A stored state with another identity is refused."""
        assert rig.source().identity
        assert rig.source().identity == rig.source().identity

    def test_all_records_are_read_once_in_the_order_of_their_partition(
        self, rig: SourceRig, opened: OpenReading
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

    def test_batches_of_a_partition_are_contiguous(
        self, rig: SourceRig, opened: OpenReading
    ) -> None:
        rig.write(RECORDS)
        reading = opened()
        expected = assign_all(reading)
        for batch in read(reading, len(RECORDS), max_records=7):
            assert batch.first == expected[batch.partition]
            assert len(batch.values) == len(batch.positions) == len(batch.arrival_ms)
            expected[batch.partition] = batch.next

    def test_reading_begins_at_the_record_that_a_position_names(
        self, rig: SourceRig, opened: OpenReading
    ) -> None:
        rig.write(RECORDS)
        first = opened()
        assign_all(first)
        batches = read(first, len(RECORDS))
        for batch in [batch for batch in batches if len(batch.values) > 3]:
            at = 3
            second = opened()
            assert (
                second.assign(
                    [
                        Assign(
                            claim=2,
                            partition=batch.partition,
                            next=rig.position_before(batch, at),
                            mark_ms=None,
                        )
                    ]
                )
                == []
            )
            count = len(batch.values) - at
            reread = [
                result
                for result in read(second, count)
                if result.partition == batch.partition and result.values
            ]
            assert reread[0].first == rig.position_before(batch, at)
            assert [value for result in reread for value in result.values][:count] == batch.values[
                at:
            ]
            second.close()

    def test_a_second_reading_continues_where_the_first_stopped(
        self, rig: SourceRig, opened: OpenReading
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
                [
                    Assign(claim=2, partition=partition, next=position, mark_ms=None)
                    for partition, position in positions.items()
                ]
            )
            == []
        )
        after = read(second, len(RECORDS) - sum(len(batch.values) for batch in before))
        assert values(before + after) == sorted(RECORDS)

    def test_every_call_reports_each_partition_at_its_end(
        self, rig: SourceRig, opened: OpenReading
    ) -> None:
        rig.write(RECORDS)
        reading = opened()
        starts = assign_all(reading)
        results = until_at_end(reading, set(starts))
        assert values(batches_in(results)) == sorted(RECORDS)
        for _ in range(3):
            polled = reading.poll(0.1, 1000)
            assert {batch.partition for batch in batches_in(polled) if batch.at_end} == set(starts)

    def test_records_that_are_written_later_are_read(
        self, rig: SourceRig, opened: OpenReading
    ) -> None:
        rig.write(RECORDS[:10])
        reading = opened()
        starts = assign_all(reading)
        until_at_end(reading, set(starts))
        rig.write(RECORDS[10:])
        assert values(read(reading, len(RECORDS) - 10)) == sorted(RECORDS[10:])

    def test_arrival_is_known_and_not_in_the_future(
        self, rig: SourceRig, opened: OpenReading
    ) -> None:
        rig.write(RECORDS)
        reading = opened()
        assign_all(reading)
        arrivals = [int(ms) for batch in read(reading, len(RECORDS)) for ms in batch.arrival_ms]
        assert all(1_600_000_000_000 < ms <= time.time() * 1000 + 1000 for ms in arrivals)

    def test_nothing_is_read_before_assignment(self, rig: SourceRig, opened: OpenReading) -> None:
        rig.write(RECORDS)
        assert opened().poll(0.3, 1000) == []

    def test_a_poll_lasts_for_its_time_out(self, rig: SourceRig, opened: OpenReading) -> None:
        rig.write(RECORDS)
        reading = opened()
        until_at_end(reading, set(assign_all(reading)))
        began = time.monotonic()
        reading.poll(0.3, 1000)
        # A busy machine adds to it; a client that waits for a response takes longer.
        assert 0.2 < time.monotonic() - began < 2.5

    def test_a_lost_position_is_one_gap_and_reading_resumes_when_assigned(
        self, rig: SourceRig, opened: OpenReading
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
            [
                Assign(claim=2, partition=partition, next=position, mark_ms=None)
                for partition, position in middle.items()
            ]
        )
        assert {gap.partition: gap.expected for gap in gaps} == middle
        assert set(middle) == set(starts)
        assert reading.poll(0.3, 1000) == []
        assert (
            reading.assign(
                [
                    Assign(claim=3, partition=gap.partition, next=gap.resume, mark_ms=None)
                    for gap in gaps
                ]
            )
            == []
        )
        assert values(read(reading, 6)) == sorted(RECORDS[:6])

    def test_positions_can_be_published_and_closing_twice_is_harmless(
        self, rig: SourceRig, opened: OpenReading
    ) -> None:
        rig.write(RECORDS)
        reading = opened()
        reading.publish_positions(assign_all(reading))
        reading.close()
        reading.close()

    def test_discovery_repeats_what_it_returned(self, rig: SourceRig, opened: OpenReading) -> None:
        rig.write(RECORDS)
        reading = opened()
        first = {partition.partition for partition in reading.discover()}
        assert first
        assert first <= {partition.partition for partition in reading.discover()}

    def test_lag_is_known_for_assigned_partitions_only_and_never_negative(
        self, rig: SourceRig, opened: OpenReading
    ) -> None:
        rig.write(RECORDS)
        reading = opened()
        positions = assign_all(reading)
        read(reading, len(RECORDS))
        lag = reading.lag(positions)
        assert set(lag) <= set(positions)
        assert all(distance >= 0 for distance in lag.values())
