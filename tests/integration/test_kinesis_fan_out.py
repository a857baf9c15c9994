"""Enhanced fan-out against ministack (an emulator, which ends no shards: the end of one is an event
made here)."""

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
from stream.sources.kinesis.source import FanOut, KinesisReading
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
    with opening(endpoint_url=ministack.url, fan_out=FanOut(consumer_name="driftline")) as open_one:
        yield open_one


@pytest.fixture
def stream(ministack: Ministack) -> str:
    name = f"stream-{os.urandom(6).hex()}"
    create(ministack.kinesis, name, 2)
    return name


def put(ministack: Ministack, stream: str, values: list[bytes]) -> list[dict[str, Any]]:
    entries = [{"Data": value, "PartitionKey": value.decode()} for value in values]
    return list(ministack.kinesis.put_records(StreamName=stream, Records=entries)["Records"])


def arn_of_consumer(ministack: Ministack, stream: str) -> str:
    arn = ministack.kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"][
        "StreamARN"
    ]
    (consumer,) = ministack.kinesis.list_stream_consumers(StreamARN=arn)["Consumers"]
    return str(consumer["ConsumerARN"])


def test_pushed_records_come_once_and_in_order(
    ministack: Ministack, stream: str, open_pushed: Open
) -> None:
    placed = put(ministack, stream, numbered(0, 300))
    reading = open_pushed(stream)
    reading.client.boto.meta.events.register(
        "before-call.kinesis.GetRecords", lambda **_: pytest.fail("it polls")
    )
    follower = Follower(reading)
    follower.until(lambda: follower.count >= 300, max_records=50)
    placed += put(ministack, stream, numbered(300, 350))
    follower.read(350)
    assert (follower.all, follower.gaps) == (numbered(0, 350), [])
    for shard, sequences in follower.sequences.items():
        assert [place[0] for place in sequences if isinstance(place, tuple)] == [
            one["SequenceNumber"] for one in placed if one["ShardId"] == shard
        ]
    assert reading.lag(follower.positions) == {SHARD: 0, "shardId-000000000001": 0}


def test_a_restart_goes_on_behind_the_last_record_and_uses_the_consumer_that_is_there(
    ministack: Ministack, stream: str, open_pushed: Open
) -> None:
    put(ministack, stream, numbered(0, 100))
    first = open_pushed(stream)
    before = Follower(first)
    before.until(lambda: before.count >= 30, max_records=10)
    first.close()
    put(ministack, stream, numbered(100, 150))
    again = open_pushed(stream, fan_out=FanOut(consumer_arn=arn_of_consumer(ministack, stream)))
    after = Follower(again, before.positions)
    after.read(150 - before.count)
    assert sorted([*before.all, *after.all], key=repr) == numbered(0, 150)
    Follower(open_pushed(stream)).read(150)
    assert arn_of_consumer(ministack, stream)


def test_a_subscription_that_breaks_is_renewed_and_nothing_is_lost_or_repeated(
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
    gaps = reading.assign([Assign(1, SHARD, ("7", 0), None)])
    deadline = time.monotonic() + 20
    while not gaps and time.monotonic() < deadline:
        gaps = [one for one in reading.poll(0.2, 100) if isinstance(one, Gap)]
    (gap,) = gaps
    assert gap[:4] == (SHARD, ("7", 0), ("TRIM_HORIZON", 0), None)


def test_a_consumer_that_is_not_there_is_named(
    ministack: Ministack, stream: str, open_pushed: Open
) -> None:
    arn = f"arn:aws:kinesis:us-east-1:000000000000:stream/{stream}/consumer/nobody:1"
    with pytest.raises(SourceUnavailable, match=r"ResourceNotFound.*source\.fan_out\.consumer_arn"):
        open_pushed(stream, fan_out=FanOut(consumer_arn=arn))


def test_records_that_are_not_taken_are_no_longer_pushed_when_they_are_eight_megabytes(
    ministack: Ministack, stream: str, open_pushed: Open
) -> None:
    """The emulator pushes all that is there at once: events of 3 MB are made here."""
    lane = SubscribedShardReader(open_pushed(stream)._common, SHARD, ("TRIM_HORIZON", 0), "arn")

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
            lane._take_in(event(n))

    pushing = threading.Thread(target=push, daemon=True)
    pushing.start()
    pushing.join(0.5)
    assert [one.sequence for one in lane._waiting] == ["1", "2", "3"]
    taken = lane.take(1, alone=True)
    assert isinstance(taken, RawBatch)
    pushing.join(0.5)
    assert [one.sequence for one in lane._waiting] == ["2", "3", "4"]
    lane.close()


def test_a_consumer_that_is_deregistered_ends_the_reading_and_is_no_gap(
    ministack: Ministack, stream: str, open_pushed: Open
) -> None:
    put(ministack, stream, numbered(0, 100))
    follower = Follower(open_pushed(stream))
    follower.read(100)
    ministack.kinesis.deregister_stream_consumer(ConsumerARN=arn_of_consumer(ministack, stream))
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


def refuse_numbers_to_go_on_from(reading: KinesisReading, code: str) -> list[str]:
    """Answer subscriptions behind a number with an error made here; the list grows with the kind of
    each that is asked for."""
    kinds: list[str] = []

    def refuse(context: dict[str, Any], **_: Any) -> Any:
        kinds.append(context["asked"])
        refusal = {"Error": {"Code": code, "Message": "made by the test"}, "ResponseMetadata": {}}
        return (
            (SimpleNamespace(status_code=400), refusal)
            if kinds[-1] == "AFTER_SEQUENCE_NUMBER"
            else None
        )

    events = reading.client.boto.meta.events
    events.register(
        "before-parameter-build.kinesis.SubscribeToShard",
        lambda params, context, **_: context.update(asked=params["StartingPosition"]["Type"]),
    )
    events.register("before-call.kinesis.SubscribeToShard", refuse)
    return kinds


@pytest.mark.parametrize("code", ["InvalidArgumentException", "ResourceNotFoundException"])
def test_a_number_to_go_on_from_that_is_refused_is_no_gap_while_the_last_record_is_there(
    ministack: Ministack,
    stream: str,
    open_pushed: Open,
    toxiproxy_before: Callable[[int], Toxiproxy],
    code: str,
) -> None:
    """The emulator refuses no number: calls that would go on behind one are answered with an error
    made here."""
    proxy = toxiproxy_before(ministack.port)
    put(ministack, stream, numbered(0, 100))
    reading = open_pushed(stream, endpoint_url=proxy.url)
    follower = Follower(reading)
    follower.read(100)
    kinds = refuse_numbers_to_go_on_from(reading, code)
    with proxy.down():
        put(ministack, stream, numbered(100, 150))
    follower.read(150)
    assert {"AFTER_SEQUENCE_NUMBER", "AT_SEQUENCE_NUMBER"} <= set(kinds)
    assert (follower.all, follower.gaps) == (numbered(0, 150), [])


def test_a_shard_whose_last_record_may_be_too_old_goes_on_from_a_time_after_its_end_was_seen(
    ministack: Ministack,
    stream: str,
    open_pushed: Open,
    toxiproxy_before: Callable[[int], Toxiproxy],
) -> None:
    """After a restart nobody knows how old the record is that was read last."""
    proxy = toxiproxy_before(ministack.port)
    put(ministack, stream, numbered(0, 100))
    first = open_pushed(stream)
    before = Follower(first)
    before.read(100)
    first.close()
    reading = open_pushed(stream, endpoint_url=proxy.url)
    after = Follower(reading, before.positions)
    after.read(0)
    kinds = refuse_numbers_to_go_on_from(reading, "InvalidArgumentException")
    with proxy.down():
        put(ministack, stream, numbered(100, 150))
    after.read(50)
    assert set(kinds) == {"AFTER_SEQUENCE_NUMBER", "AT_TIMESTAMP"}
    assert (after.all, after.gaps) == (numbered(100, 150), [])


def pushed_end(reading: KinesisReading, **event: Any) -> list[RawBatch | Gap | None]:
    lane = SubscribedShardReader(reading._common, SHARD, ("TRIM_HORIZON", 0), "arn")
    lane._take_in({"Records": [], "MillisBehindLatest": 0, **event})
    return [lane.take(10, alone=True)]


def test_the_last_event_of_a_shard_ends_it_and_names_its_children(
    stream: str, open_pushed: Open
) -> None:
    child = {"ShardId": "shardId-000000000005", "ParentShards": [SHARD], "HashKeyRange": {}}
    (told,) = pushed_end(open_pushed(stream), ChildShards=[child])
    assert isinstance(told, RawBatch)
    assert told.ended
    assert told.children == (
        DiscoveredPartition("shardId-000000000005", ("TRIM_HORIZON", 0), (SHARD,)),
    )


def test_an_event_without_the_next_number_does_not_end_a_shard_that_is_open(
    stream: str, open_pushed: Open
) -> None:
    (told,) = pushed_end(open_pushed(stream))
    assert isinstance(told, RawBatch)
    assert (told.ended, told.at_end) == (False, True)
