"""Security options of the Kafka source: a missing or wrong option is named before connecting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stream.errors import SourceUnavailable
from stream.sources.kafka.source import Kafka

LOGIN = {"sasl_plain_username": "me", "sasl_plain_password": "secret"}


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"security_protocol": "TLS"}, "security_protocol"),
        ({"security_protocol": "SASL_SSL"}, "sasl_mechanism"),
        (
            {"security_protocol": "SASL_SSL", "sasl_mechanism": "CRAM-MD5", **LOGIN},
            "sasl_mechanism",
        ),
        ({"sasl_mechanism": "PLAIN", **LOGIN}, "sasl_mechanism"),
        (
            {
                "security_protocol": "SASL_SSL",
                "sasl_mechanism": "PLAIN",
                "sasl_plain_username": "me",
            },
            "sasl_plain_password",
        ),
        (
            {
                "security_protocol": "SASL_SSL",
                "sasl_mechanism": "SCRAM-SHA-512",
                "sasl_plain_password": "secret",
            },
            "sasl_plain_username",
        ),
    ],
)
@pytest.mark.parametrize("client", ["columns", "fast"])
def test_a_wrong_option_is_named_and_a_secret_value_is_not(
    options: dict[str, Any], key: str, client: Any
) -> None:
    [fault] = Kafka(bootstrap_servers=["h:1"], topic="t", client=client, options=options).check()
    assert fault.key == f"options.{key}"
    assert "secret" not in fault.message


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"security_protocol": "SSL"},
        {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", **LOGIN},
        {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-256", **LOGIN},
    ],
)
def test_correct_options_have_no_faults(options: dict[str, Any]) -> None:
    assert Kafka(bootstrap_servers=["h:1"], topic="t", options=options).check() == []


def test_a_missing_certificate_is_named(tmp_path: Path) -> None:
    options: dict[str, Any] = {"security_protocol": "SSL", "ssl_cafile": str(tmp_path / "ca.pem")}
    with pytest.raises(
        SourceUnavailable, match=r"there is no file .*ca\.pem\. Correct source\.options\.ssl_cafile"
    ):
        Kafka(
            bootstrap_servers=["127.0.0.1:1"], topic="t", options=options, give_up_after="30s"
        ).open("job")
