"""One topic of Apache Kafka: partitions are assigned by us, positions are ours, nothing is ever reset silently.

The group protocol is not used; the group (named like the job) only publishes how far we are, for lag tools. A position is
``(topic id, offset)``: a topic that was made anew has another id, so it can never go on at an old number. A gap is told when
the log no longer has a position (retention, ``DeleteRecords``, truncation, a topic made anew); a topic that is made anew
*while* it is read is noticed within about two seconds, and what was read in between belongs to the gap.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar, Literal, NamedTuple

import kafka
import msgspec
import numpy as np
from kafka import errors as kafka_errors

from stream.errors import SourceUnavailable
from stream.events import Assign, Discovered, Gap, Position, RawBatch
from stream.kafka_client import ClientLog, Look, TopicWatch, connect
from stream.sources.base import Reading, Source

log = logging.getLogger(__name__)

OURS = (
    "bootstrap_servers", "group_id", "enable_auto_commit", "auto_offset_reset", "key_deserializer",
    "value_deserializer", "isolation_level", "kafka_client", "bootstrap_timeout_ms",
)  # fmt: skip
"""Options of the client that the service sets itself."""
FRESH_S = 1.0
"""How long an answer about the log's end is trusted."""
ANSWER_S = 2.0
"""How long an assignment waits for an answer about the log."""


class Kafka(Source, frozen=True, tag="kafka"):
    """Reads ``topic`` from ``bootstrap_servers``.

    ``options`` go to the client as they are (``security_protocol``, ``sasl_...``, ``ssl_...``). ``start`` says where a job without
    state begins (``earliest`` or ``latest``). A partition that appears later starts at its first offset, whatever ``start`` says.
    At start a broker that does not answer is tried for ``give_up_after_s``; refused credentials and a missing topic end the
    attempt at once. Later outages are waited out. ``arrival_ms`` is the record's timestamp: the broker's where the topic says
    ``LogAppendTime``, else the producer's; but no later than our own clock, so that one wrong clock cannot end all windows.
    Aborted transactions are skipped.

    >>> Kafka(bootstrap_servers=["127.0.0.1:9092"], topic="events", options={"sasl_mechansim": "PLAIN"}).check()
    ['options.sasl_mechansim: the Kafka client has no such option']
    """

    tells: ClassVar = frozenset({"topic", "key", "header"})

    bootstrap_servers: list[str]
    topic: str
    start: Literal["earliest", "latest"] = "earliest"
    options: dict[str, str | int | float | bool | list[str]] = msgspec.field(default_factory=dict)
    give_up_after_s: float = 30.0

    @property
    def identity(self) -> str:
        """The topic; its brokers may move. (Positions name the topic's id: one that was made anew is a gap.)"""
        return f"kafka {self.topic}"

    def check(self) -> list[str]:
        """Faults of the options that can be seen without network."""
        faults = [f"options.{name}: the service sets this option itself" for name in self.options if name in OURS]
        unknown = [name for name in self.options if name not in kafka.KafkaConsumer.DEFAULT_CONFIG]
        faults += [f"options.{name}: the Kafka client has no such option" for name in unknown]
        faults += [] if self.bootstrap_servers else ["bootstrap_servers: at least one host:port is needed"]
        return faults + ([] if self.topic else ["topic: a name is needed"])

    def open(self, job: str) -> Reading:
        """Connect a reading client and one that looks at the topic; SourceUnavailable names the distinct causes."""
        client_log = ClientLog()
        name = f"kafka topic {self.topic!r} at {', '.join(self.bootstrap_servers)}"
        with ExitStack() as undo:
            undo.callback(client_log.give_back)
            consumer = connect(name, self._reader(job), self.give_up_after_s, client_log)
            undo.callback(consumer.close, autocommit=False, timeout_ms=2000)
            watch = TopicWatch(name, self.topic, connect(name, self._looker(), self.give_up_after_s, client_log))
            undo.callback(watch.close)
            watch.start()
            return KafkaReading(self, name, consumer, watch, undo.pop_all())

    def _reader(self, job: str) -> Callable[..., Any]:
        settings = {
            "group_id": job, "enable_auto_commit": False, "auto_offset_reset": "none", "allow_auto_create_topics": False,
            "isolation_level": "read_committed", "max_partition_fetch_bytes": 4 << 20, "fetch_max_bytes": 16 << 20,
            "receive_buffer_bytes": 4 << 20, "max_poll_records": 5000, "reconnect_backoff_max_ms": 1000,
            "metadata_max_age_ms": 10_000, "bootstrap_servers": self.bootstrap_servers, **self.options,
        }  # fmt: skip
        return lambda **more: kafka.KafkaConsumer(**settings, **more)

    def _looker(self) -> Callable[..., Any]:
        known = kafka.KafkaAdminClient.DEFAULT_CONFIG
        options = {name: value for name, value in self.options.items() if name in known}
        settings = {
            **options,
            "bootstrap_servers": self.bootstrap_servers,
            "reconnect_backoff_max_ms": 1000,
            "request_timeout_ms": 2000,
        }
        return lambda **more: kafka.KafkaAdminClient(**settings, **more)


class Place(NamedTuple):
    """Where a partition stands: the topic's id and the next offset."""

    topic_id: str
    offset: int


class Lost(NamedTuple):
    """A partition whose position the broker refused at ``since_s``; ``safe`` is where its log is known to be right."""

    since_s: float
    safe: int | None


def at_the_end(look: Look, number: int, place: Place) -> bool:
    """Whether a recent look found the log's end at ``place``; a partition that is no longer there is at its end."""
    if time.monotonic() - look.ends_s >= FRESH_S:
        return False
    end = look.ends.get(number)
    return end is None or place == (look.topic_id, end)


class KafkaReading:
    """The reading half; see :class:`stream.sources.base.Reading` for what each method promises."""

    finished = False

    def __init__(self, source: Kafka, name: str, consumer: Any, watch: TopicWatch, undo: ExitStack) -> None:
        self._source, self._name, self._topic = source, name, source.topic
        self._consumer, self._watch, self._undo = consumer, watch, undo
        self._at: dict[int, Place] = {}
        self._lost: dict[int, Lost] = {}
        self._began = source.start == "earliest"

    def discover(self) -> list[Discovered]:
        """All partitions; with ``start: latest`` at their end, but only until something was assigned."""
        look = self._watch.latest
        starts = look.begins if self._began else look.ends
        return [Discovered(f"{self._topic}-{number}", (look.topic_id, offset)) for number, offset in sorted(starts.items())]

    def assign(self, assigns: list[Assign]) -> list[Gap]:
        """Read from there on; without an answer within two seconds the positions are taken unchecked and the broker judges them."""
        self._began = True
        look = self._watch.after(time.monotonic(), ANSWER_S)
        gaps, seeks = [], {}
        for assign in assigns:
            number = int(assign.partition.rpartition("-")[2])
            place = self._place(assign.next)
            self._at.pop(number, None)
            self._lost.pop(number, None)
            if look is not None and (gap := self._gap(number, place, look, None)) is not None:
                gaps.append(gap)
            else:
                self._at[number] = seeks[number] = place
        self._consumer.assign([self._tp(number) for number in self._at])
        for number, place in seeks.items():
            self._consumer.seek(self._tp(number), place.offset)
            self._consumer.resume(self._tp(number))
        return gaps

    def poll(self, timeout_s: float, max_records: int) -> list[RawBatch | Gap]:
        """What has come since; a gap is told once, and its partition then waits to be assigned again."""
        gaps = self._gaps()
        records: dict[Any, list[Any]] = {}
        if len(self._at) > len(self._lost):
            with self._refusals():
                records = self._consumer.poll(timeout_ms=int(timeout_s * 1000), max_records=max_records)
        else:
            time.sleep(timeout_s)
        if len(records) < len(self._at):
            self._watch.want()
        look = self._watch.latest
        batches = [self._batch(number, records.get(self._tp(number), []), look) for number in sorted(self._at)]
        return [*gaps, *(batch for batch in batches if batch is not None)]

    def publish_positions(self, positions: Mapping[str, Position]) -> None:
        """Commit the group's offsets without waiting; a failure is logged and the next call makes it good."""
        offsets = {}
        for partition, position in positions.items():
            place = self._place(position)
            if place.topic_id == self._watch.latest.topic_id:
                tp = self._tp(int(partition.rpartition("-")[2]))
                offsets[tp] = kafka.OffsetAndMetadata(place.offset, "", -1)
        if offsets:
            self._consumer.commit_async(offsets, callback=self._published)

    def close(self) -> None:
        """Let go of both clients and give the client's log back; safe to call twice."""
        self._undo.close()

    def _tp(self, number: int) -> Any:
        return kafka.TopicPartition(self._topic, number)

    def _place(self, position: Position) -> Place:
        return Place(self._watch.latest.topic_id, position) if isinstance(position, int) else Place(*position)

    def _published(self, offsets: Any, answer: Any) -> None:
        if isinstance(answer, Exception):
            log.info("%s: offsets of group were not published: %s", self._name, answer)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Around a call of the client: a refused position stops its partition, what no waiting heals ends the reading."""
        try:
            yield
        except kafka_errors.OffsetOutOfRangeError as error:
            self._lose(dict.fromkeys(error.args[0]))
        except kafka_errors.LogTruncationError as error:
            known = error.divergent_offsets
            self._lose({tp: self._at[tp.partition].offset if at is None else at.offset for tp, at in known.items()})
        except (kafka_errors.AuthorizationError, kafka_errors.CorruptRecordError) as error:
            raise SourceUnavailable(self._name, [str(error)]) from error

    def _lose(self, safe: Mapping[Any, int | None]) -> None:
        """Stop reading partitions that the broker refused, until a look at the log tells what became of it."""
        for tp, offset in safe.items():
            self._consumer.pause(tp)
            self._lost[tp.partition] = Lost(time.monotonic(), offset)
        self._watch.want(topic=True)

    def _gaps(self) -> list[RawBatch | Gap]:
        """Gaps of partitions that were refused, or whose topic was made anew; they are read no longer."""
        look = self._watch.latest
        found: list[RawBatch | Gap] = []
        for number, place in list(self._at.items()):
            lost = self._lost.get(number)
            if (lost is None and place.topic_id == look.topic_id) or (lost is not None and look.topic_s < lost.since_s):
                continue
            if gap := self._gap(number, place, look, None if lost is None else lost.safe):
                found.append(gap)
                del self._at[number]
            elif lost is not None:  # the log has the position after all
                self._consumer.seek(self._tp(number), place.offset)
                self._consumer.resume(self._tp(number))
            self._lost.pop(number, None)
        if found:
            self._consumer.assign([self._tp(number) for number in self._at])
        return found

    def _gap(self, number: int, place: Place, look: Look, safe: int | None) -> Gap | None:
        """What is missing at ``place``; None when the log has it, or when the topic has no such partition (any more)."""
        begin, end = look.begins.get(number), look.ends.get(number)
        if begin is None or end is None:
            return None
        if place.topic_id != look.topic_id:
            resume, lost, reason = begin, None, "the topic was made anew"
        elif place.offset < begin:
            resume, lost, reason = begin, begin - place.offset, "the log begins later (retention or deleted records)"
        elif place.offset > end or safe is not None:
            resume, lost, reason = end if safe is None else max(safe, begin), None, "the log was cut off"
        else:
            return None
        return Gap(f"{self._topic}-{number}", (place.topic_id, place.offset), (look.topic_id, resume), lost, reason)

    def _batch(self, number: int, records: list[Any], look: Look) -> RawBatch | None:
        """The records of a partition, or an empty batch that moves on over control records or says that it is at the end."""
        topic_id, first = self._at[number]
        following = first
        if number not in self._lost:
            with self._refusals():
                following = self._consumer.position(self._tp(number), timeout_ms=0)
        if records:
            following = max(following, records[-1].offset + 1)
        self._at[number] = Place(topic_id, following)
        at_end = number not in self._lost and at_the_end(look, number, Place(topic_id, following))
        if not records and following == first and not at_end:
            return None
        return RawBatch(
            partition=f"{self._topic}-{number}",
            origin=self._topic,
            first=(topic_id, first),
            next=(topic_id, following),
            positions=[(topic_id, record.offset) for record in records],
            values=[record.value for record in records],
            arrival_ms=np.minimum(np.array([record.timestamp for record in records], np.int64), int(time.time() * 1000)),
            keys=[record.key for record in records],
            headers=[record.headers for record in records],
            at_end=at_end,
        )
