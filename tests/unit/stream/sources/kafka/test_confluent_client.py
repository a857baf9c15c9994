"""The options of the source in librdkafka's words."""

from __future__ import annotations

import pytest

from detectors.faults import Fault
from stream.errors import SourceUnavailable
from stream.sources.kafka.confluent_client import NAMES, ConfluentClient, settings_of
from stream.sources.kafka.source import Kafka


def test_options_get_the_names_of_librdkafka() -> None:
    options = {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "u",
        "sasl_plain_password": "p",
    }
    told = settings_of(["a:1", "b:2"], "job", options, "")
    assert told["bootstrap.servers"] == "a:1,b:2"
    names = ("security.protocol", "sasl.mechanism", "sasl.username", "sasl.password")
    assert [told[name] for name in names] == list(options.values())
    assert (told["auto.offset.reset"], told["enable.auto.commit"]) == ("error", False)


def test_librdkafka_knows_every_name() -> None:
    import confluent_kafka

    example = {
        "ssl_check_hostname": True, "security_protocol": "PLAINTEXT", "sasl_mechanism": "PLAIN", "client_id": "me",
        "fetch_max_bytes": 1 << 20,
        "fetch_max_wait_ms": 100, "fetch_min_bytes": 1, "max_partition_fetch_bytes": 1 << 20, "metadata_max_age_ms": 5_000,
        "reconnect_backoff_max_ms": 500, "sasl_plain_username": "u", "sasl_plain_password": "p",
    }  # fmt: skip
    assert set(NAMES) - set(example) == {
        "ssl_cafile",
        "ssl_certfile",
        "ssl_keyfile",
        "ssl_password",
    }
    confluent_kafka.Consumer(settings_of(["127.0.0.1:1"], "job", example, "")).close()


def test_an_option_without_a_name_there_is_refused_by_the_check() -> None:
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
def test_what_only_librdkafka_refuses_is_told_in_the_words_of_the_source(
    options: dict[str, object], named: str
) -> None:
    with pytest.raises(SourceUnavailable, match=rf"{named}.*Check source\.options"):
        ConfluentClient("kafka", "t", settings_of(["127.0.0.1:1"], "job", options, ""))


@pytest.mark.slow
def test_a_token_that_cannot_be_had_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """librdkafka waits ten seconds for the first one."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    options = {"security_protocol": "SASL_SSL", "sasl_mechanism": "AWS_MSK_IAM"}
    with pytest.raises(SourceUnavailable, match="no token: AttributeError"):
        ConfluentClient(
            "here", "t", settings_of(["127.0.0.1:1"], "job", options, "eu-central-1")
        ).reach(20)
    assert "no token" in caplog.text
