"""Rights and passwords that a real broker refuses, at the start and later, as each client tells
them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from kafka.admin import ScramMechanism, UserScramCredentialDeletion

from stream.errors import SourceUnavailable
from stream.events import Assign
from stream.sources.base import Reading
from stream.sources.kafka.confluent_client import ConfluentClient, settings_of
from stream.sources.kafka.source import Kafka
from tests.integration.test_kafka_log import CLIENTS, Name
from tests.servers.kafka import PASSWORD, USER, KafkaBroker

Options = dict[str, str | int | float | bool | list[str]]
clients = pytest.mark.parametrize("client", CLIENTS)


def sasl(mechanism: str, password: str) -> Options:
    named: Options = {"sasl_plain_username": USER, "sasl_plain_password": password}
    return {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": mechanism, **named}


@contextmanager
def opened(
    kafka: KafkaBroker, topic: str, client: Name, mechanism: str = "PLAIN"
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
        reading.assign([Assign(1, one.partition, one.start, None) for one in reading.discover()])
        yield reading


def polled(reading: Reading, until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 40
    while not until():
        assert time.monotonic() < deadline
        reading.poll(0.2, 100)


def allowed(kafka: KafkaBroker, topic: str, *rights: tuple[str, str]) -> str:
    kafka.create_topic(topic)
    for operation, kind in rights:
        kafka.allow(operation, kind, topic if kind == "TOPIC" else f"{topic}-job")
    time.sleep(1.0)  # until the broker goes by them
    return topic


@clients
def test_a_topic_that_may_not_be_looked_at_is_told_with_what_to_allow(
    guarded_kafka: KafkaBroker, client: Name
) -> None:
    topic = allowed(guarded_kafka, f"closed-{client}")
    with (
        pytest.raises(SourceUnavailable, match="Allow Read on the topic"),
        opened(guarded_kafka, topic, client),
    ):
        pass


@clients
@pytest.mark.parametrize(
    "rights",
    [[("DESCRIBE", "TOPIC"), ("READ", "GROUP")], [("READ", "TOPIC")]],
    ids=["no-topic", "no-group"],
)
def test_a_right_to_read_that_is_missing_ends_the_reading_with_what_to_allow(
    guarded_kafka: KafkaBroker, client: Name, rights: list[tuple[str, str]]
) -> None:
    topic = allowed(guarded_kafka, f"{client}-{rights[0][0]}", *rights)
    guarded_kafka.produce(topic, [(0, None, b"x", [], None)])
    with (
        pytest.raises(SourceUnavailable, match="Allow Read on the topic"),
        opened(guarded_kafka, topic, client) as reading,
    ):
        polled(reading, lambda: False)


@clients
def test_a_refused_commit_of_the_group_is_told_and_reading_goes_on(
    guarded_kafka: KafkaBroker, client: Name, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    topic = allowed(guarded_kafka, f"commit-{client}", ("READ", "TOPIC"), ("DESCRIBE", "GROUP"))
    guarded_kafka.produce(topic, [(0, None, b"x", [], None)])
    with opened(guarded_kafka, topic, client) as reading:
        (place,) = [one.start for one in reading.discover()]
        assert isinstance(place, tuple)
        polled(reading, lambda: reading.lag({f"{topic}-0": place}) == {f"{topic}-0": 1})
        reading.publish_positions({f"{topic}-0": (place[0], 1)})
        polled(reading, lambda: "offsets of group were not published" in caplog.text)
        reading.poll(0.2, 100)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_librdkafka_tells_a_wrong_password_at_once(
    guarded_kafka: KafkaBroker, mechanism: str
) -> None:
    client = ConfluentClient(
        "here",
        "t",
        settings_of([guarded_kafka.sasl_bootstrap], "job", sasl(mechanism, "not-the-password"), ""),
    )
    began = time.monotonic()
    with pytest.raises(SourceUnavailable, match="uthentication failed.*sasl_") as raised:
        client.reach(60)
    assert time.monotonic() - began < 30
    assert "not-the-password" not in str(raised.value)


def test_librdkafka_tries_a_broker_that_is_not_there_only_for_so_long() -> None:
    client = ConfluentClient("here", "t", settings_of(["127.0.0.1:1"], "job", {}, ""))
    with pytest.raises(SourceUnavailable, match="refused"):
        client.reach(1.0)


def test_a_password_that_is_refused_later_is_a_warning(
    guarded_kafka: KafkaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    topic = allowed(guarded_kafka, "later", ("READ", "TOPIC"), ("READ", "GROUP"))
    with opened(guarded_kafka, topic, "fast", "SCRAM-SHA-512") as reading:
        guarded_kafka.admin.alter_user_scram_credentials(
            [UserScramCredentialDeletion(USER, ScramMechanism.SCRAM_SHA_512)]
        )
        guarded_kafka.stop()
        guarded_kafka.start()
        polled(reading, lambda: any("uthentication failed" in told(one) for one in caplog.records))


def told(record: logging.LogRecord) -> str:
    return (
        record.getMessage()
        if record.levelno == logging.WARNING
        and record.name == "stream.sources.kafka.confluent_client"
        else ""
    )
