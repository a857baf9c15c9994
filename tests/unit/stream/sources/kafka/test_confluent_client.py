"""The options of the source translated to the names of librdkafka."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from detectors.faults import Fault
from stream.errors import SourceUnavailable
from stream.sources.kafka.confluent_client import ConfluentClient
from stream.sources.kafka.confluent_settings import OPTION_NAMES, librdkafka_settings
from stream.sources.kafka.source import Kafka


def test_options_are_translated_to_the_names_of_librdkafka() -> None:
    options = {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "u",
        "sasl_plain_password": "p",
    }
    settings = librdkafka_settings(["a:1", "b:2"], "job", options, "")
    assert settings["bootstrap.servers"] == "a:1,b:2"
    names = ("security.protocol", "sasl.mechanism", "sasl.username", "sasl.password")
    assert [settings[name] for name in names] == list(options.values())
    assert (settings["auto.offset.reset"], settings["enable.auto.commit"]) == ("error", False)


def test_librdkafka_accepts_every_translated_name() -> None:
    import confluent_kafka

    example = {
        "ssl_check_hostname": True,
        "security_protocol": "PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "client_id": "me",
        "fetch_max_bytes": 1 << 20,
        "fetch_max_wait_ms": 100,
        "fetch_min_bytes": 1,
        "max_partition_fetch_bytes": 1 << 20,
        "metadata_max_age_ms": 5_000,
        "reconnect_backoff_max_ms": 500,
        "sasl_plain_username": "u",
        "sasl_plain_password": "p",
    }
    assert set(OPTION_NAMES) - set(example) == {
        "ssl_cafile",
        "ssl_certfile",
        "ssl_keyfile",
        "ssl_password",
    }
    confluent_kafka.Consumer(librdkafka_settings(["127.0.0.1:1"], "job", example, "")).close()


def test_an_option_that_librdkafka_lacks_is_a_fault() -> None:
    source = Kafka(
        bootstrap_servers=["h:1"], topic="t", client="fast", options={"sasl_kerberos_name": "x"}
    )
    assert source.check() == [
        Fault("options.sasl_kerberos_name", "not supported by `client: fast`")
    ]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"fetch_max_bytes": 5}, "fetch_max_bytes"),
        ({"fetch_max_bytes": ["many"]}, "fetch_max_bytes"),
        ({"security_protocol": "SASL_SSL", "sasl_mechanism": "GSSAPI"}, "GSSAPI"),
        ({"security_protocol": "SSL", "ssl_cafile": "/nowhere"}, "ssl_cafile"),
        ({"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "NONSENSE"}, "NONSENSE"),
        ({"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN"}, "sasl_plain_username"),
    ],
)
def test_a_refusal_by_librdkafka_names_the_option_of_the_source(
    options: dict[str, object], named: str
) -> None:
    with pytest.raises(SourceUnavailable, match=rf"{named}.*Check source\.options"):
        ConfluentClient("kafka", "t", librdkafka_settings(["127.0.0.1:1"], "job", options, ""))


@pytest.mark.slow
def test_a_token_that_cannot_be_signed_is_logged_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """librdkafka waits ten seconds for the first token."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    options = {"security_protocol": "SASL_SSL", "sasl_mechanism": "AWS_MSK_IAM"}
    settings = librdkafka_settings(["127.0.0.1:1"], "job", options, "eu-central-1")
    with (
        capture_logs() as lines,
        pytest.raises(SourceUnavailable, match="no token: AttributeError"),
    ):
        ConfluentClient("here", "t", settings).reach(20)
    unavailable = [line for line in lines if line["event"] == "token_unavailable"]
    assert unavailable
    assert unavailable[0]["log_level"] == "warning"
    assert unavailable[0]["reason"].startswith("AttributeError")
