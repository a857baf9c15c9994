"""One topic of Apache Kafka: partitions are assigned by us, positions are ours, nothing is ever reset silently.

The group protocol is not used; the group (named like the job) only publishes how far we are, for lag tools. A position is
``(topic id, offset)``: a topic that was made anew has another id, so it can never go on at an old number. A gap is told when
the log no longer has a position (retention, ``DeleteRecords``, truncation, a topic made anew); a topic that is made anew
*while* it is read is noticed within about two seconds, and what was read in between belongs to the gap.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from typing import Any, ClassVar, Literal, NamedTuple

import kafka
import msgspec
import numpy as np

from stream import kafka_msk
from stream.errors import SourceUnavailable
from stream.events import Assign, Discovered, Gap, Position, RawBatch
from stream.kafka_client import ClientLog, Look, TopicWatch, connect
from stream.kafka_columns import ColumnsClient, fits
from stream.kafka_fast import NAMES, FastClient, settings_of
from stream.kafka_fetch import Chunk, Client, Positions
from stream.kafka_plain import PlainClient
from stream.sources.base import Reading, Source

log = logging.getLogger(__name__)

OURS = ("bootstrap_servers", "group_id", "enable_auto_commit", "auto_offset_reset", "key_deserializer", "value_deserializer",
        "isolation_level", "kafka_client", "bootstrap_timeout_ms")  # fmt: skip
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

    ``client`` says who fetches: ``columns`` (kafka-python with its record batches taken as columns; ``plain`` serves where that was not
    tried with the installed version), ``plain`` (kafka-python as it is), or ``fast`` (confluent-kafka, the extra ``driftline[fast]``;
    options keep their names). With ``sasl_mechanism: AWS_MSK_IAM`` and ``security_protocol: SASL_SSL`` the credentials of the AWS
    environment are used (the extra ``driftline[msk]``); ``region`` is that of the cluster.

    >>> Kafka(bootstrap_servers=["127.0.0.1:9092"], topic="events", options={"sasl_mechansim": "PLAIN"}).check()
    ['options.sasl_mechansim: the Kafka client has no such option']
    """

    tells: ClassVar = frozenset({"topic", "key", "header"})

    bootstrap_servers: list[str]
    topic: str
    start: Literal["earliest", "latest"] = "earliest"
    options: dict[str, str | int | float | bool | list[str]] = msgspec.field(default_factory=dict)
    give_up_after_s: float = 30.0
    client: Literal["columns", "plain", "fast"] = "columns"
    region: str = ""

    @property
    def identity(self) -> str:
        """The topic; its brokers may move. (Positions name the topic's id: one that was made anew is a gap.)"""
        return f"kafka {self.topic}"

    def check(self) -> list[str]:
        """Faults of the options that can be seen without network."""
        faults = [f"options.{name}: the service sets this option itself" for name in self.options if name in OURS]
        unknown = [name for name in self.options if name not in kafka.KafkaConsumer.DEFAULT_CONFIG]
        faults += [f"options.{name}: the Kafka client has no such option" for name in unknown]
        if self.client == "fast":
            faults += [f"options.{name}: client `fast` has no such option" for name in self.options if name not in NAMES]
        faults += kafka_msk.faults(self.options, self.region)
        faults += [] if self.bootstrap_servers else ["bootstrap_servers: at least one host:port is needed"]
        return faults + ([] if self.topic else ["topic: a name is needed"])

    def open(self, job: str) -> Reading:
        """Connect a reading client and one that looks at the topic; SourceUnavailable names the distinct causes. No job: no group."""
        name, client_log = f"kafka topic {self.topic!r} at {', '.join(self.bootstrap_servers)}", ClientLog()
        kafka_msk.prove(name, self.options, self.region)
        with ExitStack() as undo:
            undo.callback(client_log.give_back)
            watch = TopicWatch(name, self.topic, connect(name, self.looker(), self.give_up_after_s, client_log))
            undo.callback(watch.close)
            watch.start()
            client = self._client(name, job, client_log)
            undo.callback(client.close)
            return KafkaReading(self, name, client, watch, undo.pop_all())

    def _client(self, name: str, job: str, client_log: ClientLog) -> Client:
        if self.client == "fast":
            try:
                return FastClient(name, self.topic, settings_of(self.bootstrap_servers, job, self.options, self.region))
            except ImportError as error:
                raise SourceUnavailable(name, [str(error)], "Install it: pip install 'driftline[fast]'") from error
        consumer, columns = connect(name, self._reader(job), self.give_up_after_s, client_log), self.client == "columns"
        if columns and not fits():
            log.warning("%s: kafka-python %s was not tried with `client: columns`; `plain` serves", name, kafka.__version__)
        return (ColumnsClient if columns and fits() else PlainClient)(name, self.topic, consumer)

    def _reader(self, job: str) -> Callable[..., Any]:
        settings = {
            "group_id": job or None, "enable_auto_commit": False, "auto_offset_reset": "none", "allow_auto_create_topics": False,
            "isolation_level": "read_committed", "max_partition_fetch_bytes": 4 << 20, "fetch_max_bytes": 16 << 20,
            "receive_buffer_bytes": 4 << 20, "max_poll_records": 5000, "reconnect_backoff_max_ms": 1000,
            "metadata_max_age_ms": 10_000, "bootstrap_servers": self.bootstrap_servers, **kafka_msk.signed(self.options, self.region),
        }  # fmt: skip
        return lambda **more: kafka.KafkaConsumer(**settings, **more)

    def looker(self) -> Callable[..., Any]:
        """Builds an admin client with the options of this source, for :func:`stream.kafka_client.connect`."""
        known = kafka.KafkaAdminClient.DEFAULT_CONFIG
        options = {name: value for name, value in kafka_msk.signed(self.options, self.region).items() if name in known}
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

    def __init__(self, source: Kafka, name: str, client: Client, watch: TopicWatch, undo: ExitStack) -> None:
        self._source, self._name, self._topic = source, name, source.topic
        self._client, self._watch, self._undo = client, watch, undo
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
        gaps: list[Gap] = []
        seeks: dict[int, int] = {}
        for assign in assigns:
            number = int(assign.partition.rpartition("-")[2])
            place = self._place(assign.next)
            self._at.pop(number, None)
            self._lost.pop(number, None)
            if look is not None and (gap := self._gap(number, place, look, None)) is not None:
                gaps.append(gap)
            else:
                self._at[number] = place
                seeks[number] = place.offset
        self._client.assign(self._at, seeks)
        return gaps

    def elsewhere(self, partitions: Collection[str]) -> None:
        """Partitions that are found from now on begin at their first record."""
        self._began = True

    def poll(self, timeout_s: float, max_records: int) -> list[RawBatch | Gap]:
        """What has come since; a gap is told once, and its partition then waits to be assigned again."""
        gaps = self._gaps()
        chunks: dict[int, Chunk] = {}
        if len(self._at) == len(self._lost):
            time.sleep(timeout_s)
        else:
            chunks, refused = self._client.poll(timeout_s, max_records)
            self._lose(refused)
        if len(chunks) < len(self._at):
            self._watch.want()
        look = self._watch.latest
        batches = [self._batch(number, chunks.get(number), look) for number in sorted(self._at)]
        return [*gaps, *(batch for batch in batches if batch is not None)]

    def publish_positions(self, positions: Mapping[str, Position]) -> None:
        """Commit the group's offsets without waiting; a failure is logged and the next call makes it good."""
        places = [(int(partition.rpartition("-")[2]), self._place(position)) for partition, position in positions.items()]
        offsets = {number: place.offset for number, place in places if place.topic_id == self._watch.latest.topic_id}
        if offsets:
            self._client.commit(offsets)

    def lag(self, positions: Mapping[str, Position]) -> dict[str, int]:
        """Offsets from a position to the end of the log, as it was a moment ago: records, and markers of transactions."""
        look, out = self._watch.latest, {}
        for partition, position in positions.items():
            number, place = int(partition.rpartition("-")[2]), self._place(position)
            if place.topic_id == look.topic_id and number in look.ends:
                out[partition] = max(look.ends[number] - place.offset, 0)
        return out

    def close(self) -> None:
        """Let go of both clients and give the client's log back; safe to call twice."""
        self._undo.close()

    def _place(self, position: Position) -> Place:
        return Place(self._watch.latest.topic_id, position) if isinstance(position, int) else Place(*position)

    def _lose(self, refused: Mapping[int, int | None]) -> None:
        """Stop reading partitions that the broker refused, until a look at the log tells what became of it."""
        for number, safe in refused.items():
            self._client.pause(number)
            self._lost[number] = Lost(time.monotonic(), safe)
        if refused:
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
                self._client.resume(number, place.offset)
            self._lost.pop(number, None)
        if found:
            self._client.assign(self._at, {})
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

    def _batch(self, number: int, chunk: Chunk | None, look: Look) -> RawBatch | None:
        """The records of a partition, or an empty batch that moves on over control records or says that it is at the end."""
        topic_id, first = self._at[number]
        following = first
        if number not in self._lost:
            following = max(first, self._client.position(number) or 0)
        if chunk is not None:
            following = max(following, chunk.offsets[-1] + 1)
        self._at[number] = Place(topic_id, following)
        at_end = number not in self._lost and at_the_end(look, number, Place(topic_id, following))
        if chunk is None and following == first and not at_end:
            return None
        chunk = chunk or Chunk([], [], [], [], [])
        return RawBatch(
            partition=f"{self._topic}-{number}",
            origin=self._topic,
            first=(topic_id, first),
            next=(topic_id, following),
            positions=Positions(topic_id, chunk.offsets),
            values=chunk.values,
            arrival_ms=np.minimum(np.array(chunk.timestamps, np.int64), int(time.time() * 1000)),
            keys=chunk.keys,
            headers=chunk.headers,
            at_end=at_end,
        )
