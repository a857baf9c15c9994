"""The Kinesis source when the way or the service is at fault: Toxiproxy and microburst in front of
kinesis-local (an emulator).

Answers that no emulator gives (keys that are missing) are made by changing what the client library
has parsed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from sinks.aws.client import reject_truncated_body
from stream.errors import SourceUnavailable
from stream.events import Gap, RawBatch
from stream.sources.kinesis.source import KinesisReading
from tests.integration.shards import Follower, opening
from tests.integration.test_kinesis_source import numbered
from tests.servers.kinesis import KinesisEmulator
from tests.servers.microburst import Microburst
from tests.servers.toxiproxy import Toxiproxy

MakeStream = Callable[..., str]
Open = Callable[..., KinesisReading]
SHARD = "shardId-000000000000"


@pytest.fixture
def open_at() -> Iterator[Open]:
    """``open_at(url, stream)``."""
    with opening() as open_one:
        yield lambda url, stream, **fields: open_one(stream, endpoint_url=url, **fields)


def padded(start: int, stop: int) -> list[bytes]:
    return [b"%05d" % n + b"." * 1000 for n in range(start, stop)]


def poll_for(reading: KinesisReading, seconds: float) -> list[RawBatch | Gap]:
    """All that polls give for some time; none takes longer than its time-out, but for a busy
    machine."""
    polled: list[RawBatch | Gap] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        polled += reading.poll(0.2, 1000)
        assert time.monotonic() - began < 2.5
    return polled


@pytest.mark.parametrize(
    ("kept_bytes", "told"),
    [(50_000, "GetRecords (IncompleteReadError)"), (120, "(Incomplete)")],
    ids=["in the body", "in the headers"],
)
def test_an_answer_that_is_cut_off_is_not_the_end_of_a_shard_and_nothing_is_lost(
    kinesis: KinesisEmulator,
    toxiproxy: Toxiproxy,
    make_stream: MakeStream,
    open_at: Open,
    kept_bytes: int,
    told: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stream = make_stream()
    kinesis.put(stream, padded(0, 300))
    reading = open_at(toxiproxy.url, stream)
    follower = Follower(reading)
    with toxiproxy.toxic("limit_data", bytes=kept_bytes):
        until = time.monotonic() + 3.0
        follower.until(lambda: time.monotonic() > until)
    assert [batch for batch in follower.batches if batch.ended or batch.at_end] == []
    assert told in caplog.text
    follower.read(300)
    assert (follower.all, follower.gaps, follower.ended) == (padded(0, 300), [], set())
    assert "answers again" in caplog.text


def test_the_client_library_itself_takes_a_cut_answer_for_a_success(
    kinesis: KinesisEmulator, toxiproxy: Toxiproxy, make_stream: MakeStream, open_at: Open
) -> None:
    stream = make_stream()
    kinesis.put(stream, padded(0, 300))
    reading = open_at(toxiproxy.url, stream)
    client = reading.client
    asked = {"StreamName": stream, "ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}
    iterator = client.boto.get_shard_iterator(**asked)["ShardIterator"]
    client.boto.meta.events.unregister("before-parse.kinesis", reject_truncated_body)
    with toxiproxy.toxic("limit_data", bytes=50_000):
        answer = client.boto.get_records(ShardIterator=iterator)
    assert set(answer) == {"ResponseMetadata"}


def test_slow_answers_delay_no_poll_and_lose_nothing(
    kinesis: KinesisEmulator, toxiproxy: Toxiproxy, make_stream: MakeStream, open_at: Open
) -> None:
    stream = make_stream(2)
    kinesis.put(stream, numbered(0, 100))
    reading = open_at(toxiproxy.url, stream)
    with toxiproxy.toxic("latency", latency=700):
        follower = Follower(reading)
        assert [one for one in poll_for(reading, 0.5) if isinstance(one, Gap)] == []
        follower.read(100)
    assert follower.all == numbered(0, 100)


@pytest.mark.parametrize("fault", ["reset_peer", "down", "timeout"])
def test_an_outage_is_waited_out_and_is_not_the_end_of_the_log(
    kinesis: KinesisEmulator,
    toxiproxy: Toxiproxy,
    make_stream: MakeStream,
    open_at: Open,
    fault: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    stream = make_stream(2)
    kinesis.put(stream, numbered(0, 100))
    reading = open_at(toxiproxy.url, stream)
    follower = Follower(reading)
    follower.read(100)
    broken = toxiproxy.down() if fault == "down" else toxiproxy.toxic(fault, timeout=0)
    with broken:
        kinesis.put(stream, numbered(100, 200))
        poll_for(reading, 4.0)
        assert poll_for(reading, 1.0) == []
    follower.read(200)
    assert (follower.all, follower.gaps) == (numbered(0, 200), [])
    if fault != "timeout":  # of that nothing is told before the time is out
        assert "trying again" in caplog.text
        assert "answers again" in caplog.text


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("GetRecords", "ProvisionedThroughputExceededException"),
        ("GetRecords", "ExpiredIteratorException"),
        ("GetRecords", "InternalFailure"),
        ("GetRecords", "ExpiredTokenException"),
        ("GetShardIterator", "ProvisionedThroughputExceededException"),
    ],
)
def test_errors_that_pass_lose_and_repeat_nothing(
    kinesis: KinesisEmulator,
    microburst: Microburst,
    make_stream: MakeStream,
    open_at: Open,
    operation: str,
    code: str,
) -> None:
    stream = make_stream()
    kinesis.put(stream, numbered(0, 100))
    reading = open_at(microburst.url, stream)
    codes: list[str] = []
    reading.client.boto.meta.events.register(
        f"after-call.kinesis.{operation}",
        lambda parsed, **_: codes.append(parsed.get("Error", {}).get("Code", "fine")),
    )
    microburst.refuse(operation, code, 2)
    follower = Follower(reading)
    follower.read(100)
    assert codes[:2] == [code, code]
    microburst.refuse("GetRecords", code, 3)
    kinesis.put(stream, numbered(100, 150))
    follower.read(150)
    assert codes.count(code) == (5 if operation == "GetRecords" else 2)
    assert (follower.all, follower.gaps, follower.ended) == (numbered(0, 150), [], set())


def test_throttled_reads_become_rarer(
    kinesis: KinesisEmulator, microburst: Microburst, make_stream: MakeStream, open_at: Open
) -> None:
    stream = make_stream()
    kinesis.put(stream, numbered(0, 10))
    reading = open_at(microburst.url, stream)
    microburst.refuse("GetRecords", "ProvisionedThroughputExceededException", 4)
    calls: list[float] = []
    reading.client.boto.meta.events.register(
        "before-call.kinesis.GetRecords", lambda **_: calls.append(time.monotonic())
    )
    Follower(reading).read(10)
    pauses = [later - earlier for earlier, later in pairwise(calls[:5])]
    assert pauses[0] >= 0.4
    assert pauses[3] >= 2 * pauses[1] >= 4 * 0.8 * pauses[0]


@pytest.mark.parametrize(
    "operation", ["DescribeStreamSummary", "ListShards", "GetShardIterator", "GetRecords"]
)
def test_a_refused_permission_is_named(
    kinesis: KinesisEmulator,
    microburst: Microburst,
    make_stream: MakeStream,
    open_at: Open,
    operation: str,
) -> None:
    stream = make_stream()
    kinesis.put(stream, numbered(0, 10))
    microburst.refuse(operation, "AccessDeniedException", 1)
    with pytest.raises(
        SourceUnavailable, match=rf"AccessDenied.*kinesis:{operation} on the stream"
    ):
        Follower(open_at(microburst.url, stream)).read(10)


def change(
    reading: KinesisReading, operation: str, alter: Callable[[dict[str, Any]], None], times: int
) -> list[str]:
    """Let ``alter`` change the next answers of an operation; the list grows with each that was
    changed."""
    changed: list[str] = []

    def answered(parsed: dict[str, Any], **_: Any) -> None:
        if len(changed) < times:
            alter(parsed)
            changed.append(operation)

    reading.client.boto.meta.events.register(f"after-call.kinesis.{operation}", answered)
    return changed


@pytest.mark.parametrize(
    ("operation", "key"),
    [
        ("GetRecords", "Records"),
        ("GetRecords", "MillisBehindLatest"),
        ("GetShardIterator", "ShardIterator"),
    ],
)
def test_an_answer_without_a_key_that_a_whole_one_has_is_asked_for_again(
    kinesis: KinesisEmulator, make_stream: MakeStream, open_at: Open, operation: str, key: str
) -> None:
    stream = make_stream()
    kinesis.put(stream, numbered(0, 50))
    reading = open_at(kinesis.url, stream)

    def cut(parsed: dict[str, Any]) -> None:
        del parsed[key]
        parsed.pop("NextShardIterator", None)

    changed = change(reading, operation, cut, 3)
    follower = Follower(reading)
    follower.read(50)
    assert len(changed) == 3
    assert (follower.all, follower.gaps, follower.ended) == (numbered(0, 50), [], set())


def test_a_record_without_its_number_is_asked_for_again(
    kinesis: KinesisEmulator, make_stream: MakeStream, open_at: Open
) -> None:
    stream = make_stream()
    kinesis.put(stream, numbered(0, 50))
    reading = open_at(kinesis.url, stream)
    changed = change(
        reading, "GetRecords", lambda parsed: parsed["Records"][7].pop("SequenceNumber"), 2
    )
    follower = Follower(reading)
    follower.read(50)
    assert len(changed) == 2
    assert follower.all == numbered(0, 50)


@pytest.mark.parametrize("children", [None, []], ids=["no children", "an empty list of children"])
def test_an_answer_that_names_nothing_to_go_on_from_does_not_end_a_shard_that_is_open(
    kinesis: KinesisEmulator,
    make_stream: MakeStream,
    open_at: Open,
    children: list[Any] | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stream = make_stream()
    kinesis.put(stream, numbered(0, 50))
    reading = open_at(kinesis.url, stream)

    def cut(parsed: dict[str, Any]) -> None:
        del parsed["NextShardIterator"]
        parsed.update({} if children is None else {"ChildShards": children})

    changed = change(reading, "GetRecords", cut, 3)
    follower = Follower(reading)
    follower.read(50)
    kinesis.put(stream, numbered(50, 60))
    follower.read(60)
    assert len(changed) == 3
    assert "GetRecords (Incomplete)" in caplog.text
    assert (follower.all, follower.gaps, follower.ended) == (numbered(0, 60), [], set())


def test_children_that_the_last_answer_does_not_name_are_asked_for(
    kinesis: KinesisEmulator, make_stream: MakeStream, open_at: Open
) -> None:
    stream = make_stream()
    kinesis.put(stream, numbered(0, 20))
    kinesis.split(stream, SHARD)
    kinesis.put(stream, numbered(20, 40))
    reading = open_at(kinesis.url, stream)
    change(reading, "GetRecords", lambda parsed: parsed.pop("ChildShards", None) and None, 1000)
    follower = Follower(reading)
    follower.read(40)
    (last,) = [batch for batch in follower.batches if batch.ended]
    assert {(one.partition, one.parents) for one in last.children} == {
        ("shardId-000000000001", (SHARD,)),
        ("shardId-000000000002", (SHARD,)),
    }
    assert follower.all == numbered(0, 40)


def test_listing_without_its_key_is_tried_again_at_the_start(
    kinesis: KinesisEmulator, toxiproxy: Toxiproxy, make_stream: MakeStream, open_at: Open
) -> None:
    stream = make_stream()
    with (
        toxiproxy.toxic("limit_data", bytes=300),
        pytest.raises(SourceUnavailable, match=r"cut off on its way.*give_up_after"),
    ):
        open_at(toxiproxy.url, stream, give_up_after="1.0s")


def test_numbers_of_records_are_compared_as_numbers(
    kinesis: KinesisEmulator,
    make_stream: MakeStream,
    open_at: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A number may have a digit more than the one before; as text it would be the smaller one."""
    monkeypatch.setattr("stream.sources.kinesis.polling.MOST_PACKS", 5)
    stream = make_stream()
    kinesis.put(stream, numbered(0, 12))
    reading = open_at(kinesis.url, stream)

    def small(parsed: dict[str, Any]) -> None:
        for one in parsed.get("Records", ()):
            one["SequenceNumber"] = str(95 + int(one["Data"]))

    change(reading, "GetRecords", small, 1000)
    follower = Follower(reading)
    follower.read(12)
    assert follower.sequences[SHARD] == [(str(n), 0) for n in range(95, 107)]
