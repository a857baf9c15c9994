"""Missing permissions and refused passwords, at the start and later, with each client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from kafka.admin import ScramMechanism, UserScramCredentialDeletion
from structlog.testing import capture_logs
from structlog.typing import EventDict

from stream.errors import SourceUnavailable
from stream.events import Assign
from stream.sources.base import Reading
from stream.sources.kafka.confluent_client import ConfluentClient
from stream.sources.kafka.confluent_settings import librdkafka_settings
from stream.sources.kafka.source import Kafka
from tests.integration.test_kafka_log import CLIENTS, ClientName
from tests.servers.kafka import PASSWORD, USER, KafkaBroker

Options = dict[str, str | int | float | bool | list[str]]
clients = pytest.mark.parametrize("client", CLIENTS)


def sasl(mechanism: str, password: str) -> Options:
    return {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": mechanism,
        "sasl_plain_username": USER,
        "sasl_plain_password": password,
    }


@contextmanager
def opened(
    kafka: KafkaBroker, topic: str, client: ClientName, mechanism: str = "PLAIN"
) -> Iterator[Reading]:
    servers = [kafka.sasl_bootstrap]
    source = Kafka(
        bootstrap_servers=servers,
        topic=topic,
        client=client,
        options=sasl(mechanism, PASSWORD),
        give_up_after="20s",
    )
    with closing(source.open(f"{topic}-job")) as reading:
        reading.assign(
            [
                Assign(claim=1, partition=p.partition, next=p.start, mark_ms=None)
                for p in reading.discover()
            ]
        )
        yield reading


def poll_until(reading: Reading, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 40
    while not done():
        assert time.monotonic() < deadline
        reading.poll(0.2, 100)


def topic_with(kafka: KafkaBroker, topic: str, *permissions: tuple[str, str]) -> str:
    """Create a topic, and permit these operations on it or on the group of its job."""
    kafka.create_topic(topic)
    for operation, kind in permissions:
        kafka.allow(operation, kind, topic if kind == "TOPIC" else f"{topic}-job")
    time.sleep(1.0)  # until the broker applies them
    return topic


@clients
def test_an_error_names_the_permission_to_describe_a_topic(
    guarded_kafka: KafkaBroker, client: ClientName
) -> None:
    topic = topic_with(guarded_kafka, f"closed-{client}")
    with (
        pytest.raises(SourceUnavailable, match="Allow Read on the topic"),
        opened(guarded_kafka, topic, client),
    ):
        pass


@clients
@pytest.mark.parametrize(
    "permissions",
    [[("DESCRIBE", "TOPIC"), ("READ", "GROUP")], [("READ", "TOPIC")]],
    ids=["no-topic", "no-group"],
)
def test_a_missing_read_permission_ends_reading_with_an_error_that_names_it(
    guarded_kafka: KafkaBroker, client: ClientName, permissions: list[tuple[str, str]]
) -> None:
    topic = topic_with(guarded_kafka, f"{client}-{permissions[0][0]}", *permissions)
    guarded_kafka.produce(topic, [(0, None, b"x", [], None)])
    with (
        pytest.raises(SourceUnavailable, match="Allow Read on the topic"),
        opened(guarded_kafka, topic, client) as reading,
    ):
        poll_until(reading, lambda: False)


@clients
def test_a_refused_commit_of_the_group_is_logged_once_and_reading_continues(
    guarded_kafka: KafkaBroker, client: ClientName
) -> None:
    topic = topic_with(guarded_kafka, f"commit-{client}", ("READ", "TOPIC"), ("DESCRIBE", "GROUP"))
    guarded_kafka.produce(topic, [(0, None, b"x", [], None)])
    with capture_logs() as lines, opened(guarded_kafka, topic, client) as reading:
        (start,) = [partition.start for partition in reading.discover()]
        assert isinstance(start, tuple)
        poll_until(reading, lambda: reading.lag({f"{topic}-0": start}) == {f"{topic}-0": 1})

        def refusals() -> list[EventDict]:
            return [line for line in lines if line["event"] == "offsets_not_published"]

        for _ in range(3):
            reading.publish_positions({f"{topic}-0": (start[0], 1)})
            poll_until(reading, lambda: len(refusals()) > 0)
            reading.poll(0.2, 100)
        (refusal,) = refusals()
        assert refusal["log_level"] == "info"
        assert topic in refusal["source"]


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_the_fast_client_refuses_a_wrong_password_at_once(
    guarded_kafka: KafkaBroker, mechanism: str
) -> None:
    options = sasl(mechanism, "not-the-password")
    settings = librdkafka_settings([guarded_kafka.sasl_bootstrap], "job", options, "")
    client = ConfluentClient("here", "t", settings)
    began = time.monotonic()
    with pytest.raises(SourceUnavailable, match="uthentication failed.*sasl_") as raised:
        client.reach(60)
    assert time.monotonic() - began < 30
    assert "not-the-password" not in str(raised.value)


def test_the_fast_client_retries_an_unreachable_broker_for_the_given_time() -> None:
    settings = librdkafka_settings(["127.0.0.1:1"], "job", {}, "")
    client = ConfluentClient("here", "t", settings)
    with pytest.raises(SourceUnavailable, match="refused"):
        client.reach(1.0)


def test_a_password_that_is_refused_later_is_logged_as_a_warning(
    guarded_kafka: KafkaBroker,
) -> None:
    topic = topic_with(guarded_kafka, "later", ("READ", "TOPIC"), ("READ", "GROUP"))
    with (
        capture_logs() as lines,
        opened(guarded_kafka, topic, "fast", "SCRAM-SHA-512") as reading,
    ):
        guarded_kafka.admin.alter_user_scram_credentials(
            [UserScramCredentialDeletion(USER, ScramMechanism.SCRAM_SHA_512)]
        )
        guarded_kafka.stop()
        guarded_kafka.start()
        poll_until(reading, lambda: any(is_refusal(line) for line in lines))


def is_refusal(line: EventDict) -> bool:
    kind = line["event"], line["log_level"]
    return kind == ("source_refused", "warning") and "uthentication failed" in line["reason"]
