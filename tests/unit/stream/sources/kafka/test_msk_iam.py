"""Tokens for Amazon MSK. No broker verifies them here: the side of MSK is not available."""

from __future__ import annotations

import base64
import sys
import time
from typing import Any
from urllib.parse import parse_qs, urlparse

import kafka
import pytest

from detectors.faults import Fault
from stream.errors import SourceUnavailable
from stream.sources.kafka import msk_iam
from stream.sources.kafka.confluent_settings import librdkafka_settings
from stream.sources.kafka.source import Kafka

OPTIONS: dict[str, str | int | float | bool | list[str]] = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "AWS_MSK_IAM",
}
SOURCE = Kafka(bootstrap_servers=["h:1"], topic="t", options=OPTIONS, region="eu-central-1")


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-key")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)


def tokens(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The token of each client that the source opens."""
    options_of: dict[str, dict[str, Any]] = {}
    for name in ("KafkaConsumer", "KafkaAdminClient"):
        body = {
            "DEFAULT_CONFIG": getattr(kafka, name).DEFAULT_CONFIG,
            "__init__": lambda _self, name=name, **options: options_of.update({name: options}),
        }
        monkeypatch.setattr(f"kafka.{name}", type(name, (), body))
    SOURCE._consumer_builder("job")()
    SOURCE.admin_builder()()
    fast = librdkafka_settings(["h:1"], "job", OPTIONS, "eu-central-1")
    mechanisms = {options["sasl_mechanism"] for options in options_of.values()}
    assert mechanisms == {fast["sasl.mechanism"]} == {"OAUTHBEARER"}
    providers = {name: options["sasl_oauth_token_provider"] for name, options in options_of.items()}
    return {
        **{name: provider.token() for name, provider in providers.items()},
        "fast": fast["oauth_cb"]("")[0],
    }


def test_all_clients_sign_for_the_region_of_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    by_client = tokens(monkeypatch)
    assert by_client.keys() == {"KafkaConsumer", "KafkaAdminClient", "fast"}
    for token in by_client.values():
        url = urlparse(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode())
        query = parse_qs(url.query)
        assert url.hostname == "kafka.eu-central-1.amazonaws.com"
        assert query["Action"] == ["kafka-cluster:Connect"]
        assert query["X-Amz-Credential"][0].startswith("AKIDEXAMPLE/")
        assert query["X-Amz-Credential"][0].endswith("/eu-central-1/kafka-cluster/aws4_request")
        assert "secret-of-the-key" not in token


def test_a_token_expires_within_a_quarter_of_an_hour() -> None:
    assert 0 < msk_iam.token("eu-central-1")[1] - time.time() <= 900


def test_the_check_requires_encryption_and_the_region() -> None:
    plain = Kafka(
        bootstrap_servers=["h:1"],
        topic="t",
        options={"sasl_mechanism": "AWS_MSK_IAM", "security_protocol": "SASL_PLAINTEXT"},
    )
    assert plain.check() == [
        Fault("options.security_protocol", "AWS_MSK_IAM requires SASL_SSL"),
        Fault("region", "required by sasl_mechanism AWS_MSK_IAM: the region of the cluster"),
    ]
    assert SOURCE.check() == []
    other = Kafka(bootstrap_servers=["h:1"], topic="t", region="eu-central-1")
    assert other.check() == [Fault("region", "has no effect without sasl_mechanism AWS_MSK_IAM")]


def test_missing_credentials_are_an_error_before_any_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    began = time.monotonic()
    with pytest.raises(SourceUnavailable, match="Set credentials in the AWS environment"):
        SOURCE.open("job")
    assert time.monotonic() - began < 5


def test_a_missing_library_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "aws_msk_iam_sasl_signer", None)
    with pytest.raises(SourceUnavailable, match=r"driftline\[msk\]"):
        SOURCE.open("job")
