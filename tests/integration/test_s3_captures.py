"""Captures in S3, with S3's own behaviour: pages, notices, throttling, permissions.

S3, SQS, SNS and IAM are moto's server, an emulator; microburst refuses requests by name.
"""

from __future__ import annotations

import gzip
import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from stream.errors import SourceUnavailable
from stream.events import Assign, DiscoveredPartition, Gap, RawBatch
from stream.sources.base import Reading
from stream.sources.s3.client import S3Client
from stream.sources.s3.fetching import CHUNK_BYTES
from stream.sources.s3.keys import HOUR_MS, hour_folder
from stream.sources.s3.position import decode
from stream.sources.s3.reading import POLL_BYTES
from stream.sources.s3.source import S3, Notices
from tests.servers.microburst import Microburst
from tests.servers.moto import REGION, MotoServer
from tests.support import events
from tests.support.paths import ROOT

BUCKET = "captures"
ROOT_FOLDER = "datacapture/churn/AllTraffic/"
Check = Callable[..., tuple[int, str]]


@pytest.fixture
def bucket(moto: MotoServer) -> Any:
    client = moto.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def opened() -> Iterator[Callable[[S3], Reading]]:
    readings: list[Reading] = []

    def open_source(source: S3) -> Reading:
        readings.append(source.open("captures"))
        return readings[-1]

    yield open_source
    for reading in readings:
        reading.close()


def source(moto: MotoServer, url: str = "", **keys: Any) -> S3:
    return S3(
        bucket=BUCKET,
        prefix="datacapture/churn",
        region=REGION,
        endpoint_url=url or moto.url,
        **{"follow": True, **keys},
    )


def this_hour(name: str) -> str:
    return f"{hour_folder(ROOT_FOLDER, int(time.time() * 1000))}/{name}.jsonl"


def read_until(reading: Reading, count: int, timeout_s: float = 120.0) -> list[bytes | None]:
    """Discover, assign what waits for nothing, and read until there are ``count`` records."""
    values: list[bytes | None] = []
    ended: set[str] = set()
    assigned: set[str] = set()
    deadline_s = time.monotonic() + timeout_s
    while len(values) < count:
        assert time.monotonic() < deadline_s, f"{len(values)} of {count} records"
        for found in reading.discover():
            if found.partition not in assigned and ended.issuperset(found.parents):
                assigned.add(found.partition)
                order = Assign(claim=1, partition=found.partition, next=found.start, mark_ms=None)
                assert reading.assign([order]) == []
        for result in reading.poll(0.2, 1000):
            assert isinstance(result, RawBatch)
            values += result.values
            if result.ended:
                ended.add(result.partition)
    return values


def test_a_bounded_source_whose_hours_are_all_before_its_start_is_finished(
    moto: MotoServer, bucket: Any, opened: Callable[[S3], Reading]
) -> None:
    bucket.put_object(Bucket=BUCKET, Key=f"{ROOT_FOLDER}2026/01/01/07/a.jsonl", Body=b"{}\n")
    reading = opened(source(moto, follow=False, start_at=datetime.now(UTC)))
    assert not reading.finished, "nothing was listed yet"
    assert reading.discover() == []
    assert reading.finished
    assert not opened(source(moto, start_at=datetime.now(UTC))).finished


def queue_of(moto: MotoServer, bucket: Any, through_sns: bool) -> str:
    """A queue to which the bucket sends its events, itself or through a topic."""
    if through_sns:
        topic, queue = moto.topic_with_queue("captures")
        target = {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]}
    else:
        queue = moto.sqs.create_queue(QueueName="captures")["QueueUrl"]
        named = moto.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        arn = named["Attributes"]["QueueArn"]
        target = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    bucket.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration=target)
    return str(queue)


def wait_until(condition: Callable[[], object], timeout_s: float = 120.0) -> None:
    """Wait for a condition; the limit is that of a busy machine."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def discovered(reading: Reading) -> list[DiscoveredPartition]:
    """The partitions of the first listing, for which a single call waits two seconds at most."""
    wait_until(reading.discover)
    return reading.discover()


@pytest.mark.parametrize("through_sns", [False, True])
def test_an_object_is_read_within_five_seconds_of_its_notice_and_the_message_is_deleted(
    moto: MotoServer, opened: Callable[[S3], Reading], through_sns: bool
) -> None:
    delays_s: list[float] = []
    while min(delays_s, default=5.0) >= 5:
        assert len(delays_s) < 5, delays_s  # a busy machine may delay any of them
        delays_s.append(delay_of_a_notice(moto, opened, through_sns))


def delay_of_a_notice(
    moto: MotoServer, opened: Callable[[S3], Reading], through_sns: bool
) -> float:
    """The seconds until an object is read that only a notice tells of."""
    moto.reset()
    bucket = moto.client("s3")
    bucket.create_bucket(Bucket=BUCKET)
    queue = queue_of(moto, bucket, through_sns)
    reading = opened(source(moto, notices=Notices(sqs_url=queue), relist="2h"))
    assert reading.discover() == []
    bucket.put_object(Bucket=BUCKET, Key=this_hour("a b+c"), Body=b"{}\n")
    began_s = time.monotonic()
    assert read_until(reading, 1) == [b"{}"]
    delay_s = time.monotonic() - began_s
    (found,) = reading.discover()
    (batch,) = [b for b in reading.poll(0.1, 10) if isinstance(b, RawBatch)]
    assert not_visible(moto, queue) == 1, "the object is not committed yet"
    reading.publish_positions({found.partition: batch.next})
    wait_until(lambda: not not_visible(moto, queue))
    reading.close()
    return delay_s


def not_visible(moto: MotoServer, queue: str) -> int:
    names = ["ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessages"]
    found = moto.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)


def test_an_event_of_eventbridge_is_a_notice(
    moto: MotoServer, bucket: Any, opened: Callable[[S3], Reading]
) -> None:
    queue = moto.sqs.create_queue(QueueName="captures")["QueueUrl"]
    reading = opened(source(moto, notices=Notices(sqs_url=queue), relist="2h"))
    assert reading.discover() == []
    key = this_hour("a")
    bucket.put_object(Bucket=BUCKET, Key=key, Body=b"{}\n")
    event = {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "time": "2026-11-30T01:00:00Z",
        "detail": {"bucket": {"name": BUCKET}, "object": {"key": key, "size": 3, "etag": "e"}},
    }
    moto.sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(event))
    assert read_until(reading, 1) == [b"{}"]


def test_a_listing_has_as_few_pages_as_it_needs_and_skips_hours_that_were_read(
    moto: MotoServer,
    bucket: Any,
    opened: Callable[[S3], Reading],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_ms = int(time.time() * 1000)
    for n in range(120):
        folder = hour_folder(ROOT_FOLDER, now_ms - (10 + n // 40) * HOUR_MS)
        bucket.put_object(Bucket=BUCKET, Key=f"{folder}/{n:05d}.jsonl", Body=b"%d\n" % n)
    bucket.put_object(Bucket=BUCKET, Key=this_hour("z"), Body=b"new\n")
    pages: list[str] = []
    page = S3Client.page

    def counted(self: S3Client, after: str, max_keys: int = 1000) -> Any:
        if max_keys == 1000:
            pages.append(after)
        return page(self, after, min(max_keys, 100))  # as if a page had a tenth of S3's keys

    monkeypatch.setattr(S3Client, "page", counted)
    reading = opened(source(moto, relist="1h"))
    assert len(read_until(reading, 121)) == 121
    assert len(pages) == 2
    current = hour_folder(ROOT_FOLDER, now_ms)
    again = opened(source(moto, relist="1h"))
    again.assigned_elsewhere({current: ("", 0)})
    pages.clear()
    assert [found.partition for found in discovered(again)] == [current]
    assert len(pages) <= 2


def test_requests_that_s3_refuses_for_a_while_are_repeated(
    moto: MotoServer,
    bucket: Any,
    microburst_of: Callable[[str], Microburst],
    opened: Callable[[S3], Reading],
) -> None:
    for n in range(12):
        bucket.put_object(Bucket=BUCKET, Key=this_hour(f"{n:02d}"), Body=b"%d\n" % n)
    proxy = microburst_of(moto.url)
    reading = opened(source(moto, proxy.url, relist="1h"))
    reading.discover()
    proxy.refuse("GetObject", "SlowDown", 6, "s3")
    with capture_logs() as logged:
        values = read_until(reading, 12)
        # The reading tells of the success just after it has handed out what it read.
        wait_until(lambda: reading.trouble == "")
    assert values == [b"%d" % n for n in range(12)]
    throttled = [line["reason"] for line in logged if line["event"] == "source_throttled"]
    assert "SlowDown" in throttled


@pytest.fixture
def microburst_of() -> Iterator[Callable[[str], Microburst]]:
    started: list[Microburst] = []

    def start(upstream: str) -> Microburst:
        started.append(Microburst(upstream).__enter__())
        return started[-1]

    yield start
    for proxy in started:
        proxy.__exit__(None, None, None)


def test_large_and_compressed_objects_are_read_to_their_last_line(
    moto: MotoServer, bucket: Any, opened: Callable[[S3], Reading]
) -> None:
    lines = [b"%d %s" % (n, b"x" * 1000) for n in range(3 * CHUNK_BYTES // 2000)]
    body = b"\n".join(lines)
    bucket.put_object(Bucket=BUCKET, Key="datacapture/churn/a.jsonl", Body=body)
    bucket.put_object(Bucket=BUCKET, Key="datacapture/churn/b.jsonl.gz", Body=gzip.compress(body))
    reading = opened(source(moto, follow=False))
    assert read_until(reading, 2 * len(lines)) == [*lines, *lines]
    reading.poll(0.1, 10)
    assert reading.finished


def test_an_object_that_was_overwritten_is_one_gap(
    moto: MotoServer, bucket: Any, opened: Callable[[S3], Reading]
) -> None:
    key = this_hour("a")
    bucket.put_object(Bucket=BUCKET, Key=key, Body=b"1\n2\n")
    reading = opened(source(moto, relist="300ms"))
    read_until(reading, 2)
    bucket.put_object(Bucket=BUCKET, Key=key, Body=b"3\n")
    gaps: list[Gap] = []
    deadline_s = time.monotonic() + 120
    while not gaps:
        assert time.monotonic() < deadline_s
        gaps = [result for result in reading.poll(0.2, 10) if isinstance(result, Gap)]
    assert gaps[0].reason == f"{key} was overwritten after it was read"
    order = Assign(claim=2, partition=gaps[0].partition, next=gaps[0].resume, mark_ms=None)
    assert reading.assign([order]) == []
    bucket.put_object(Bucket=BUCKET, Key=this_hour("0"), Body=b"4\n")
    values: list[bytes | None] = []

    def read() -> list[bytes | None]:
        for result in reading.poll(0.2, 10):
            values.extend(result.values if isinstance(result, RawBatch) else ())
        return values

    wait_until(read)
    assert [read() for _ in range(5)][-1] == [b"4"]


def test_what_was_put_before_the_start_is_left_out(
    moto: MotoServer, bucket: Any, opened: Callable[[S3], Reading]
) -> None:
    bucket.put_object(Bucket=BUCKET, Key=this_hour("b"), Body=b"old\n")
    time.sleep(1.1)  # S3 dates objects in whole seconds
    reading = opened(source(moto, relist="300ms", start="latest"))
    (found,) = discovered(reading)
    assert found.inside
    time.sleep(1.1)
    bucket.put_object(Bucket=BUCKET, Key=this_hour("a"), Body=b"new\n")
    assert read_until(reading, 1) == [b"new"]


def test_the_policy_of_the_page_is_enough_and_each_of_its_permissions_is_needed(
    moto: MotoServer,
    bucket: Any,
    allowed: Callable[[str], None],
    opened: Callable[[S3], Reading],
) -> None:
    page = (ROOT / "docs" / "s3-captures.md").read_text()
    policy = re.findall(r"```json\n(.*?)```", page, re.DOTALL)[0]
    queue = queue_of(moto, bucket, through_sns=False)
    bucket.put_object(Bucket=BUCKET, Key=this_hour("a"), Body=b"{}\n")
    statements = json.loads(policy)["Statement"]
    for statement in statements:
        statement.pop("Condition", None)  # the emulator does not know the key s3:prefix
    statements[2]["Resource"] = "*"
    # For AWS, DeleteMessage permits batches too; the emulator gives them an action of their own.
    statements[2]["Action"].append("sqs:DeleteMessageBatch")
    allowed(json.dumps({"Version": "2012-10-17", "Statement": statements}))
    captures = source(moto, notices=Notices(sqs_url=queue))
    assert read_until(opened(captures), 1) == [b"{}"]
    allowed_again(moto, [statements[0], statements[2]])
    with pytest.raises(SourceUnavailable, match="s3:GetObject on arn:aws:s3:::captures"):
        read_until(opened(captures), 1)
    allowed_again(moto, [statements[1], statements[2]])
    with pytest.raises(SourceUnavailable, match="s3:ListBucket on arn:aws:s3:::captures"):
        opened(captures)
    allowed_again(moto, statements[:2])
    with pytest.raises(SourceUnavailable, match="sqs:ReceiveMessage"):
        read_until(opened(captures), 2)


def allowed_again(moto: MotoServer, statements: list[Any]) -> None:
    moto.replace_policy(json.dumps({"Version": "2012-10-17", "Statement": statements}))


def test_the_live_check_samples_the_newest_object_of_each_variant(
    moto: MotoServer, bucket: Any, check_live: Check, tmp_path: Path
) -> None:
    queue = queue_of(moto, bucket, through_sns=False)
    lines = events.capture_lines(
        events.values(80, 3), start_ms=int(time.time() * 1000) - 5_000, events_a_second=20
    )
    for variant in ("AllTraffic", "Canary"):
        key = this_hour("a").replace("AllTraffic", variant)
        bucket.put_object(Bucket=BUCKET, Key=key, Body=b"\n".join(lines))
    settings = {
        "type": "s3",
        "bucket": BUCKET,
        "prefix": "datacapture",
        "follow": True,
        "notices": {"sqs_url": queue},
        "region": REGION,
        "endpoint_url": moto.url,
    }
    code, text = check_live(settings, [])
    assert code == 0, text
    assert "2 variants, the newest object is" in text
    assert "0 % of 160 sampled records rejected" in text
    assert "messages can be received" in text
    code, text = check_live({**settings, "bucket": "absent"}, [])
    assert code != 0
    assert "there is no such bucket (NoSuchBucket)" in text


def test_a_gap_is_told_alone_after_what_precedes_it_was_returned(
    moto: MotoServer, bucket: Any, opened: Callable[[S3], Reading]
) -> None:
    bucket.put_object(Bucket=BUCKET, Key=this_hour("a"), Body=b"1\n")
    damaged = gzip.compress(b"2\n") + b"more"
    bucket.put_object(Bucket=BUCKET, Key=this_hour("b"), Body=damaged)
    bucket.put_object(Bucket=BUCKET, Key=this_hour("c"), Body=b"3\n")
    reading = opened(source(moto, relist="1h"))
    (found,) = discovered(reading)
    values: list[bytes | None] = []
    expected = found.start
    order = Assign(claim=1, partition=found.partition, next=found.start, mark_ms=None)
    reading.assign([order])
    deadline_s = time.monotonic() + 120
    while len(values) < 3:
        assert time.monotonic() < deadline_s
        results = reading.poll(0.2, 1000)
        for result in results:
            if isinstance(result, Gap):
                assert results == [result], "the aggregator takes gaps before batches"
                assert result.expected == expected
                expected = result.resume
                reading.assign([msgspec.structs.replace(order, next=expected)])
            else:
                values += result.values
                expected = result.next
    assert values == [b"1", b"2", b"3"]


def test_an_empty_object_of_which_the_notice_has_no_size_is_no_gap(
    moto: MotoServer, bucket: Any, opened: Callable[[S3], Reading]
) -> None:
    queue = moto.sqs.create_queue(QueueName="captures")["QueueUrl"]
    captures = source(moto, notices=Notices(sqs_url=queue), relist="2h")
    reading = opened(captures)
    bucket.put_object(Bucket=BUCKET, Key=this_hour("a"), Body=b"1\n")
    read_until(reading, 1)
    key = this_hour("b")
    bucket.put_object(Bucket=BUCKET, Key=key, Body=b"")
    event = {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "time": "2026-11-30T01:00:00Z",
        "detail": {"bucket": {"name": BUCKET}, "object": {"key": key}},
    }
    moto.sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(event))
    batches: list[RawBatch] = []
    while not batches or decode(batches[-1].next).key != key:
        batches += [batch for batch in reading.poll(0.1, 10) if isinstance(batch, RawBatch)]
    again = opened(captures)
    last = batches[-1]
    order = Assign(claim=2, partition=last.partition, next=last.next, mark_ms=None)
    assert again.assign([order]) == [], "what a listing has is what was read"
    assert all(isinstance(result, RawBatch) for result in again.poll(1.0, 10))


def test_lines_of_a_compressed_object_that_are_enormous_come_one_in_a_poll(
    moto: MotoServer, bucket: Any, opened: Callable[[S3], Reading]
) -> None:
    line = b"x" * (POLL_BYTES + 1) + b"\n"
    bucket.put_object(Bucket=BUCKET, Key=this_hour("a"), Body=gzip.compress(3 * line, 1))
    reading = opened(source(moto, follow=False))
    (found,) = discovered(reading)
    reading.assign([Assign(claim=1, partition=found.partition, next=found.start, mark_ms=None)])
    counts: list[int] = []
    while sum(counts) < 3:
        batches = [b for b in reading.poll(5.0, 1000) if isinstance(b, RawBatch)]
        counts.append(sum(len(batch.values) for batch in batches))
    assert counts == [1, 1, 1]
