"""Lines of a client library in driftline's log, and the exceptions among them."""

from __future__ import annotations

import logging

import pytest
from structlog.testing import capture_logs

from stream.sources.kafka.client_log import ClientLog, logged_errors

KAFKA = logging.getLogger("kafka.net.unit_test")


def test_warnings_are_passed_on_once_for_each_kind_of_line() -> None:
    logger = logging.getLogger("a_client_library")
    ClientLog(lambda record: record.getMessage().partition(": ")[0]).take_over(logger)
    with capture_logs() as lines:
        for attempt in range(3):
            logger.warning("FAIL: attempt %d", attempt)
            logger.error("TIMEOUT: attempt %d", attempt)
            logger.info("password is secret")
    assert lines == [
        {
            "event": "client_log",
            "log_level": "info",
            "logger": "a_client_library",
            "message": f"{kind}: attempt 0",
        }
        for kind in ("FAIL", "TIMEOUT")
    ]


def test_lines_are_logged_once_however_often_the_logger_is_taken_over(
    capfd: pytest.CaptureFixture[str],
) -> None:
    logger = logging.getLogger("another_client_library")
    client_log = ClientLog(lambda record: record.msg)
    for _ in range(2):
        client_log.take_over(logger)
    with capture_logs() as lines:
        logger.warning("once")
    assert [line["message"] for line in lines] == ["once"]
    assert capfd.readouterr() == ("", "")


def test_exceptions_that_the_client_logs_are_collected_while_the_context_is_open() -> None:
    refused = ConnectionRefusedError("no broker")
    with logged_errors() as errors:
        KAFKA.warning("connection to %s failed: %s", "h:1", refused)
        KAFKA.warning("nothing to see")
    KAFKA.warning("too late: %s", ValueError())
    assert errors == [refused]
    assert not logging.getLogger("kafka").propagate


def test_only_the_latest_exceptions_are_kept() -> None:
    with logged_errors() as errors:
        for number in range(70):
            KAFKA.error("failed: %s", OSError(number))
    assert [error.args for error in errors] == [(number,) for number in range(20, 70)]
