"""Enhanced fan-out.

Runs against ministack, an emulator that ends no shards: the tests construct that event themselves.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from stream.errors import SourceUnavailable
from stream.events import Assign, DiscoveredPartition, Gap, RawBatch
from stream.sources.kinesis.fan_out import SubscribedShardReader
from stream.sources.kinesis.reading import KinesisReading
from stream.sources.kinesis.source import FanOut
from tests.integration.shards import Follower, opening
from tests.integration.test_kinesis_source import numbered
from tests.servers.kinesis import create
from tests.servers.ministack import Ministack
from tests.servers.toxiproxy import Toxiproxy

Open = Callable[..., KinesisReading]
SHARD = "shardId-000000000000"


@pytest.fixture
def open_pushed(ministack: Ministack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    consumer = FanOut(consumer_name="driftline")
    with opening(endpoint_url=ministack.url, fan_out=consumer) as open_stream:
        yield open_stream


@pytest.fixture
def stream(ministack: Ministack) -> str:
    name = f"stream-{os.urandom(6).hex()}"
    create(ministack.kinesis, name, 2)
    return name


def put(ministack: Ministack, stream: str, values: list[bytes]) -> list[dict[str, Any]]:
    entries = [{"Data": value, "PartitionKey": value.decode()} for value in values]
    return list(ministack.kinesis.put_records(StreamName=stream, Records=entries)["Records"])


def consumer_arn(ministack: Ministack, stream: str) -> str:
    response = ministack.kinesis.describe_stream_summary(StreamName=stream)
    stream_arn = response["StreamDescriptionSummary"]["StreamARN"]
    (consumer,) = ministack.kinesis.list_stream_consumers(StreamARN=stream_arn)["Consumers"]
    return str(consumer["ConsumerARN"])


def test_pushed_records_are_read_once_and_in_order(
    ministack: Ministack, stream: str, open_pushed: Open
) -> None:
    stored = put(ministack, stream, numbered(0, 300))
    reading = open_pushed(stream)
    reading.client.boto.meta.events.register(
        "before-call.kinesis.GetRecords", lambda **_: pytest.fail("a subscribed shard is polled")
    )
    follower = Follower(reading)
    follower.until(lambda: follower.count >= 300, max_records=50)
    stored += put(ministack, stream, numbered(300, 350))
    follower.read(350)
    assert (follower.all, follower.gaps) == (numbered(0, 350), [])
    for shard, sequences in follower.sequences.items():
        assert [position[0] for position in sequences if isinstance(position, tuple)] == [
            record["SequenceNumber"] for record in stored if record["ShardId"] == shard
        ]
    assert reading.lag(follower.positions) == {SHARD: 0, "shardId-000000000001": 0}


def test_a_restart_resumes_after_the_last_record_with_the_existing_consumer(
    ministack: Ministack, stream: str, open_pushed: Open
) -> None:
    put(ministack, stream, numbered(0, 100))
    first = open_pushed(stream)
    before = Follower(first)
    before.until(lambda: before.count >= 30, max_records=10)
    first.close()
    put(ministack, stream, numbered(100, 150))
    second = open_pushed(stream, fan_out=FanOut(consumer_arn=consumer_arn(ministack, stream)))
    after = Follower(second, before.positions)
    after.read(150 - before.count)
    assert sorted([*before.all, *after.all], key=repr) == numbered(0, 150)
    Follower(open_pushed(stream)).read(150)
    assert consumer_arn(ministack, stream)


def test_a_broken_subscription_is_renewed_and_nothing_is_lost_or_repeated(
    ministack: Ministack,
    stream: str,
    open_pushed: Open,
    toxiproxy_before: Callable[[int], Toxiproxy],
) -> None:
    proxy = toxiproxy_before(ministack.port)
    put(ministack, stream, numbered(0, 100))
    follower = Follower(open_pushed(stream, endpoint_url=proxy.url))
    follower.until(lambda: follower.count >= 100)
    for start in (100, 150):
        with proxy.down():
            put(ministack, stream, numbered(start, start + 50))
        follower.until(lambda start=start: follower.count >= start + 50)  # type: ignore[misc]
    follower.read(200)
    assert (follower.all, follower.gaps) == (numbered(0, 200), [])


def test_a_position_that_the_log_has_lost_is_a_gap(
    ministack: Ministack, stream: str, open_pushed: Open
) -> None:
    put(ministack, stream, numbered(0, 100))
    reading = open_pushed(stream)
    gaps = reading.assign([Assign(claim=1, partition=SHARD, next=("7", 0), mark_ms=None)])
    deadline = time.monotonic() + 20
    while not gaps and time.monotonic() < deadline:
        gaps = [result for result in reading.poll(0.2, 100) if isinstance(result, Gap)]
    (gap,) = gaps
    assert (gap.partition, gap.expected, gap.resume, gap.lost) == (
        SHARD,
        ("7", 0),
        ("TRIM_HORIZON", 0),
        None,
    )


def test_a_missing_consumer_is_named_in_the_error(
    ministack: Ministack, stream: str, open_pushed: Open
) -> None:
    arn = f"arn:aws:kinesis:us-east-1:000000000000:stream/{stream}/consumer/missing:1"
    with pytest.raises(SourceUnavailable, match=r"ResourceNotFound.*source\.fan_out\.consumer_arn"):
        open_pushed(stream, fan_out=FanOut(consumer_arn=arn))


def test_pushing_pauses_while_eight_megabytes_are_buffered(
    ministack: Ministack, stream: str, open_pushed: Open
) -> None:
    """The emulator pushes all records in one event: the test constructs events of 3 MB."""
    shared = open_pushed(stream)._shared
    reader = SubscribedShardReader(shared, SHARD, ("TRIM_HORIZON", 0), "arn")

    def event(n: int) -> dict[str, Any]:
        record = {
            "Data": bytes(3_000_000),
            "PartitionKey": "k",
            "ApproximateArrivalTimestamp": datetime.now(UTC),
        }
        return {
            "Records": [{**record, "SequenceNumber": str(n)}],
            "MillisBehindLatest": 0,
            "ContinuationSequenceNumber": str(n),
        }

    def push() -> None:
        for n in range(1, 6):
            reader._accept_event(event(n), None)

    pushing = threading.Thread(target=push, daemon=True)
    pushing.start()
    pushing.join(0.5)
    assert [record.sequence for record in reader._buffer] == ["1", "2", "3"]
    taken = reader.take(1, at_least_one=True)
    assert isinstance(taken, RawBatch)
    pushing.join(0.5)
    assert [record.sequence for record in reader._buffer] == ["2", "3", "4"]
    reader.close()


def test_a_deregistered_consumer_ends_the_service_and_is_no_gap(
    ministack: Ministack, stream: str, open_pushed: Open
) -> None:
    put(ministack, stream, numbered(0, 100))
    follower = Follower(open_pushed(stream))
    follower.read(100)
    ministack.kinesis.deregister_stream_consumer(ConsumerARN=consumer_arn(ministack, stream))
    put(ministack, stream, numbered(100, 120))
    with pytest.raises(
        SourceUnavailable,
        match=r"DescribeStreamConsumer.*source\.fan_out\.consumer_arn.*consumer_name",
    ) as raised:
        follower.until(lambda: bool(follower.gaps))
    assert (follower.gaps, raised.value.exit_code) == ([], 3)
    after = Follower(open_pushed(stream), follower.positions)
    after.read(120 - follower.count)
    assert (sorted([*follower.all, *after.all], key=repr), after.gaps) == (numbered(0, 120), [])


def refuse_continuations(reading: KinesisReading, code: str) -> list[str]:
    """Refuse subscriptions that continue after a sequence number.

    Returns the starting positions of all subscriptions, a list that grows.
    """
    kinds: list[str] = []

    def refuse(context: dict[str, Any], **_: Any) -> Any:
        kinds.append(context["start"])
        refusal = {
            "Error": {"Code": code, "Message": "refused by the test"},
            "ResponseMetadata": {},
        }
        return (
            (SimpleNamespace(status_code=400), refusal)
            if kinds[-1] == "AFTER_SEQUENCE_NUMBER"
            else None
        )

    events = reading.client.boto.meta.events
    events.register(
        "before-parameter-build.kinesis.SubscribeToShard",
        lambda params, context, **_: context.update(start=params["StartingPosition"]["Type"]),
    )
    events.register("before-call.kinesis.SubscribeToShard", refuse)
    return kinds


@pytest.mark.parametrize("code", ["InvalidArgumentException", "ResourceNotFoundException"])
def test_a_refused_continuation_is_no_gap_while_the_last_record_exists(
    ministack: Ministack,
    stream: str,
    open_pushed: Open,
    toxiproxy_before: Callable[[int], Toxiproxy],
    code: str,
) -> None:
    """The emulator accepts any sequence number: the test constructs the refusals."""
    proxy = toxiproxy_before(ministack.port)
    put(ministack, stream, numbered(0, 100))
    reading = open_pushed(stream, endpoint_url=proxy.url)
    follower = Follower(reading)
    follower.read(100)
    kinds = refuse_continuations(reading, code)
    with proxy.down():
        put(ministack, stream, numbered(100, 150))
    follower.read(150)
    assert {"AFTER_SEQUENCE_NUMBER", "AT_SEQUENCE_NUMBER"} <= set(kinds)
    assert (follower.all, follower.gaps) == (numbered(0, 150), [])


def test_a_shard_with_an_old_last_record_resumes_from_a_time_once_it_was_read_to_its_end(
    ministack: Ministack,
    stream: str,
    open_pushed: Open,
    toxiproxy_before: Callable[[int], Toxiproxy],
) -> None:
    """After a restart, the age of the last record is unknown."""
    proxy = toxiproxy_before(ministack.port)
    put(ministack, stream, numbered(0, 100))
    first = open_pushed(stream)
    before = Follower(first)
    before.read(100)
    first.close()
    reading = open_pushed(stream, endpoint_url=proxy.url)
    after = Follower(reading, before.positions)
    after.read(0)
    kinds = refuse_continuations(reading, "InvalidArgumentException")
    with proxy.down():
        put(ministack, stream, numbered(100, 150))
    after.read(50)
    assert set(kinds) == {"AFTER_SEQUENCE_NUMBER", "AT_TIMESTAMP"}
    assert (after.all, after.gaps) == (numbered(100, 150), [])


def pushed_end(reading: KinesisReading, **event: Any) -> list[RawBatch | Gap | None]:
    reader = SubscribedShardReader(reading._shared, SHARD, ("TRIM_HORIZON", 0), "arn")
    reader._accept_event({"Records": [], "MillisBehindLatest": 0, **event}, None)
    return [reader.take(10, at_least_one=True)]


def test_the_last_event_of_a_shard_ends_it_and_names_its_children(
    stream: str, open_pushed: Open
) -> None:
    child = {"ShardId": "shardId-000000000005", "ParentShards": [SHARD], "HashKeyRange": {}}
    (batch,) = pushed_end(open_pushed(stream), ChildShards=[child])
    assert isinstance(batch, RawBatch)
    assert batch.ended
    assert batch.children == (
        DiscoveredPartition("shardId-000000000005", ("TRIM_HORIZON", 0), (SHARD,)),
    )


def test_an_event_without_a_continuation_does_not_end_an_open_shard(
    stream: str, open_pushed: Open
) -> None:
    (batch,) = pushed_end(open_pushed(stream))
    assert isinstance(batch, RawBatch)
    assert (batch.ended, batch.at_end) == (False, True)
