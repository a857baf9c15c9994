"""The Kinesis source when the network or the service fails.

Runs against kinesis-local (an emulator) through Toxiproxy and microburst. Responses that no
emulator sends, such as incomplete ones, are simulated by changing what botocore has parsed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from statistics import median
from typing import Any

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from sinks.aws.client import reject_truncated_body
from stream.errors import SourceUnavailable
from stream.events import Gap, RawBatch
from stream.sources.kinesis.reading import KinesisReading
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
    with opening() as open_stream:
        yield lambda url, stream, **fields: open_stream(stream, endpoint_url=url, **fields)


def padded(start: int, stop: int) -> list[bytes]:
    return [b"%05d" % n + b"." * 1000 for n in range(start, stop)]


def logged(lines: list[EventDict], event: str) -> list[EventDict]:
    """The warnings with this event."""
    return [line for line in lines if (line["event"], line["log_level"]) == (event, "warning")]


def poll_for(reading: KinesisReading, seconds: float) -> list[RawBatch | Gap]:
    """Poll for ``seconds`` and at least five times; polls must return near their time-out.

    A busy machine delays some of them, a poll that waits for the network all.
    """
    polled: list[RawBatch | Gap] = []
    took_s: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until or len(took_s) < 5:
        began = time.monotonic()
        polled += reading.poll(0.2, 1000)
        took_s.append(time.monotonic() - began)
    assert median(took_s) < 2.5
    return polled


@pytest.mark.parametrize(
    ("kept_bytes", "reason"),
    [(50_000, "IncompleteReadError"), (120, "Incomplete")],
    ids=["in the body", "in the headers"],
)
def test_a_truncated_response_is_not_the_end_of_a_shard_and_nothing_is_lost(
    kinesis: KinesisEmulator,
    toxiproxy: Toxiproxy,
    make_stream: MakeStream,
    open_at: Open,
    kept_bytes: int,
    reason: str,
) -> None:
    stream = make_stream()
    kinesis.put(stream, padded(0, 300))
    reading = open_at(toxiproxy.url, stream)
    follower = Follower(reading)
    with capture_logs() as lines:
        with toxiproxy.toxic("limit_data", bytes=kept_bytes):
            follower.until(
                lambda: reason in {line["reason"] for line in logged(lines, "source_unreachable")}
            )
            until = time.monotonic() + 1.0
            follower.until(lambda: time.monotonic() > until)
        assert [batch for batch in follower.batches if batch.ended or batch.at_end] == []
        follower.read(300)
        assert (follower.all, follower.gaps, follower.ended) == (padded(0, 300), [], set())
        assert logged(lines, "source_reachable")


def test_the_client_library_treats_a_truncated_response_as_a_success(
    kinesis: KinesisEmulator, toxiproxy: Toxiproxy, make_stream: MakeStream, open_at: Open
) -> None:
    stream = make_stream()
    kinesis.put(stream, padded(0, 300))
    reading = open_at(toxiproxy.url, stream)
    client = reading.client
    start = {"StreamName": stream, "ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}
    iterator = client.boto.get_shard_iterator(**start)["ShardIterator"]
    client.boto.meta.events.unregister("before-parse.kinesis", reject_truncated_body)
    with toxiproxy.toxic("limit_data", bytes=50_000):
        response = client.boto.get_records(ShardIterator=iterator)
    assert set(response) == {"ResponseMetadata"}


def test_slow_responses_delay_no_poll_and_lose_nothing(
    kinesis: KinesisEmulator, toxiproxy: Toxiproxy, make_stream: MakeStream, open_at: Open
) -> None:
    stream = make_stream(2)
    kinesis.put(stream, numbered(0, 100))
    reading = open_at(toxiproxy.url, stream)
    with toxiproxy.toxic("latency", latency=700):
        follower = Follower(reading)
        assert not any(isinstance(result, Gap) for result in poll_for(reading, 0.5))
        follower.read(100)
    assert follower.all == numbered(0, 100)


@pytest.mark.parametrize("fault", ["reset_peer", "down", "timeout"])
def test_reading_continues_after_an_outage_which_is_not_the_end_of_the_log(
    kinesis: KinesisEmulator,
    toxiproxy: Toxiproxy,
    make_stream: MakeStream,
    open_at: Open,
    fault: str,
) -> None:
    stream = make_stream(2)
    kinesis.put(stream, numbered(0, 100))
    reading = open_at(toxiproxy.url, stream)
    follower = Follower(reading)
    follower.read(100)
    broken = toxiproxy.down() if fault == "down" else toxiproxy.toxic(fault, timeout=0)
    with capture_logs() as lines:
        with broken:
            kinesis.put(stream, numbered(100, 200))
            poll_for(reading, 1.0)
            if fault != "timeout":  # a stalled response is logged only after the read time-out
                follower.until(lambda: bool(logged(lines, "source_unreachable")))
            follower.until(lambda: poll_for(reading, 1.0) == [])
        follower.read(200)
        if fault != "timeout":
            follower.until(lambda: bool(logged(lines, "source_reachable")))
    assert (follower.all, follower.gaps) == (numbered(0, 200), [])


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
def test_transient_errors_lose_and_repeat_nothing(
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
    # Every call, until enough were refused: on a busy machine the client may miss a refusal.
    microburst.refuse(operation, code, 1000)
    follower = Follower(reading)
    follower.until(lambda: codes.count(code) >= 2)
    microburst.clear()
    follower.read(100)
    refused = codes.count(code)
    if operation == "GetRecords":
        microburst.refuse(operation, code, 1000)
        kinesis.put(stream, numbered(100, 150))
        follower.until(lambda: codes.count(code) >= refused + 3)
        microburst.clear()
    else:
        kinesis.put(stream, numbered(100, 150))
    follower.read(150)
    assert "fine" in codes
    assert (follower.all, follower.gaps, follower.ended) == (numbered(0, 150), [], set())


def test_throttled_reads_are_logged_and_become_less_frequent(
    kinesis: KinesisEmulator, microburst: Microburst, make_stream: MakeStream, open_at: Open
) -> None:
    stream = make_stream()
    kinesis.put(stream, numbered(0, 10))
    reading = open_at(microburst.url, stream)
    microburst.refuse("GetRecords", "ProvisionedThroughputExceededException", 1000)
    calls: list[float] = []
    failed: list[float] = []
    hooks = reading.client.boto.meta.events
    hooks.register("before-call.kinesis.GetRecords", lambda **_: calls.append(time.monotonic()))
    for outcome in ("after-call", "after-call-error"):
        hooks.register(f"{outcome}.kinesis.GetRecords", lambda **_: failed.append(time.monotonic()))
    with capture_logs() as lines:
        follower = Follower(reading)
        follower.until(lambda: len(failed) >= 4)
        microburst.clear()
        follower.read(10)
    throttled = logged(lines, "source_throttled")
    assert {(line["operation"], line["reason"]) for line in throttled} == {
        ("GetRecords", "ProvisionedThroughputExceededException")
    }
    assert len(throttled) < 4, "at most one in half a minute, which a busy machine may exceed"
    # A busy machine makes a pause longer, never shorter.
    for (earlier, later), pause_s in zip(pairwise(calls[:5]), (0.4, 0.8, 1.6, 3.2), strict=True):
        assert later - earlier >= pause_s


@pytest.mark.parametrize(
    "operation", ["DescribeStreamSummary", "ListShards", "GetShardIterator", "GetRecords"]
)
def test_a_missing_permission_is_named_in_the_error(
    kinesis: KinesisEmulator,
    microburst: Microburst,
    make_stream: MakeStream,
    open_at: Open,
    operation: str,
) -> None:
    stream = make_stream()
    kinesis.put(stream, numbered(0, 10))
    # Every call, not one: a client on a busy machine may give up waiting for a refusal, and retry.
    microburst.refuse(operation, "AccessDeniedException", 1000)
    with pytest.raises(
        SourceUnavailable, match=rf"AccessDenied.*kinesis:{operation} on the stream"
    ):
        Follower(open_at(microburst.url, stream)).read(10)


def change(
    reading: KinesisReading, operation: str, alter: Callable[[dict[str, Any]], None], times: int
) -> list[str]:
    """Let ``alter`` change the next ``times`` responses of an operation.

    Returns a list that grows by an entry for each changed response.
    """
    changed: list[str] = []

    def change_response(parsed: dict[str, Any], **_: Any) -> None:
        if len(changed) < times:
            alter(parsed)
            changed.append(operation)

    reading.client.boto.meta.events.register(f"after-call.kinesis.{operation}", change_response)
    return changed


@pytest.mark.parametrize(
    ("operation", "key"),
    [
        ("GetRecords", "Records"),
        ("GetRecords", "MillisBehindLatest"),
        ("GetShardIterator", "ShardIterator"),
    ],
)
def test_a_response_that_lacks_a_key_is_requested_again(
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


def test_a_response_with_a_record_without_sequence_number_is_requested_again(
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
def test_a_response_without_a_next_iterator_does_not_end_an_open_shard(
    kinesis: KinesisEmulator,
    make_stream: MakeStream,
    open_at: Open,
    children: list[Any] | None,
) -> None:
    stream = make_stream()
    kinesis.put(stream, numbered(0, 50))
    reading = open_at(kinesis.url, stream)

    def cut(parsed: dict[str, Any]) -> None:
        del parsed["NextShardIterator"]
        parsed.update({} if children is None else {"ChildShards": children})

    changed = change(reading, "GetRecords", cut, 3)
    with capture_logs() as lines:
        follower = Follower(reading)
        follower.read(50)
        kinesis.put(stream, numbered(50, 60))
        follower.read(60)
    assert len(changed) == 3
    line = logged(lines, "source_unreachable")[0]
    assert (line["operation"], line["reason"]) == ("GetRecords", "Incomplete")
    assert (follower.all, follower.gaps, follower.ended) == (numbered(0, 60), [], set())


def test_children_that_the_last_response_does_not_name_are_listed(
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
    assert {(child.partition, child.parents) for child in last.children} == {
        ("shardId-000000000001", (SHARD,)),
        ("shardId-000000000002", (SHARD,)),
    }
    assert follower.all == numbered(0, 40)


def test_a_truncated_listing_is_retried_at_the_start(
    kinesis: KinesisEmulator, toxiproxy: Toxiproxy, make_stream: MakeStream, open_at: Open
) -> None:
    stream = make_stream()
    with (
        toxiproxy.toxic("limit_data", bytes=300),
        pytest.raises(SourceUnavailable, match=r"cut off.*give_up_after"),
    ):
        open_at(toxiproxy.url, stream, give_up_after="1.0s")


def test_sequence_numbers_are_compared_as_numbers(
    kinesis: KinesisEmulator,
    make_stream: MakeStream,
    open_at: Open,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A number may have a digit more than its predecessor; as text it would compare as smaller."""
    monkeypatch.setattr("stream.sources.kinesis.polling.MAX_RECORDS", 5)
    stream = make_stream()
    kinesis.put(stream, numbered(0, 12))
    reading = open_at(kinesis.url, stream)

    def renumber(parsed: dict[str, Any]) -> None:
        for record in parsed.get("Records", ()):
            record["SequenceNumber"] = str(95 + int(record["Data"]))

    change(reading, "GetRecords", renumber, 1000)
    follower = Follower(reading)
    follower.read(12)
    assert follower.sequences[SHARD] == [(str(n), 0) for n in range(95, 107)]
