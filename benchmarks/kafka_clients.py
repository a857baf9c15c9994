"""A topic in a real Kafka, and the speed of a client alone."""

from __future__ import annotations

import time
from typing import Final, Literal

import confluent_kafka
import kafka

from stream.events import Assign, RawBatch
from stream.sources.kafka.confluent_settings import librdkafka_settings
from stream.sources.kafka.source import Kafka
from tests.servers.kafka import KafkaBroker

PARTITIONS: Final = 4
ClientName = Literal["columns", "plain", "fast"]


def fill(broker: KafkaBroker, topic: str, lines: list[bytes], total: int) -> None:
    """Produce ``total`` events by repeating the lines, evenly over the partitions."""
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
    """Events per second of driftline's client alone; each value is touched."""
    reading = Kafka(bootstrap_servers=[broker.bootstrap], topic=topic, client=client).open(
        f"drain-{client}"
    )
    reading.assign(
        [
            Assign(claim=1, partition=discovered.partition, next=discovered.start, mark_ms=None)
            for discovered in reading.discover()
        ]
    )
    events = size = 0
    began_s = time.perf_counter()
    while events < total:
        for raw in reading.poll(0.2, 5_000):
            if isinstance(raw, RawBatch):
                events += len(raw.values)
                size += sum(len(value or b"") for value in raw.values)
    rate = events / (time.perf_counter() - began_s)
    reading.close()
    return rate


def bare(broker: KafkaBroker, topic: str, total: int) -> float:
    """Events per second of confluent-kafka alone, with the same settings; each value is touched."""
    consumer = confluent_kafka.Consumer(librdkafka_settings([broker.bootstrap], "bare", {}, ""))
    consumer.assign(
        [confluent_kafka.TopicPartition(topic, number, 0) for number in range(PARTITIONS)]
    )
    events = size = 0
    began_s = time.perf_counter()
    while events < total:
        for message in consumer.consume(2_000, 0.2):
            events += 1
            size += len(message.value() or b"")
    rate = events / (time.perf_counter() - began_s)
    consumer.close()
    return rate
