"""``driftline check --live`` on a Kinesis stream: kinesis-local emulates the stream, ministack
enhanced fan-out."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.servers.kinesis import KinesisEmulator, create
from tests.servers.ministack import Ministack
from tests.servers.service import RunningService
from tests.support import events
from tests.support.jobs import config

Check = Callable[..., tuple[int, str]]


@pytest.fixture
def source(
    kinesis: KinesisEmulator, make_stream: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    for name, value in kinesis.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # the default session caches credentials
    return {
        "type": "kinesis",
        "stream": make_stream(2),
        "region": "us-east-1",
        "endpoint_url": kinesis.url,
    }


def lines(count: int, ago_s: float, a_second: int = 10) -> list[bytes]:
    return events.capture_lines(
        events.values(count, 3),
        start_ms=int((time.time() - ago_s) * 1000),
        events_a_second=a_second,
    )


def test_a_stream_is_reported_with_its_retention_and_shards(
    kinesis: KinesisEmulator, source: dict[str, Any], check_live: Check
) -> None:
    kinesis.put(source["stream"], lines(40, 5))
    code, text = check_live(source, [])
    assert code == 0, text
    assert "retention: 1 d; the service may be down for that long" in text
    assert "2 shards for 1 reader" in text
    assert "0 % of 40 sampled records rejected" in text


def test_the_sample_is_the_newest_records_of_a_shard(
    kinesis: KinesisEmulator, source: dict[str, Any], check_live: Check
) -> None:
    """A shard has 1,000 records of an hour ago and 300 recent ones: the latter must be sampled."""
    kinesis.put(source["stream"], lines(1_000, 3_600), key="k")
    kinesis.put(source["stream"], lines(300, 3, 100), key="k")
    code, text = check_live(source, [])
    assert code == 0, text
    sampled = re.search(r"of ([0-9,]+) sampled records", text)
    assert sampled is not None
    assert 200 <= int(sampled[1].replace(",", "")) <= 399
    assert "0 % after grace" in text


def test_the_shards_of_a_split_are_sampled_and_not_their_parent(
    kinesis: KinesisEmulator, source: dict[str, Any], check_live: Check
) -> None:
    stream = source["stream"]
    kinesis.put(stream, lines(10, 3))
    kinesis.split(stream, min(kinesis.shards(stream)))
    kinesis.put(stream, lines(60, 3))
    code, text = check_live(source, [])
    assert code == 0, text
    assert "3 shards for 1 reader" in text


def test_a_missing_stream_is_reported_with_advice(
    source: dict[str, Any], check_live: Check
) -> None:
    code, text = check_live(source | {"stream": "nowhere"}, [])
    assert code == 2
    assert "there is no such stream in this region and account (ResourceNotFoundException)" in text
    assert "Create the stream, or correct source.stream" in text


def test_the_lag_of_a_stopped_job_is_reported(
    kinesis: KinesisEmulator,
    source: dict[str, Any],
    check_live: Check,
    tmp_path: Path,
    baseline: Path,
) -> None:
    kinesis.put(source["stream"], lines(40, 5))
    settings = config(baseline, job="checked", source=source, sinks=[])
    with RunningService(tmp_path / "run", settings, kinesis.env) as service:
        service.until(lambda: service.accepted() >= 40)
        service.stop()
    code, text = check_live(
        source, [], state={"path": str(tmp_path / "run" / "driftline-checked.sqlite")}
    )
    assert code == 0, text
    assert re.search(r"position of this job: .* behind", text)


def test_a_consumer_of_fan_out_is_looked_up_and_never_registered(
    ministack: Ministack, monkeypatch: pytest.MonkeyPatch, check_live: Check
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    stream = f"pushed-{os.urandom(4).hex()}"
    aws = ministack.kinesis
    create(aws, stream, 1)
    arn = aws.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    source = {
        "type": "kinesis",
        "stream": stream,
        "region": "us-east-1",
        "endpoint_url": ministack.url,
    }
    _, text = check_live(source | {"fan_out": {"consumer_name": "drift"}}, [])
    assert "consumer drift is not registered yet: the first run registers it" in text
    assert aws.list_stream_consumers(StreamARN=arn)["Consumers"] == []
    aws.register_stream_consumer(StreamARN=arn, ConsumerName="drift")
    assert (
        "the consumer of fan_out is registered"
        in check_live(source | {"fan_out": {"consumer_name": "drift"}}, [])[1]
    )
    code, text = check_live(source | {"fan_out": {"consumer_arn": arn + "/consumer/none:1"}}, [])
    assert code == 2
    assert "Correct source.fan_out.consumer_arn" in text
