"""Errors that librdkafka returns among the messages: none of them is silent or hides a record."""

from __future__ import annotations

from typing import Any

import confluent_kafka
import pytest
from confluent_kafka import KafkaError
from structlog.testing import capture_logs

from stream.errors import SourceUnavailable
from stream.sources.kafka.client import Unreadable
from stream.sources.kafka.confluent_client import ConfluentClient
from stream.sources.kafka.confluent_settings import librdkafka_settings


class Message:
    """A message, or the error of a partition, as the client returns them."""

    def __init__(self, partition: int, offset: int, error: str = "", headers: Any = None) -> None:
        self._place = partition, offset
        self._error = KafkaError(getattr(KafkaError, error), f"why {error}") if error else None
        self._headers = headers

    def partition(self) -> int:
        return self._place[0]

    def offset(self) -> int:
        return self._place[1]

    def error(self) -> KafkaError | None:
        return self._error

    def headers(self) -> Any:
        if self._headers is UnicodeDecodeError:
            raise SystemError("returned a result with an exception set")
        return self._headers

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_000

    def value(self) -> bytes:
        return b"%d" % self.offset()

    def key(self) -> None:
        return None


class Consumer:
    """Returns prepared messages."""

    def __init__(self, *polls: list[Message]) -> None:
        self.polls = list(polls)

    def consume(self, count: int, timeout_s: float) -> list[Message]:
        return self.polls.pop(0) if self.polls else []

    def incremental_assign(self, partitions: list[Any]) -> None:
        pass

    def incremental_unassign(self, partitions: list[Any]) -> None:
        pass


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> ConfluentClient:
    monkeypatch.setattr(confluent_kafka, "Message", Message)
    client = ConfluentClient("here", "t", librdkafka_settings(["127.0.0.1:1"], "job", {}, ""))
    client.close()
    return client


def polled(client: ConfluentClient, *messages: Message) -> Any:
    client._consumer = Consumer(list(messages))
    client.assign([0, 1], {0: 0, 1: 0})
    return client.poll(0.0, 100)


@pytest.mark.parametrize("error", ["_BAD_MSG", "_BAD_COMPRESSION", "INVALID_MSG", "_UNDERFLOW"])
def test_records_after_unreadable_ones_are_not_returned(
    client: ConfluentClient, error: str
) -> None:
    """librdkafka goes on with the next batch, as if there were nothing in between."""
    result = polled(
        client, Message(0, 0), Message(0, 1, error), Message(1, 0), Message(0, 7), Message(1, 1)
    )
    assert {number: chunk.offsets for number, chunk in result.chunks.items()} == {0: [0], 1: [0, 1]}
    name = str(KafkaError(getattr(KafkaError, error)).name())
    assert result.unreadable == {0: Unreadable(f"{name}: why {error}")}
    assert result.refused == {}


def test_records_from_one_with_an_odd_header_on_are_unreadable(client: ConfluentClient) -> None:
    result = polled(
        client,
        Message(0, 0, headers=[("a", b"1")]),
        Message(0, 1, headers=UnicodeDecodeError),
        Message(0, 2),
        Message(1, 0),
    )
    assert {number: chunk.offsets for number, chunk in result.chunks.items()} == {0: [0], 1: [0]}
    assert result.chunks[0].headers == [[("a", b"1")]]
    assert result.unreadable == {0: Unreadable("the name of a header is not UTF-8")}


@pytest.mark.parametrize("error", ["_AUTO_OFFSET_RESET", "_LOG_TRUNCATION", "OFFSET_OUT_OF_RANGE"])
def test_a_position_that_the_log_does_not_have_is_refused(
    client: ConfluentClient, error: str
) -> None:
    assert polled(client, Message(0, 5, error)).refused == {0: None}
    assert polled(client, Message(4, 5, error)).refused == {}  # it is not assigned


def test_an_error_that_nobody_knows_is_a_warning_with_its_place(client: ConfluentClient) -> None:
    with capture_logs() as lines:
        result = polled(client, Message(1, 40, "_FAIL"), Message(0, 0))
        polled(client, Message(1, 40, "_FAIL"))
    assert {number: chunk.offsets for number, chunk in result.chunks.items()} == {0: [0]}
    (line,) = lines  # the second one is less than half a minute later
    assert line == {
        "event": "partition_error",
        "log_level": "warning",
        "source": "here",
        "partition": "t-1",
        "offset": 40,
        "reason": "_FAIL: why _FAIL",
    }


def test_a_missing_permission_is_an_error_at_once(client: ConfluentClient) -> None:
    with pytest.raises(SourceUnavailable, match="why TOPIC_AUTHORIZATION_FAILED"):
        polled(client, Message(0, 0, "TOPIC_AUTHORIZATION_FAILED"))
