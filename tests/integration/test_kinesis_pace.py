"""How often and how much the Kinesis source reads.

Runs against kinesis-local, an emulator without limits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from stream.events import Assign
from stream.sources.kinesis.reading import KinesisReading
from tests.integration.shards import Follower, opening
from tests.integration.test_kinesis_source import numbered, until_batch
from tests.servers.kinesis import KinesisEmulator

MakeStream = Callable[..., str]
Open = Callable[..., KinesisReading]
SHARD = "shardId-000000000000"


@pytest.fixture
def open_source(kinesis: KinesisEmulator) -> Iterator[Open]:
    with opening(endpoint_url=kinesis.url) as open_stream:
        yield open_stream


def test_a_shard_is_read_at_most_five_times_a_second_and_less_often_while_idle(
    kinesis: KinesisEmulator,
    make_stream: MakeStream,
    open_source: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stream.sources.kinesis.polling.MAX_RECORDS", 5)
    stream = make_stream()
    kinesis.put(stream, numbered(0, 60))
    reading = open_source(stream)
    calls: list[float] = []
    reading.client.boto.meta.events.register(
        "before-call.kinesis.GetRecords", lambda **_: calls.append(time.monotonic())
    )
    follower = Follower(reading)
    follower.read(60)
    assert len(calls) >= 12
    assert all(later - earlier >= 0.2 for earlier, later in pairwise(calls))
    follower.until(lambda: len(calls) > 16)
    calls.clear()
    until = time.monotonic() + 4.0
    follower.until(lambda: time.monotonic() > until)
    assert 2 <= len(calls) <= 5


def test_a_reassigned_shard_keeps_the_pause_after_its_last_read(
    kinesis: KinesisEmulator, make_stream: MakeStream, open_source: Open
) -> None:
    stream = make_stream()
    kinesis.put(stream, numbered(0, 10))
    reading = open_source(stream)
    calls: list[float] = []
    reading.client.boto.meta.events.register(
        "before-call.kinesis.GetRecords", lambda **_: calls.append(time.monotonic())
    )
    follower = Follower(reading)
    follower.read(10)
    for claim in range(2, 8):
        assert (
            reading.assign(
                [Assign(claim=claim, partition=SHARD, next=follower.positions[SHARD], mark_ms=None)]
            )
            == []
        )
    until_batch(reading, SHARD)
    assert len(calls) >= 8
    assert all(later - earlier >= 0.2 for earlier, later in pairwise(calls))


def test_fetching_pauses_while_the_buffered_records_are_large(
    kinesis: KinesisEmulator,
    make_stream: MakeStream,
    open_source: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stream.sources.kinesis.polling.MAX_RECORDS", 3)
    monkeypatch.setattr("stream.sources.kinesis.shard_reader.MAX_BYTES", 800_000)
    stream = make_stream()
    big = [b"%02d" % n + b"." * 99_998 for n in range(15)]
    for n in range(0, 15, 3):
        kinesis.put(stream, big[n : n + 3], key="k")
    reading = open_source(stream)
    fetched: list[int] = []
    reading.client.boto.meta.events.register(
        "after-call.kinesis.GetRecords", lambda parsed, **_: fetched.append(len(parsed["Records"]))
    )
    follower = Follower(reading)
    reading._fetch_until(lambda: False, 3.0)  # time for ten reads; nothing is taken
    assert fetched == [3, 3, 3]
    follower.read(15, max_records=2)
    assert follower.all == big
