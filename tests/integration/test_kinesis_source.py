"""The Kinesis source: starts, splits, merges and gaps lose no record and read none twice.

Runs against kinesis-local, an emulator.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aws_kinesis_agg.aggregator import RecordAggregator

from stream.errors import SourceUnavailable
from stream.events import Assign, Gap, RawBatch
from stream.sources.kinesis.reading import KinesisReading
from tests.integration.shards import Follower, opening
from tests.servers.base import LOOPBACK, free_port
from tests.servers.kinesis import KinesisEmulator

MakeStream = Callable[..., str]
Open = Callable[..., KinesisReading]


@pytest.fixture
def open_source(kinesis: KinesisEmulator) -> Iterator[Open]:
    with opening(endpoint_url=kinesis.url) as open_stream:
        yield open_stream


def numbered(start: int, stop: int) -> list[bytes]:
    return [b"%05d" % n for n in range(start, stop)]


def next_second() -> int:
    """Wait until a second begins; return it in seconds since the epoch."""
    time.sleep(1.02 - time.time() % 1)
    return int(time.time())


class Producer(threading.Thread):
    """Puts numbered records until :meth:`finish`, and keeps their shards and sequence numbers."""

    def __init__(self, emulator: KinesisEmulator, stream: str) -> None:
        super().__init__(daemon=True)
        self._emulator = emulator
        self._stream = stream
        self._end = threading.Event()
        self.sent: list[bytes] = []
        self.stored: dict[str, list[int]] = defaultdict(list)

    def run(self) -> None:
        while not self._end.is_set() and len(self.sent) < 4000:
            values = numbered(len(self.sent), len(self.sent) + 20)
            for record in self._emulator.put(self._stream, values):
                self.stored[record["ShardId"]].append(int(record["SequenceNumber"]))
            self.sent += values
            time.sleep(0.05)

    def finish(self) -> None:
        self._end.set()
        self.join(30)


def assert_all_read_once(follower: Follower, producer: Producer) -> None:
    assert follower.gaps == []
    assert follower.all == sorted(producer.sent)
    for shard, numbers in producer.stored.items():
        positions = follower.sequences[shard]
        assert [int(at[0]) for at in positions if isinstance(at, tuple)] == sorted(numbers)


def test_earliest_reads_existing_and_new_records(
    kinesis: KinesisEmulator, make_stream: MakeStream, open_source: Open
) -> None:
    stream = make_stream(3)
    kinesis.put(stream, numbered(0, 200))
    follower = Follower(open_source(stream))
    follower.read(200)
    kinesis.put(stream, numbered(200, 250))
    follower.read(250)
    assert follower.all == numbered(0, 250)


def test_latest_skips_existing_records_and_a_restart_before_the_first_one_skips_none(
    kinesis: KinesisEmulator, make_stream: MakeStream, open_source: Open
) -> None:
    stream = make_stream(2)
    kinesis.put(stream, numbered(0, 50))
    next_second()
    first = open_source(stream, start="latest")
    follower = Follower(first)
    first.close()
    kinesis.put(stream, numbered(50, 100))
    after = Follower(open_source(stream, start="latest"), follower.positions)
    after.read(50)
    assert after.all == numbered(50, 100)


def test_start_at_reads_records_from_that_time_on(
    kinesis: KinesisEmulator, make_stream: MakeStream, open_source: Open
) -> None:
    stream = make_stream(2)
    kinesis.put(stream, numbered(0, 50))
    at = next_second()
    kinesis.put(stream, numbered(50, 90))
    follower = Follower(open_source(stream, start_at=datetime.fromtimestamp(at, UTC)))
    follower.read(40)
    assert follower.all == numbered(50, 90)
    everything = Follower(open_source(stream, start_at=datetime(2020, 1, 1, tzinfo=UTC)))
    everything.read(90)
    assert everything.all == numbered(0, 90)


def test_start_at_a_future_time_waits_for_it(
    kinesis: KinesisEmulator, make_stream: MakeStream, open_source: Open
) -> None:
    stream = make_stream()
    at = next_second() + 3
    kinesis.put(stream, numbered(0, 10))
    follower = Follower(open_source(stream, start_at=datetime.fromtimestamp(at, UTC)))
    time.sleep(max(at + 0.05 - time.time(), 0.0))
    kinesis.put(stream, numbered(10, 20))
    follower.read(10)
    assert (follower.all, follower.gaps) == (numbered(10, 20), [])


def test_latest_after_a_split_reads_neither_the_closed_parent_nor_the_past(
    kinesis: KinesisEmulator, make_stream: MakeStream, open_source: Open
) -> None:
    stream = make_stream()
    kinesis.put(stream, numbered(0, 50))
    kinesis.split(stream, "shardId-000000000000")
    next_second()
    follower = Follower(open_source(stream, start="latest"))
    assert {name: shard.parents for name, shard in follower.known.items()} == {
        "shardId-000000000001": (),
        "shardId-000000000002": (),
    }
    follower.discover()
    kinesis.put(stream, numbered(50, 80))
    follower.read(30)
    assert follower.all == numbered(50, 80)


def test_shards_created_during_downtime_start_at_their_first_record_despite_latest(
    kinesis: KinesisEmulator, make_stream: MakeStream, open_source: Open
) -> None:
    stream = make_stream()
    kinesis.put(stream, numbered(0, 20))
    next_second()
    first = open_source(stream, start="latest")
    before = Follower(first)
    kinesis.put(stream, numbered(20, 50))
    before.read(30)
    first.close()
    kinesis.split(stream, "shardId-000000000000")
    kinesis.put(stream, numbered(50, 90))
    after = Follower(open_source(stream, start="latest"), before.positions)
    after.read(40)
    assert (before.all, after.all) == (numbered(20, 50), numbered(50, 90))
    assert after.ended == {"shardId-000000000000"}


@pytest.mark.parametrize("change", ["split", "merge", "resize"])
def test_resharding_while_reading_loses_nothing_and_children_follow_their_parents(
    kinesis: KinesisEmulator, make_stream: MakeStream, open_source: Open, change: str
) -> None:
    stream = make_stream(2)
    producer = Producer(kinesis, stream)
    producer.start()
    follower = Follower(open_source(stream))
    follower.until(lambda: follower.count >= 60)
    parents = ["shardId-000000000000", "shardId-000000000001"]
    if change == "split":
        kinesis.split(stream, parents[0])
    elif change == "merge":
        kinesis.merge(stream, *parents)
    else:
        kinesis.resize(stream, 4)
    sent = len(producer.sent)
    follower.until(lambda: follower.count >= sent + 100)
    producer.finish()
    follower.read(len(producer.sent))
    assert_all_read_once(follower, producer)
    closed = {
        name
        for name, shard in kinesis.shards(stream).items()
        if "EndingSequenceNumber" in shard["SequenceNumberRange"]
    }
    assert follower.ended == closed != set()
    assert set(follower.positions) == set(kinesis.shards(stream))
    order: list[str] = [batch.partition for batch in follower.batches if batch.values]
    for name, shard in follower.known.items():
        for parent in shard.parents:
            assert len(order) - 1 - order[::-1].index(parent) < order.index(name)


def test_a_merged_shard_names_both_parents(
    kinesis: KinesisEmulator, make_stream: MakeStream, open_source: Open
) -> None:
    stream = make_stream(2)
    kinesis.put(stream, numbered(0, 30))
    kinesis.merge(stream, "shardId-000000000000", "shardId-000000000001")
    reading = open_source(stream)
    shards = {shard.partition: shard for shard in reading.discover()}
    assert set(shards["shardId-000000000002"].parents) == {
        "shardId-000000000000",
        "shardId-000000000001",
    }
    follower = Follower(reading)
    follower.read(30)
    children = {child for batch in follower.batches if batch.ended for child in batch.children}
    assert {(child.partition, child.start, frozenset(child.parents)) for child in children} == {
        (
            "shardId-000000000002",
            ("TRIM_HORIZON", 0),
            frozenset({"shardId-000000000000", "shardId-000000000001"}),
        )
    }


def test_a_restart_in_the_middle_of_a_split_resumes_where_it_stopped(
    kinesis: KinesisEmulator, make_stream: MakeStream, open_source: Open
) -> None:
    stream = make_stream()
    kinesis.put(stream, numbered(0, 100))
    kinesis.split(stream, "shardId-000000000000")
    kinesis.put(stream, numbered(100, 200))
    first = open_source(stream)
    before = Follower(first)
    before.until(lambda: before.count >= 40, max_records=20)
    first.close()
    after = Follower(open_source(stream), before.positions, before.ended)
    after.read(200 - before.count)
    assert sorted([*before.all, *after.all], key=repr) == numbered(0, 200)


def test_an_ended_shard_reports_its_end_again_when_reassigned(
    kinesis: KinesisEmulator, make_stream: MakeStream, open_source: Open
) -> None:
    stream = make_stream()
    kinesis.put(stream, numbered(0, 10))
    kinesis.split(stream, "shardId-000000000000")
    reading = open_source(stream)
    follower = Follower(reading)
    follower.until(lambda: bool(follower.ended))
    last = follower.positions["shardId-000000000000"]
    assert (
        reading.assign([Assign(claim=2, partition="shardId-000000000000", next=last, mark_ms=None)])
        == []
    )
    batch = until_batch(reading, "shardId-000000000000")
    assert (batch.first, batch.next, batch.values, batch.ended) == (last, last, [], True)
    assert {child.partition for child in batch.children} == {
        "shardId-000000000001",
        "shardId-000000000002",
    }


def test_a_closed_shard_has_expired_when_it_is_not_listed_any_more(
    kinesis: KinesisEmulator,
    make_stream: MakeStream,
    open_source: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stream.sources.kinesis.shards.EXPIRED_AFTER_S", 0.0)
    stream = make_stream()
    kinesis.put(stream, numbered(0, 10))
    kinesis.split(stream, "shardId-000000000000")
    reading = open_source(stream)
    follower = Follower(reading)
    follower.until(lambda: bool(follower.ended))
    assert reading.expired(["shardId-000000000000", "shardId-000000000077"]) == [
        "shardId-000000000077"
    ]


def until_batch(reading: KinesisReading, partition: str) -> RawBatch:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for result in reading.poll(0.2, 1000):
            if isinstance(result, RawBatch) and result.partition == partition:
                return result
    raise AssertionError(f"no batch of {partition}")


def test_an_expired_shard_is_a_gap_up_to_its_end(
    kinesis: KinesisEmulator, make_stream: MakeStream, open_source: Open
) -> None:
    reading = open_source(make_stream())
    position = ("49680550325546427746157202053922463497963374015059853314", 0)
    (gap,) = reading.assign(
        [Assign(claim=1, partition="shardId-000000000077", next=position, mark_ms=None)]
    )
    assert (gap.partition, gap.expected, gap.resume, gap.lost) == (
        "shardId-000000000077",
        position,
        ("ENDED", 0),
        None,
    )
    assert reading.poll(0.3, 100) == []
    assert (
        reading.assign([Assign(claim=2, partition=gap.partition, next=gap.resume, mark_ms=None)])
        == []
    )
    (batch,) = reading.poll(0.3, 100)
    assert isinstance(batch, RawBatch)
    assert (batch.first, batch.next, batch.values, batch.ended, batch.children) == (
        ("ENDED", 0),
        ("ENDED", 0),
        [],
        True,
        (),
    )
    assert reading.poll(0.3, 100) == []


def test_a_position_in_a_recreated_stream_is_a_gap_followed_by_its_first_record(
    kinesis: KinesisEmulator, make_stream: MakeStream, open_source: Open
) -> None:
    stream = make_stream()
    kinesis.put(stream, numbered(0, 10))
    reading = open_source(stream)
    follower = Follower(reading)
    follower.read(10)
    kinesis.delete(stream)
    kinesis.create(stream)
    kinesis.put(stream, numbered(50, 55))
    position = follower.positions["shardId-000000000000"]
    gaps = reading.assign(
        [Assign(claim=2, partition="shardId-000000000000", next=position, mark_ms=None)]
    )
    deadline = time.monotonic() + 10
    while not gaps and time.monotonic() < deadline:
        gaps = [result for result in reading.poll(0.2, 100) if isinstance(result, Gap)]
    (gap,) = gaps
    assert (gap.expected, gap.resume, gap.lost) == (position, ("TRIM_HORIZON", 0), None)
    assert (
        reading.assign([Assign(claim=3, partition=gap.partition, next=gap.resume, mark_ms=None)])
        == []
    )
    assert until_batch(reading, gap.partition).values == numbered(50, 55)


def test_user_records_keep_their_keys_and_are_never_split_over_two_batches(
    kinesis: KinesisEmulator, make_stream: MakeStream, open_source: Open
) -> None:
    stream = make_stream()
    aggregator = RecordAggregator()
    for n, value in enumerate(numbered(10, 20)):
        assert aggregator.add_user_record(f"key-{n % 2}", value) is None
    kinesis.put(stream, numbered(0, 10))
    kinesis.put(stream, [aggregator.clear_and_get().get_contents()[2]], key="outside")
    kinesis.put(stream, numbered(20, 30))
    first = open_source(stream)
    before = Follower(first)
    before.until(lambda: before.count >= 11, max_records=4)
    assert [len(batch.values) for batch in before.batches if batch.values] == [4, 4, 2, 10]
    last = before.batches[-1]
    assert last.keys == [b"key-0", b"key-1"] * 5
    assert last.positions == [(last.next[0], n) for n in range(10)]  # type: ignore[index]
    first.close()
    after = Follower(open_source(stream), before.positions)
    after.read(10, max_records=4)
    assert (before.all, after.all) == (numbered(0, 20), numbered(20, 30))


def test_lag_is_that_of_the_latest_responses(
    kinesis: KinesisEmulator, make_stream: MakeStream, open_source: Open
) -> None:
    stream = make_stream(2)
    kinesis.put(stream, numbered(0, 20))
    reading = open_source(stream)
    follower = Follower(reading)
    follower.read(20)
    assert reading.lag(follower.positions) == {"shardId-000000000000": 0, "shardId-000000000001": 0}
    assert reading.lag({"shardId-000000000009": ("1", 0)}) == {}


def test_a_missing_stream_is_named_in_the_error_at_once(
    kinesis: KinesisEmulator, open_source: Open
) -> None:
    began = time.monotonic()
    with pytest.raises(SourceUnavailable, match=r"ResourceNotFound.*source\.stream") as raised:
        open_source("no-such-stream")
    assert "no-such-stream" in raised.value.source
    assert raised.value.exit_code == 3
    assert time.monotonic() - began < 3.0


def test_missing_credentials_end_the_start_at_once_with_the_permission_needed(
    open_source: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(
        SourceUnavailable, match=r"NoCredentialsError.*kinesis:DescribeStreamSummary"
    ):
        open_source("any")


def test_an_unreachable_service_is_retried_for_give_up_after(open_source: Open) -> None:
    began = time.monotonic()
    threads = threading.active_count()
    with pytest.raises(SourceUnavailable, match=r"EndpointConnectionError.*give_up_after"):
        open_source("any", endpoint_url=f"http://{LOOPBACK}:{free_port()}", give_up_after="1.5s")
    assert 1.2 < time.monotonic() - began < 6.0
    assert threading.active_count() <= threads
