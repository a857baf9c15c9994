"""Settings from which no AWS client can be built: cause and advice, before any request is sent,
wherever a client is needed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from click.testing import CliRunner

from sinks.aws.client import client, url_faults
from sinks.cloudwatch import Cloudwatch
from sinks.errors import ClientUnusable
from sinks.sns import Sns
from stream.cli import main
from stream.config.model import S3Config
from stream.errors import SourceUnavailable, StateUnwritable
from stream.sources.kinesis.client import KinesisError, unavailable
from stream.sources.kinesis.source import Kinesis
from stream.state.s3.object import StateObject
from tests.servers.service import RunningService

LOCAL = "http://127.0.0.1:1"
STREAM_ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/s"
TOPIC_ARN = "arn:aws:sns:eu-west-1:123456789012:t"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without any AWS settings."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.mark.parametrize(
    ("region", "endpoint_url", "profile", "reason", "advice"),
    [
        ("", LOCAL, "", "no region is set", "Set region, AWS_DEFAULT_REGION"),
        ("eu central", LOCAL, "", "'eu central' is not the name of a region", "Correct region"),
        ("eu-west-1", LOCAL, "absent", "there is no AWS profile 'absent'", "Correct AWS_PROFILE"),
        ("eu-west-1", "127.0.0.1:1", "", "'127.0.0.1:1' is not a URL", "Correct endpoint_url"),
        ("eu-west-1", "http://[::1", "", "'http://[::1' is not a URL", "Correct endpoint_url"),
    ],
)
def test_unusable_settings_are_reported_with_advice(
    monkeypatch: pytest.MonkeyPatch,
    region: str,
    endpoint_url: str,
    profile: str,
    reason: str,
    advice: str,
) -> None:
    if profile:
        monkeypatch.setenv("AWS_PROFILE", profile)
    with pytest.raises(ClientUnusable) as raised:
        client("kinesis", region, endpoint_url)
    assert reason in raised.value.problem
    assert advice in raised.value.advice
    with pytest.raises(SourceUnavailable) as unread:
        Kinesis(stream="s", region=region, endpoint_url=endpoint_url).open("j")
    assert unread.value.causes == (raised.value.problem,)
    assert unread.value.advice == raised.value.advice


def test_a_state_in_s3_without_a_client_raises_state_unwritable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "absent")
    with pytest.raises(
        StateUnwritable,
        match=(
            r"s3://states/driftline/j\.state.*there is no AWS profile 'absent'. Correct AWS_PROFILE"
        ),
    ):
        StateObject(S3Config(bucket="states"), "j")


def config(folder: Path, **changes: Any) -> str:
    (folder / "events.jsonl").write_text("{}\n")
    settings = {
        "job": "j",
        "source": {"type": "jsonl", "path": "events.jsonl"},
        "format": {"type": "json"},
        "model": {"from": "const", "name": "m"},
        "models": {"m": {"baseline": "learn", "outputs": ["p"], "inputs": []}},
        **changes,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    return str(folder / "config.yaml")


def test_a_sink_without_a_client_fails_the_live_check_and_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "absent")
    settings = config(
        tmp_path, sinks=[{"type": "prometheus"}, {"type": "cloudwatch", "region": "eu-west-1"}]
    )
    checked = CliRunner().invoke(main, ["check", "--live", settings])
    assert checked.exit_code == 2
    assert (
        "fault    cloudwatch: there is no AWS profile 'absent'\n         -> Correct AWS_PROFILE"
        in checked.output
    )
    with RunningService(tmp_path, yaml.safe_load(Path(settings).read_text())) as service:
        assert service.wait() == 2
    assert (
        "driftline: sinks[1]: there is no AWS profile 'absent'. Correct AWS_PROFILE, or create that"
        " profile\n" in service.log
    )


def test_a_live_check_names_missing_credentials_or_region(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    sinks = [
        {"type": "sns", "topic_arn": TOPIC_ARN, "endpoint_url": LOCAL},
        {"type": "cloudwatch", "endpoint_url": LOCAL},
    ]
    result = CliRunner().invoke(main, ["check", "--live", config(tmp_path, sinks=sinks)])
    assert result.exit_code == 2
    assert (
        "fault    sns: there are no AWS credentials (NoCredentialsError)\n         -> Set"
        " AWS_ACCESS_KEY_ID" in result.output
    )
    assert (
        "fault    cloudwatch: no region is set (NoRegionError)\n         -> Set region"
        in result.output
    )


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("source", {"source": {"type": "kinesis", "stream": "s", "endpoint_url": "localhost:1"}}),
        ("sinks[0]", {"sinks": [{"type": "cloudwatch", "endpoint_url": "localhost:1"}]}),
        (
            "sinks[0]",
            {"sinks": [{"type": "sns", "topic_arn": TOPIC_ARN, "endpoint_url": "localhost:1"}]},
        ),
        ("state.s3", {"state": {"s3": {"bucket": "states", "endpoint_url": "localhost:1"}}}),
    ],
)
def test_an_invalid_address_is_reported_without_network(
    tmp_path: Path, key: str, part: dict[str, Any]
) -> None:
    result = CliRunner().invoke(main, ["check", config(tmp_path, **part)])
    assert result.exit_code == 2
    assert f"{key}.endpoint_url: " in result.output
    assert "'localhost:1' is not a URL" in result.output


def test_valid_addresses_have_no_faults() -> None:
    for url in ("", LOCAL, "https://kinesis.eu-west-1.amazonaws.com", "http://[::1]:4566"):
        assert Cloudwatch(endpoint_url=url).check() == []
        assert Sns(topic_arn=TOPIC_ARN, endpoint_url=url).check() == []


def test_a_stream_is_named_with_the_region_of_its_arn() -> None:
    kinesis = Kinesis(stream_arn=STREAM_ARN).client(1)
    assert kinesis.boto.meta.region_name == "eu-west-1"
    assert kinesis.target.label == f"kinesis stream {STREAM_ARN!r} in eu-west-1"
    kinesis.close()


@pytest.mark.parametrize(
    ("code", "kind", "tried_s", "text"),
    [
        (
            "ResourceNotFoundException",
            "missing",
            None,
            "there is no such stream in this region and account.*Create the stream, or correct",
        ),
        (
            "AccessDeniedException",
            "denied",
            None,
            "Give these credentials the permission kinesis:ListShards on the stream",
        ),
        (
            "UnrecognizedClientException",
            "denied",
            None,
            "AWS does not recognize these credentials.*Correct AWS_ACCESS_KEY_ID.*:ListShards",
        ),
        (
            "InvalidArgumentException",
            "invalid",
            None,
            r"the text of AWS\. Correct source\.stream or source\.stream_arn",
        ),
        (
            "EndpointConnectionError",
            "transient",
            30.0,
            r"Tried for 30 s .*check source\.region, source\.endpoint_url and the network",
        ),
    ],
)
def test_each_failure_of_kinesis_has_advice(
    code: str, kind: Any, tried_s: float | None, text: str
) -> None:
    kinesis = Kinesis(stream="s", region="eu-west-1").client(1)
    error = KinesisError("ListShards", code, kind, f"{code}: the text of AWS")
    with pytest.raises(SourceUnavailable, match=rf"kinesis stream 's' in eu-west-1: .*{text}"):
        raise unavailable(kinesis.target, error, tried_s)
    kinesis.close()


@pytest.mark.parametrize(
    "address", ["http://[::1", "https://[bad/x", "http://[zz]:1", "http://x:99999999", "x:1"]
)
def test_a_malformed_address_is_a_fault_and_no_exception(address: str) -> None:
    [fault] = url_faults(address)
    assert str(fault).startswith(f"endpoint_url: {address!r} is not a URL")
