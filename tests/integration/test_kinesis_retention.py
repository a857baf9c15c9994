"""The Kinesis source when records have, or may have, expired.

Runs against kinesis-local (an emulator); microburst adds named errors. No emulator trims a
log: the responses are changed to those of a log whose older records have expired.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from stream.events import Assign
from stream.sources.kinesis.reading import KinesisReading
from tests.integration.shards import Follower, opening
from tests.integration.test_kinesis_faults import SHARD, change, poll_for
from tests.integration.test_kinesis_source import numbered, until_batch
from tests.servers.kinesis import KinesisEmulator
from tests.servers.microburst import Microburst

MakeStream = Callable[..., str]
Open = Callable[..., KinesisReading]


@pytest.fixture
def open_at() -> Iterator[Open]:
    """``open_at(url, stream)``."""
    with opening() as open_stream:
        yield lambda url, stream, **fields: open_stream(stream, endpoint_url=url, **fields)


def trim(parsed: dict[str, Any], first: bytes) -> None:
    """Change a response to that of a log whose oldest record is ``first``."""
    if "Records" in parsed:
        parsed["Records"] = [record for record in parsed["Records"] if record["Data"] >= first]


@pytest.mark.parametrize("remaining", [5, 0], ids=["five records", "no record"])
def test_a_position_past_retention_is_a_gap(
    kinesis: KinesisEmulator, make_stream: MakeStream, open_at: Open, remaining: int
) -> None:
    stream = make_stream()
    numbers = [record["SequenceNumber"] for record in kinesis.put(stream, numbered(0, 20))]
    reading = open_at(kinesis.url, stream)
    change(
        reading,
        "GetRecords",
        lambda parsed: parsed.update(Records=parsed["Records"][-remaining:] if remaining else []),
        2,
    )
    (gap,) = reading.assign([Assign(claim=1, partition=SHARD, next=(numbers[4], 0), mark_ms=None)])
    assert (gap.partition, gap.expected, gap.resume, gap.lost) == (
        SHARD,
        (numbers[4], 0),
        ("TRIM_HORIZON", 0),
        None,
    )
    assert "retention" in gap.reason
    assert poll_for(reading, 0.6) == []
    change(reading, "GetRecords", lambda parsed: parsed.update(Records=parsed["Records"][-5:]), 1)
    assert reading.assign([Assign(claim=2, partition=SHARD, next=gap.resume, mark_ms=None)]) == []
    assert until_batch(reading, SHARD).values == numbered(15, 20)


def test_a_shard_is_read_again_only_after_a_pause_when_there_was_a_gap(
    kinesis: KinesisEmulator, make_stream: MakeStream, open_at: Open
) -> None:
    stream = make_stream()
    numbers = [record["SequenceNumber"] for record in kinesis.put(stream, numbered(0, 10))]
    reading = open_at(kinesis.url, stream)
    change(reading, "GetRecords", lambda parsed: parsed.update(Records=parsed["Records"][-3:]), 2)
    calls: list[float] = []
    reading.client.boto.meta.events.register(
        "before-call.kinesis.GetRecords", lambda **_: calls.append(time.monotonic())
    )
    (gap,) = reading.assign([Assign(claim=1, partition=SHARD, next=(numbers[4], 0), mark_ms=None)])
    assert reading.assign([Assign(claim=2, partition=SHARD, next=gap.resume, mark_ms=None)]) == []
    assert until_batch(reading, SHARD).values == numbered(7, 10)
    assert len(calls) == 2
    assert calls[1] - calls[0] >= 0.2


def test_retention_that_overtakes_a_reader_with_an_expired_iterator_is_a_gap(
    kinesis: KinesisEmulator, microburst: Microburst, make_stream: MakeStream, open_at: Open
) -> None:
    stream = make_stream()
    kinesis.put(stream, numbered(0, 10))
    reading = open_at(microburst.url, stream)
    follower = Follower(reading)
    follower.read(10)
    microburst.refuse("GetRecords", "ExpiredIteratorException", 1)
    kinesis.put(stream, numbered(10, 20))

    change(reading, "GetRecords", lambda parsed: trim(parsed, b"00015"), 1000)
    follower.until(lambda: bool(follower.gaps))
    (gap,) = follower.gaps
    assert (gap.partition, gap.expected, gap.resume, gap.lost) == (
        SHARD,
        follower.positions[SHARD],
        ("TRIM_HORIZON", 0),
        None,
    )


@pytest.mark.parametrize(
    ("code", "times"), [("ExpiredIteratorException", 1), ("InternalFailure", 2)]
)
def test_a_shard_idle_for_longer_than_retention_but_read_to_its_end_is_no_gap(
    kinesis: KinesisEmulator,
    microburst: Microburst,
    make_stream: MakeStream,
    open_at: Open,
    code: str,
    times: int,
) -> None:
    """The responses first age the first records, and later omit them."""
    stream = make_stream()
    kinesis.put(stream, numbered(0, 10))
    reading = open_at(microburst.url, stream)
    kept = [b"00000"]

    def age(parsed: dict[str, Any]) -> None:
        trim(parsed, kept[0])
        for record in parsed.get("Records", ()):
            if record["Data"] < b"00010":
                record["ApproximateArrivalTimestamp"] -= timedelta(days=3)

    change(reading, "GetRecords", age, 1000)
    starts: list[str] = []
    reading.client.boto.meta.events.register(
        "before-parameter-build.kinesis.GetShardIterator",
        lambda params, **_: starts.append(params["ShardIteratorType"]),
    )
    follower = Follower(reading)
    follower.read(10)
    kept[0] = b"00010"
    microburst.refuse("GetRecords", code, times)
    follower.until(lambda: len(starts) > 1)
    assert poll_for(reading, 2.5) != []
    kinesis.put(stream, numbered(10, 20))
    follower.read(20)
    assert starts == ["TRIM_HORIZON", "AT_TIMESTAMP"]
    assert (follower.all, follower.gaps) == (numbered(0, 20), [])


def test_a_missing_last_record_is_a_gap_in_a_shard_not_read_to_its_end_for_a_day(
    kinesis: KinesisEmulator,
    microburst: Microburst,
    make_stream: MakeStream,
    open_at: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stream.sources.kinesis.shard_reader.MIN_RETENTION_MS", -1)
    stream = make_stream()
    kinesis.put(stream, numbered(0, 10))
    reading = open_at(microburst.url, stream)
    kept = [b"00000"]
    change(reading, "GetRecords", lambda parsed: trim(parsed, kept[0]), 1000)
    follower = Follower(reading)
    follower.read(10)
    kept[0] = b"00010"
    microburst.refuse("GetRecords", "ExpiredIteratorException", 1)
    follower.until(lambda: bool(follower.gaps))
    (gap,) = follower.gaps
    assert (gap.partition, gap.expected, gap.resume, gap.lost) == (
        SHARD,
        follower.positions[SHARD],
        ("TRIM_HORIZON", 0),
        None,
    )


@pytest.mark.parametrize(("hours", "warned"), [(21, False), (22, True)])
def test_a_shard_that_retention_is_about_to_overtake_is_logged_once(
    kinesis: KinesisEmulator,
    make_stream: MakeStream,
    open_at: Open,
    hours: int,
    warned: bool,
) -> None:
    """The emulator reports a retention of 24 hours."""
    stream = make_stream()
    kinesis.put(stream, numbered(0, 10))
    reading = open_at(kinesis.url, stream)
    follower = Follower(reading)
    follower.read(10)
    changed = change(
        reading, "GetRecords", lambda parsed: parsed.update(MillisBehindLatest=hours * 3_600_000), 3
    )
    with capture_logs() as lines:
        follower.until(lambda: len(changed) == 3)
    warning = {
        "event": "shard_near_retention",
        "log_level": "warning",
        "source": f"kinesis stream {stream!r} in us-east-1",
        "shard": SHARD,
        "lag_hours": 22.0,
    }
    assert lines == ([warning] if warned else [])
