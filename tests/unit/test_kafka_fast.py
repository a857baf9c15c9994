"""The options of the source in librdkafka's words, and the token for Amazon MSK."""

from __future__ import annotations

import base64
import time
from urllib.parse import parse_qs, urlparse

import pytest

from stream.kafka_fast import NAMES, msk_token, settings_of
from stream.sources.kafka import Kafka


def test_options_get_the_names_of_librdkafka() -> None:
    options = {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_plain_username": "u", "sasl_plain_password": "p"}
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
    assert set(NAMES) - set(example) == {"ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_password"}
    confluent_kafka.Consumer(settings_of(["127.0.0.1:1"], "job", example, "")).close()


def test_an_option_without_a_name_there_is_refused_by_the_check() -> None:
    source = Kafka(bootstrap_servers=["h:1"], topic="t", client="fast", options={"sasl_kerberos_name": "x"})
    assert source.check() == ["options.sasl_kerberos_name: client `fast` has no such option"]


def test_the_token_for_msk_is_a_signed_request_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a broker of Amazon MSK makes of it cannot be tried here: its half is not to be had."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-key")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    options = {"security_protocol": "SASL_SSL", "sasl_mechanism": "AWS_MSK_IAM"}
    settings = settings_of(["h:1"], "job", options, "eu-central-1")
    assert settings["sasl.mechanism"] == "OAUTHBEARER"
    token, until_s = settings["oauth_cb"]("")
    url = urlparse(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode())
    asked = parse_qs(url.query)
    assert url.hostname == "kafka.eu-central-1.amazonaws.com"
    assert asked["Action"] == ["kafka-cluster:Connect"]
    assert asked["X-Amz-Credential"][0].startswith("AKIDEXAMPLE/")
    assert asked["X-Amz-Credential"][0].endswith("/eu-central-1/kafka-cluster/aws4_request")
    assert 0 < until_s - time.time() <= 900
    assert "secret-of-the-key" not in token
    assert msk_token("eu-central-1")("")[0] != ""


def test_msk_with_the_fast_client_asks_for_the_region() -> None:
    source = Kafka(bootstrap_servers=["h:1"], topic="t", client="fast", options={"sasl_mechanism": "AWS_MSK_IAM"})
    assert source.check() == ["region: client `fast` needs the region of the cluster to sign for it"]
