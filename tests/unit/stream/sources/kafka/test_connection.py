"""Connecting: transient causes are retried, permanent ones are raised at once and named."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest
from kafka import errors as kafka_errors
from structlog.testing import capture_logs

from stream.errors import SourceUnavailable
from stream.sources.kafka.connection import connect, distinct_messages, is_permanent

KAFKA = logging.getLogger("kafka.net.unit_test")


def failing(*causes: Exception) -> Any:
    """A client whose constructor logs the causes and reports only that it failed."""

    def build(**_settings: Any) -> Any:
        for cause in causes:
            KAFKA.error("connection failed: %s", cause)
        raise kafka_errors.KafkaTimeoutError("Unable to bootstrap")

    return build


def test_a_permanent_cause_is_raised_at_once_without_the_transient_ones() -> None:
    build = failing(
        kafka_errors.SaslAuthenticationFailedError("bad"), ConnectionRefusedError("later")
    )
    began = time.monotonic()
    with pytest.raises(
        SourceUnavailable, match=r"^here: .*bad\. Check security_protocol"
    ) as raised:
        connect("here", build, 30.0)
    assert time.monotonic() - began < 5.0
    assert not raised.value.transient
    assert len(raised.value.causes) == 1


def test_transient_causes_are_retried_logged_and_finally_named() -> None:
    build = failing(ConnectionRefusedError("111"))
    with (
        capture_logs() as lines,
        pytest.raises(SourceUnavailable, match=r"ConnectionRefusedError: 111\. Tried for 0\.3 s"),
    ):
        connect("here", slowly(build), 0.3)
    retries = [line for line in lines if line["event"] == "source_unreachable"]
    assert retries
    assert 0 < retries[0].pop("retry_for_s") <= 0.3
    assert retries[0] == {
        "event": "source_unreachable",
        "log_level": "warning",
        "source": "here",
        "reason": "ConnectionRefusedError: 111",
    }


def slowly(build: Any) -> Any:
    def build_slowly(**settings: Any) -> Any:
        time.sleep(0.1)
        return build(**settings)

    return build_slowly


@pytest.mark.parametrize(
    ("cause", "permanent"),
    [
        (kafka_errors.SaslAuthenticationFailedError("x"), True),
        (kafka_errors.KafkaConnectionError("x"), False),
        (FileNotFoundError("ca.pem"), True),
        (TypeError("x"), True),
        (UnicodeError("idna"), False),
        (ConnectionRefusedError("x"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_refusals_missing_files_and_wrong_options_are_permanent(
    cause: Exception, permanent: bool
) -> None:
    assert is_permanent(cause) is permanent


def test_each_cause_is_named_once_and_unspecific_ones_only_if_alone() -> None:
    refused = ConnectionRefusedError("111")
    timeout = kafka_errors.KafkaTimeoutError("timed out")
    assert distinct_messages([refused, timeout, refused]) == ["ConnectionRefusedError: 111"]
    assert distinct_messages([timeout]) == [str(timeout)]
