"""The Kafka source against a real broker: gaps, outages and refusals lose and repeat no record."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import kafka as kafka_client
import pytest
from structlog.testing import capture_logs

from stream.errors import SourceUnavailable
from stream.events import Assign, Gap, RawBatch
from stream.sources.base import Reading
from stream.sources.kafka.source import Kafka
from stream.sources.kafka.topic_watch import TopicObservation, TopicWatch
from stream.testing.source import assign_all
from tests.servers.base import LOOPBACK, free_port
from tests.servers.kafka import PASSWORD, USER, KafkaBroker, Record

MakeTopic = Callable[..., str]
Open = Callable[..., Reading]


def records(contents: list[bytes | None], partition: int = 0) -> list[Record]:
    return [(partition, b"key", value, [], 1_700_000_000_000) for value in contents]


def numbered(start: int, stop: int) -> list[bytes | None]:
    return [b"%d" % n for n in range(start, stop)]


@pytest.fixture(params=["columns", "plain", "fast"])
def client(request: pytest.FixtureRequest) -> str:
    """Each of the three clients; they must behave the same."""
    return str(request.param)


@pytest.fixture
def open_source(client: str) -> Iterator[Open]:
    opened: list[Reading] = []

    def open_topic(broker: KafkaBroker, topic: str, **fields: Any) -> Reading:
        fields.setdefault("client", client)
        bootstrap = fields.pop("bootstrap", broker.bootstrap)
        source = Kafka(bootstrap_servers=[bootstrap], topic=topic, **fields)
        opened.append(source.open(f"job-{topic}"))
        return opened[-1]

    yield open_topic
    for reading in opened:
        reading.close()


def begin(reading: Reading) -> dict[str, Any]:
    """Assign every partition at its start position; return these: topic ids and offsets."""
    return {**assign_all(reading)}


def poll_until(
    reading: Reading, done: Callable[[list[RawBatch], list[Gap]], bool], timeout_s: float = 30.0
) -> tuple[list[RawBatch], list[Gap]]:
    batches: list[RawBatch] = []
    gaps: list[Gap] = []
    deadline = time.monotonic() + timeout_s
    while not done(batches, gaps):
        assert time.monotonic() < deadline, (values(batches), gaps)
        for result in reading.poll(0.2, 1000):
            if isinstance(result, Gap):
                gaps.append(result)
            else:
                batches.append(result)
    return batches, gaps


def values(batches: list[RawBatch]) -> list[bytes | None]:
    return [value for batch in batches for value in batch.values]


def read(reading: Reading, count: int, timeout_s: float = 30.0) -> list[bytes | None]:
    batches, gaps = poll_until(
        reading, lambda batches, gaps: len(values(batches)) >= count or bool(gaps), timeout_s
    )
    assert gaps == []
    return values(batches)


def next_gap(reading: Reading) -> Gap:
    _, gaps = poll_until(reading, lambda batches, gaps: bool(gaps))
    (gap,) = gaps
    return gap


def resume(reading: Reading, gap: Gap) -> None:
    assert (
        reading.assign([Assign(claim=2, partition=gap.partition, next=gap.resume, mark_ms=None)])
        == []
    )


def test_keys_headers_tombstones_and_times_are_read_as_sent(
    kafka: KafkaBroker, make_topic: MakeTopic, open_source: Open
) -> None:
    topic = make_topic()
    kafka.produce(
        topic, [(0, b"k", None, [("a", b"1"), ("b", b"")], 1_000), (0, None, b"", [], 2_000)]
    )
    reading = open_source(kafka, topic)
    begin(reading)
    batches, _ = poll_until(reading, lambda batches, gaps: len(values(batches)) >= 2)
    batch = batches[0]
    assert batch.values == [None, b""]
    assert batch.keys == [b"k", None]
    assert batch.headers == [[("a", b"1"), ("b", b"")], []]
    assert batch.arrival_ms.tolist() == [1_000, 2_000]
    assert [position[1] for position in batch.positions if isinstance(position, tuple)] == [0, 1]
    assert batch.origin == topic


def test_records_deleted_before_the_position_are_a_gap_of_known_size(
    kafka: KafkaBroker, make_topic: MakeTopic, open_source: Open
) -> None:
    topic = make_topic()
    kafka.produce(topic, records(numbered(0, 20)))
    reading = open_source(kafka, topic)
    start = reading.discover()[0].start
    assert isinstance(start, tuple)
    kafka.delete_records(topic, 0, 15)
    (gap,) = reading.assign([Assign(claim=1, partition=f"{topic}-0", next=start, mark_ms=None)])
    assert (gap.partition, gap.expected, gap.resume, gap.lost) == (
        f"{topic}-0",
        (start[0], 0),
        (start[0], 15),
        15,
    )
    assert reading.poll(0.3, 100) == []
    resume(reading, gap)
    assert read(reading, 5) == numbered(15, 20)


def test_retention_that_overtakes_a_reader_is_one_gap_and_other_partitions_continue(
    kafka: KafkaBroker, make_topic: MakeTopic, open_source: Open
) -> None:
    topic = make_topic(2)
    kafka.produce(topic, records(numbered(0, 5)) + records(numbered(100, 103), 1))
    reading = open_source(kafka, topic)
    topic_id, _ = begin(reading)[f"{topic}-0"]
    read(reading, 8)
    assert (
        reading.assign([Assign(claim=2, partition=f"{topic}-0", next=(topic_id, 2), mark_ms=None)])
        == []
    )
    kafka.delete_records(topic, 0, 4)
    gap = next_gap(reading)
    assert (gap.partition, gap.expected, gap.resume, gap.lost) == (
        f"{topic}-0",
        (topic_id, 2),
        (topic_id, 4),
        2,
    )
    kafka.produce(topic, records(numbered(103, 105), 1))
    assert read(reading, 2) == numbered(103, 105)
    resume(reading, gap)
    assert read(reading, 1) == numbered(4, 5)


@pytest.mark.parametrize("after", [3, 30], ids=["shorter", "longer"])
def test_a_topic_recreated_while_reading_is_a_gap_and_its_records_are_read_once(
    kafka: KafkaBroker, make_topic: MakeTopic, open_source: Open, after: int
) -> None:
    topic = make_topic()
    kafka.produce(topic, records(numbered(0, 10)))
    reading = open_source(kafka, topic)
    start = begin(reading)[f"{topic}-0"]
    assert read(reading, 10) == numbered(0, 10)
    until = time.monotonic() + 1.5  # records read a moment ago are not verified yet
    while time.monotonic() < until:
        assert (
            values([result for result in reading.poll(0.1, 100) if isinstance(result, RawBatch)])
            == []
        )
    kafka.delete_topic(topic)
    kafka.create_topic(topic)
    kafka.produce(topic, records(numbered(1000, 1000 + after)))
    early, (gap,) = poll_until(reading, lambda batches, gaps: bool(gaps))
    assert isinstance(gap.resume, tuple)
    assert isinstance(gap.expected, tuple)
    assert gap.expected[0] == start[0] != gap.resume[0].partition(" ")[0]
    assert gap.resume[1] == 0
    assert gap.lost is None
    assert reading.poll(0.3, 100) == []
    resume(reading, gap)
    late, gaps = poll_until(reading, lambda batches, gaps: any(batch.at_end for batch in batches))
    assert gaps == []
    assert sorted(map(int, values([*early, *late]))) == [*range(1000, 1000 + after)]  # type: ignore[arg-type]
    assert late[-1].next == (gap.resume[0].partition(" ")[0], after)


@pytest.mark.parametrize("after", [3, 30], ids=["shorter", "longer"])
def test_a_topic_recreated_during_downtime_is_a_gap_at_assignment(
    kafka: KafkaBroker, make_topic: MakeTopic, open_source: Open, after: int
) -> None:
    topic = make_topic()
    kafka.produce(topic, records(numbered(0, 10)))
    reading = open_source(kafka, topic)
    begin(reading)
    batches, _ = poll_until(reading, lambda batches, gaps: len(values(batches)) >= 10)
    stored = batches[-1].next
    reading.close()
    kafka.delete_topic(topic)
    kafka.create_topic(topic)
    kafka.produce(topic, records(numbered(1000, 1000 + after)))
    reading = open_source(kafka, topic)
    (gap,) = reading.assign([Assign(claim=1, partition=f"{topic}-0", next=stored, mark_ms=None)])
    assert gap.expected == stored
    assert gap.reason == "the topic was recreated"
    resume(reading, gap)
    assert read(reading, after) == numbered(1000, 1000 + after)


def test_a_position_after_the_end_of_the_log_is_a_gap_to_its_end(
    kafka: KafkaBroker, make_topic: MakeTopic, open_source: Open
) -> None:
    topic = make_topic()
    kafka.produce(topic, records(numbered(0, 10)))
    reading = open_source(kafka, topic)
    topic_id = reading.discover()[0].start[0]  # type: ignore[index]
    (gap,) = reading.assign(
        [Assign(claim=1, partition=f"{topic}-0", next=(topic_id, 500), mark_ms=None)]
    )
    assert (gap.resume, gap.lost) == ((topic_id, 10), None)
    resume(reading, gap)
    kafka.produce(topic, records(numbered(10, 12)))
    assert read(reading, 2) == numbered(10, 12)


def test_a_partition_added_while_running_starts_at_its_first_record(
    kafka: KafkaBroker, make_topic: MakeTopic, open_source: Open
) -> None:
    topic = make_topic()
    kafka.produce(topic, records(numbered(0, 5)))
    reading = open_source(kafka, topic, start="latest")
    begin(reading)
    kafka.add_partitions(topic, 2)
    kafka.produce(topic, records(numbered(100, 105), 1) + records(numbered(5, 8)))
    deadline = time.monotonic() + 15.0
    while len(discovered := reading.discover()) < 2:
        assert time.monotonic() < deadline, "the new partition was not discovered"
        reading.poll(0.2, 100)
    (new,) = [partition for partition in discovered if partition.partition == f"{topic}-1"]
    assert (
        reading.assign([Assign(claim=1, partition=new.partition, next=new.start, mark_ms=None)])
        == []
    )
    assert set(read(reading, 5)) >= set(numbered(100, 105))


def test_start_latest_skips_existing_records_and_earliest_does_not(
    kafka: KafkaBroker, make_topic: MakeTopic, open_source: Open
) -> None:
    topic = make_topic()
    kafka.produce(topic, records(numbered(0, 5)))
    late = open_source(kafka, topic, start="latest")
    early = open_source(kafka, topic)
    assert [partition.inside for partition in late.discover()] == [True]
    assert [partition.inside for partition in early.discover()] == [False]
    begin(late)
    begin(early)
    kafka.produce(topic, records(numbered(5, 8)))
    assert read(late, 3) == numbered(5, 8)
    assert read(early, 8) == numbered(0, 8)


@pytest.mark.parametrize("outage", ["stop", "kill9"])
def test_a_broker_restart_loses_and_repeats_nothing(
    own_kafka: KafkaBroker, open_source: Open, outage: str
) -> None:
    own_kafka.create_topic("outage")
    own_kafka.produce("outage", records(numbered(0, 50)))
    reading = open_source(own_kafka, "outage")
    partition, (topic_id, _) = next(iter(begin(reading).items()))
    assert read(reading, 50) == numbered(0, 50)
    getattr(own_kafka, outage)()
    until = time.monotonic() + 3.0
    slowest_s = 0.0
    last: list[RawBatch | Gap] = []
    while time.monotonic() < until:
        began = time.monotonic()
        last = reading.poll(0.2, 1000)
        slowest_s = max(slowest_s, time.monotonic() - began)
    assert slowest_s < 2.0
    assert last == []  # an unreachable broker is not the end of the log
    began = time.monotonic()
    reading.publish_positions({partition: (topic_id, 50)})
    assert time.monotonic() - began < 1.0
    own_kafka.start()
    own_kafka.produce("outage", records(numbered(50, 100)))
    assert read(reading, 50) == numbered(50, 100)
    batches, gaps = poll_until(
        reading, lambda batches, gaps: any(batch.at_end for batch in batches)
    )
    assert (values(batches), gaps) == ([], [])


def test_aborted_transactions_are_skipped_and_the_end_is_reached(
    kafka: KafkaBroker, make_topic: MakeTopic, open_source: Open
) -> None:
    topic = make_topic()
    producer = kafka_client.KafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=topic)
    producer.init_transactions()
    for value, finish in (
        (b"committed", producer.commit_transaction),
        (b"aborted", producer.abort_transaction),
    ):
        producer.begin_transaction()
        producer.send(topic, value=value, partition=0)
        producer.flush()
        finish()
    producer.close()
    reading = open_source(kafka, topic)
    begin(reading)
    batches, gaps = poll_until(
        reading, lambda batches, gaps: any(batch.at_end for batch in batches)
    )
    assert (values(batches), gaps) == ([b"committed"], [])
    assert batches[-1].next == (batches[-1].first[0], 4)  # type: ignore[index]


def test_published_positions_are_the_offsets_of_the_group(
    kafka: KafkaBroker, make_topic: MakeTopic, open_source: Open
) -> None:
    topic = make_topic()
    kafka.produce(topic, records(numbered(0, 5)))
    reading = open_source(kafka, topic)
    partition, (topic_id, _) = next(iter(begin(reading).items()))
    committed = kafka_client.TopicPartition(topic, 0)
    deadline = time.monotonic() + 10.0
    offsets: dict[Any, Any] = {}
    while not offsets:
        assert time.monotonic() < deadline
        # Each call repeats what failed before.
        reading.publish_positions({partition: (topic_id, 3), "other-0": ("an-older-topic", 9)})
        time.sleep(0.2)
        # A new broker first creates the topic that stores the offsets.
        with suppress(kafka_client.errors.CoordinatorNotAvailableError):
            offsets = kafka.admin.list_group_offsets("job-" + topic)["job-" + topic]
    assert {tp: at.offset for tp, at in offsets.items()} == {committed: 3}


def test_a_missing_topic_is_named_in_the_error_at_once(
    kafka: KafkaBroker, open_source: Open
) -> None:
    began = time.monotonic()
    with pytest.raises(
        SourceUnavailable, match=r"UnknownTopicOrPartition.*source\.topic"
    ) as raised:
        open_source(kafka, "no-such-topic")
    assert "no-such-topic" in raised.value.source
    assert raised.value.exit_code == 3
    assert time.monotonic() - began < 3.0


def test_an_unreachable_broker_is_retried_for_give_up_after_and_named_with_the_cause(
    kafka: KafkaBroker, open_source: Open
) -> None:
    began = time.monotonic()
    threads = threading.active_count()
    with pytest.raises(SourceUnavailable, match=r"ECONNREFUSED.*give_up_after"):
        open_source(kafka, "any", bootstrap=f"{LOOPBACK}:{free_port()}", give_up_after="1.5s")
    assert 1.2 < time.monotonic() - began < 4.0
    assert threading.active_count() <= threads


def test_a_broker_that_starts_within_give_up_after_is_used(
    own_kafka: KafkaBroker, open_source: Open
) -> None:
    own_kafka.create_topic("patience")
    own_kafka.produce("patience", records(numbered(0, 3)))
    own_kafka.stop()
    opened: list[Reading] = []
    waiting = threading.Thread(
        target=lambda: opened.append(open_source(own_kafka, "patience", give_up_after="40s"))
    )
    waiting.start()
    time.sleep(1.0)
    own_kafka.start()
    waiting.join(40)
    begin(opened[0])
    assert read(opened[0], 3) == numbered(0, 3)


def sasl(mechanism: str, password: str) -> dict[str, str]:
    return {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": mechanism,
        "sasl_plain_username": USER,
        "sasl_plain_password": password,
    }


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_a_correct_password_is_accepted(
    kafka: KafkaBroker, make_topic: MakeTopic, open_source: Open, mechanism: str
) -> None:
    topic = make_topic()
    kafka.produce(topic, records(numbered(0, 5)))
    reading = open_source(
        kafka, topic, bootstrap=kafka.sasl_bootstrap, options=sasl(mechanism, PASSWORD)
    )
    begin(reading)
    assert read(reading, 5) == numbered(0, 5)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_a_wrong_password_is_an_error_at_once_and_never_logged(
    kafka: KafkaBroker,
    make_topic: MakeTopic,
    open_source: Open,
    mechanism: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The broker states the refusal on about one connection in four, and closes the others without
    a reason: on a busy machine five attempts of four seconds may see none."""
    caplog.set_level(logging.DEBUG)
    began = time.monotonic()
    topic = make_topic()
    options = sasl(mechanism, "not-the-password")
    with (
        capture_logs() as lines,
        pytest.raises(
            SourceUnavailable, match=r"SaslAuthenticationFailed.*source\.options"
        ) as raised,
    ):
        open_source(
            kafka, topic, bootstrap=kafka.sasl_bootstrap, options=options, give_up_after="2m"
        )
    assert time.monotonic() - began < 60.0  # not the two minutes of retries
    assert str(raised.value).count("SaslAuthenticationFailed") == 1
    assert "not-the-password" not in f"{raised.value}{lines}{caplog.text}"


def test_a_recreated_topic_that_outgrows_the_previous_one_loses_nothing(
    kafka: KafkaBroker, make_topic: MakeTopic, open_source: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records 5 to 9 of the old topic are not verified.

    The new topic has three records when it is detected, so it cannot have held records 5 to 9.
    """
    topic = make_topic()
    observe = TopicWatch._observe
    may_observe = threading.Event()
    may_observe.set()

    def observe_when_allowed(watch: TopicWatch, known: TopicObservation | None) -> TopicObservation:
        may_observe.wait()
        return observe(watch, known)

    monkeypatch.setattr(TopicWatch, "_observe", observe_when_allowed)
    reading = open_source(kafka, topic)
    begin(reading)
    kafka.produce(topic, records(numbered(0, 5)))
    assert read(reading, 5) == numbered(0, 5)
    until = time.monotonic() + 1.5  # records read a moment ago are not verified yet
    while time.monotonic() < until:
        reading.poll(0.1, 100)
    may_observe.clear()  # the topic is not observed from here on
    kafka.produce(topic, records(numbered(5, 10)))
    assert read(reading, 5) == numbered(5, 10)
    kafka.delete_topic(topic)
    kafka.create_topic(topic)
    kafka.produce(topic, records(numbered(1000, 1003)))
    may_observe.set()
    early, (gap,) = poll_until(reading, lambda batches, gaps: bool(gaps))
    resume(reading, gap)
    kafka.produce(topic, records(numbered(1003, 1040)))
    late, _ = poll_until(
        reading, lambda batches, gaps: sum(len(batch.values) for batch in [*early, *batches]) >= 40
    )
    assert sorted(map(int, values([*early, *late]))) == [*range(1000, 1040)]  # type: ignore[arg-type]
