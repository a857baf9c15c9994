"""A refusal belongs to the position that was refused, never to one that was assigned after it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import kafka
import pytest
from kafka import errors as kafka_errors

from stream.events import Assign, Gap, RawBatch
from stream.sources.kafka.plain_client import PlainClient
from stream.sources.kafka.reading import KafkaReading
from stream.sources.kafka.rereading import Rereading
from stream.sources.kafka.topic_watch import TopicObservation

FIRST, SECOND = kafka.TopicPartition("t", 0), kafka.TopicPartition("t", 1)
RECORDS = 500
"""The number of records of each poll."""


class Consumer:
    """A consumer with an endless log, which raises a pending error at the next call."""

    def __init__(self) -> None:
        self.offsets: dict[Any, int] = {}
        self.paused: set[Any] = set()
        self._fetcher = SimpleNamespace()
        self._error: Exception | None = None
        self._raised_by = ""

    def truncate(self, *partitions: Any, valid_until: int, raised_by: str = "poll") -> None:
        """Find the logs truncated, as the validation in the background does."""
        end = kafka.OffsetAndMetadata(valid_until, "", 0)
        self._error = kafka_errors.LogTruncationError(dict.fromkeys(partitions, end))
        self._raised_by = raised_by

    def assign(self, partitions: list[Any]) -> None:
        self.offsets = {partition: self.offsets.get(partition, 0) for partition in partitions}

    def seek(self, partition: Any, offset: int) -> None:
        self.offsets[partition] = offset

    def pause(self, partition: Any) -> None:
        assert partition in self.offsets  # the client raises an error otherwise
        self.paused.add(partition)

    def resume(self, partition: Any) -> None:
        self.paused.discard(partition)

    def position(self, partition: Any, timeout_ms: int) -> int:
        self._raise_pending("position")
        return self.offsets[partition]

    def poll(self, timeout_ms: int, max_records: int) -> dict[Any, list[Any]]:
        self._raise_pending("poll")
        records = {}
        for partition in self.offsets.keys() - self.paused:
            start = self.offsets[partition]
            records[partition] = [record(start + k) for k in range(RECORDS)]
            self.offsets[partition] += RECORDS
        return records

    def _raise_pending(self, call: str) -> None:
        if self._error is not None and self._raised_by == call:
            error, self._error = self._error, None
            raise error


def record(offset: int) -> Any:
    return SimpleNamespace(offset=offset, timestamp=1, value=b"{}", key=None, headers=[])


class Watch:
    """Observes what a test says."""

    def __init__(self) -> None:
        self.latest: TopicObservation
        self.observe("old", 10_000)

    def observe(self, topic_id: str, end: int) -> None:
        now_s = time.monotonic() + 1  # later than everything before
        begins, ends = dict.fromkeys((0, 1), 0), dict.fromkeys((0, 1), end)
        self.latest = TopicObservation(
            topic_s=now_s, ends_s=now_s, topic_id=topic_id, begins=begins, ends=ends
        )

    def observed_after(self, requested_s: float, timeout_s: float) -> TopicObservation:
        return self.latest

    def request(self, topic: bool = False) -> None:
        """Do nothing: tests observe when they want."""


class Job:
    """A reading, polled as the service does: after a gap it is assigned where the gap ends."""

    def __init__(self, partitions: int = 1) -> None:
        self.consumer, self.watch = Consumer(), Watch()
        client = PlainClient("kafka", "t", self.consumer, 1 << 20)
        rereading = Rereading("kafka", "t", lambda: client)
        self.reading = KafkaReading("t", client, self.watch, rereading, ExitStack(), True)  # type: ignore[arg-type]
        self.read: list[tuple[str, str, int]] = []
        self.gaps: list[Gap] = []
        for number in range(partitions):
            self.assign(f"t-{number}", ("old", 9_000))

    def assign(self, partition: str, position: Any) -> None:
        assign = Assign(claim=1, partition=partition, next=position, mark_ms=None)
        assert self.reading.assign([assign]) == []

    def poll(self, times: int = 1) -> None:
        for _ in range(times):
            for result in self.reading.poll(0.0, RECORDS):
                if isinstance(result, Gap):
                    self.gaps.append(result)
                    self.assign(result.partition, result.resume)
                else:
                    self._take(result)

    def _take(self, batch: RawBatch) -> None:
        for position in batch.positions:
            assert isinstance(position, tuple)
            self.read.append((batch.partition, position[0].partition(" ")[0], position[1]))

    def offsets(self, topic_id: str) -> list[int]:
        """The offsets of a topic that were read, in this order."""
        return [offset for _, of, offset in self.read if of == topic_id]


@pytest.mark.parametrize("valid_until", [0, 300, 3_000])
@pytest.mark.parametrize("raised_by", ["position", "poll"])
@pytest.mark.parametrize("before", [True, False], ids=["met before", "met after"])
def test_a_refusal_from_before_an_assignment_moves_nothing_after_it(
    valid_until: int, raised_by: str, before: bool
) -> None:
    """The refusal is that of the old topic, and is met before or after the new one is assigned.

    Taken for the new topic it would go back (counted twice) or ahead (never read).
    """
    job = Job()
    job.poll()
    if before:
        job.consumer.truncate(FIRST, valid_until=valid_until, raised_by=raised_by)
        job.poll()
    job.watch.observe("new", 9_000)
    job.poll(2)
    assert len(job.gaps) == 1
    if not before:
        job.consumer.truncate(FIRST, valid_until=valid_until, raised_by=raised_by)
    for _ in range(12):
        job.watch.observe("new", 9_000)
        job.poll()
    assert [gap.reason for gap in job.gaps] == ["the topic was recreated"]
    new = job.offsets("new")
    assert new == list(range(len(new)))
    assert len(new) > 3_000


@pytest.mark.parametrize("raised_by", ["position", "poll"])
def test_one_error_of_two_partitions_counts_for_the_one_that_was_not_assigned_since(
    raised_by: str,
) -> None:
    job = Job(partitions=2)
    job.poll(2)
    job.assign("t-0", ("old", 9_200))
    job.consumer.truncate(FIRST, SECOND, valid_until=9_100, raised_by=raised_by)
    job.poll(2)
    job.watch.observe("old", 20_000)
    job.poll(2)
    (gap,) = job.gaps
    assert (gap.partition, gap.resume) == ("t-1", ("old", 9_100))
    assert gap.reason == "the log was truncated"


@pytest.mark.parametrize("raised_by", ["position", "poll"])
def test_a_refusal_of_a_partition_that_is_not_read_is_ignored(raised_by: str) -> None:
    """A recreated topic stops both partitions; the service has assigned only one of them again."""
    job = Job(partitions=2)
    job.poll()
    job.watch.observe("new", 9_000)
    assert job.reading.poll(0.0, RECORDS) == []  # the length of the new log is still requested
    first, _ = job.reading.poll(0.0, RECORDS)
    assert isinstance(first, Gap)
    job.assign(first.partition, first.resume)
    job.consumer.truncate(SECOND, valid_until=10, raised_by=raised_by)
    for _ in range(3):
        job.watch.observe("new", 9_000)
        job.poll()
    assert job.gaps == []
    new = job.offsets("new")
    assert new == list(range(len(new)))
    assert len(new) > RECORDS


@pytest.mark.parametrize("raised_by", ["position", "poll"])
def test_a_log_truncated_below_the_position_is_a_gap(raised_by: str) -> None:
    """The refusal of the current position must not be taken for an old one."""
    job = Job()
    job.poll(2)
    job.consumer.truncate(FIRST, valid_until=9_100, raised_by=raised_by)
    job.poll(2)
    job.watch.observe("old", 20_000)
    job.poll(2)
    (gap,) = job.gaps
    assert (gap.resume, gap.reason) == (("old", 9_100), "the log was truncated")
