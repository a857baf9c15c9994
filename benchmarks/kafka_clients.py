"""A topic in a real Kafka, and how fast a client alone takes its events."""

from __future__ import annotations

import time
from typing import Final, Literal

import confluent_kafka
import kafka

from stream.events import Assign, RawBatch
from stream.sources.kafka.confluent_client import librdkafka_settings
from stream.sources.kafka.source import Kafka
from tests.servers.kafka import KafkaBroker

PARTITIONS: Final = 4
ClientName = Literal["columns", "plain", "fast"]


def fill(broker: KafkaBroker, topic: str, lines: list[bytes], total: int) -> None:
    """Produce ``total`` events, the given lines again and again, evenly over the partitions."""
    broker.create_topic(
        topic, PARTITIONS, {"retention.ms": "-1", "message.timestamp.after.max.ms": str(10**13)}
    )
    producer = kafka.KafkaProducer(
        bootstrap_servers=broker.bootstrap, linger_ms=50, batch_size=256 << 10
    )
    for k in range(total):
        producer.send(topic, lines[k % len(lines)], partition=k % PARTITIONS)
    producer.flush()
    producer.close()


def drain(broker: KafkaBroker, topic: str, total: int, client: ClientName) -> float:
    """Events a second of our client alone; each value is touched."""
    reading = Kafka(bootstrap_servers=[broker.bootstrap], topic=topic, client=client).open(
        f"drain-{client}"
    )
    reading.assign([Assign(1, found.partition, found.start, None) for found in reading.discover()])
    seen = size = 0
    began = time.perf_counter()
    while seen < total:
        for raw in reading.poll(0.2, 5_000):
            if isinstance(raw, RawBatch):
                seen += len(raw.values)
                size += sum(len(value or b"") for value in raw.values)
    rate = seen / (time.perf_counter() - began)
    reading.close()
    return rate


def bare(broker: KafkaBroker, topic: str, total: int) -> float:
    """Events a second of confluent-kafka alone, set up as ours is; each value is touched."""
    consumer = confluent_kafka.Consumer(librdkafka_settings([broker.bootstrap], "bare", {}, ""))
    consumer.assign(
        [confluent_kafka.TopicPartition(topic, number, 0) for number in range(PARTITIONS)]
    )
    seen = size = 0
    began = time.perf_counter()
    while seen < total:
        for message in consumer.consume(2_000, 0.2):
            seen += 1
            size += len(message.value() or b"")
    rate = seen / (time.perf_counter() - began)
    consumer.close()
    return rate
