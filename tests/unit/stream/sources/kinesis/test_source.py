"""The configuration of the Kinesis source, and the shards that a job discovers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from stream.config.load import parse
from stream.errors import ConfigError
from stream.sources.kinesis.shards import Shard, ShardList, ancestors
from stream.sources.kinesis.source import FanOut, Kinesis

BASE = """
job: prices
format: {type: json, features: request, prediction: answer.price}
model: {from: const, name: prices}
models: {prices: {baseline: learn, outputs: [price], inputs: [area]}}
source: {type: kinesis, stream: inference, %s}
"""
ARN = "arn:aws:kinesis:eu-central-1:123456789012:stream/a"


def source(keys: str) -> Kinesis:
    parsed = parse(yaml.safe_load(BASE % keys), Path("/")).source
    assert isinstance(parsed, Kinesis)
    return parsed


@pytest.mark.parametrize(
    "text", ["2026-11-25T10:00:00Z", '"2026-11-25T10:00:00Z"', "2026-11-25T11:00:00+01:00"]
)
def test_start_at_is_a_time_with_its_zone(text: str) -> None:
    assert source(f"start_at: {text}").start_at == datetime(2026, 11, 25, 10, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-11-25T10:00:00", "2026-11-25", "yesterday", "5"])
def test_start_at_without_a_zone_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(
        ConfigError,
        match=r"source\.start_at: expected a time with its zone, like 2026-11-25T10:00:00Z",
    ) as raised:
        source(f"start_at: {text}")
    assert [fault.path for fault in raised.value.faults] == ["source.start_at"]


@pytest.mark.parametrize(
    ("faulty", "expected"),
    [
        (Kinesis(), "stream: either stream or stream_arn is required"),
        (Kinesis(stream="a", stream_arn=ARN), "not both"),
        (Kinesis(stream="a stream"), "stream: 'a stream' is not the name of a stream"),
        (Kinesis(stream_arn="a"), "stream_arn: 'a' is not the ARN of a Kinesis stream"),
        (
            Kinesis(stream_arn=ARN, region="us-east-1"),
            "region: the stream is in eu-central-1, not in us-east-1",
        ),
        (Kinesis(stream="a", endpoint_url="a:1"), "endpoint_url: 'a:1' is not a URL"),
        (
            Kinesis(stream="a", start="latest", start_at=datetime(2026, 1, 1, tzinfo=UTC)),
            "start_at",
        ),
        (Kinesis(stream="a", fan_out=FanOut()), "either consumer_name or consumer_arn"),
        (
            Kinesis(stream="a", fan_out=FanOut(consumer_name="a", consumer_arn="b")),
            "either consumer_name or consumer_arn",
        ),
    ],
)
def test_faults_are_reported_without_network(faulty: Kinesis, expected: str) -> None:
    (fault,) = faulty.check()
    assert expected in str(fault)


def test_a_stream_has_the_same_identity_by_name_and_by_arn() -> None:
    assert Kinesis(stream="a").identity == Kinesis(stream_arn=ARN).identity


def test_ancestors_are_listed_shards_only_and_never_the_shard_itself() -> None:
    shards = {
        "b": Shard("b", (), False),
        "c": Shard("c", ("b",), True),
        "d": Shard("d", ("b",), True),
    }
    assert ancestors(shards, {"c", "d"}) == {"b"}
    assert ancestors(shards, {"b", "unlisted"}) == set()


def test_after_a_start_at_the_latest_new_shards_begin_at_their_first_record() -> None:
    shards = ShardList(None, "latest", 5000)  # type: ignore[arg-type]
    shards.latest = {
        "a": Shard("a", (), False),
        "b": Shard("b", ("a",), True),
        "c": Shard("c", ("a",), True),
    }
    assert [tuple(shard) for shard in shards.discovered()] == [
        ("b", ("AT_TIMESTAMP", 5000), (), True),
        ("c", ("AT_TIMESTAMP", 5000), (), True),
    ]
    shards.mark_assigned(["b", "c"])
    shards.latest |= {
        "b": Shard("b", ("a",), False),
        "d": Shard("d", ("b",), True),
        "x": Shard("x", (), True),
    }
    later = [tuple(shard) for shard in shards.discovered() if shard.partition not in "bc"]
    assert later == [
        ("d", ("TRIM_HORIZON", 0), ("b",), False),
        ("x", ("TRIM_HORIZON", 0), (), False),
    ]


def test_a_shard_has_expired_once_all_listings_of_an_hour_lack_it() -> None:
    shards = ShardList(None, "earliest", 0)  # type: ignore[arg-type]
    shards.mark_assigned(["a", "b"])

    def listing(at_s: float, *names: str) -> list[str]:
        shards.asked_s = at_s
        shards.latest = {name: Shard(name, (), True) for name in names}
        return shards.expired(["a", "b"])

    assert [listing(5.0, "a", "b"), listing(10.0, "b"), listing(3_609.0, "b")] == [[], [], []]
    assert listing(3_610.0, "b") == ["a"]
    assert [listing(3_615.0, "a", "b"), listing(3_620.0, "b"), listing(7_219.0, "b")] == [
        [],
        [],
        [],
    ]
    assert listing(7_220.0, "b") == ["a"]
