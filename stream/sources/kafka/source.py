"""One topic of Apache Kafka: partitions are assigned by us, positions are ours, nothing is ever
reset silently.

The group protocol is not used; the group (named like the job) only publishes how far we are, for
lag tools. A position is ``(topic id, offset)``: a topic that was made anew has another id, so it
can never go on at an old number. A gap is told when the log no longer has a position (retention,
``DeleteRecords``, truncation, a topic made anew). See :mod:`stream.sources.kafka.reading`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, ClassVar, Literal

import kafka
import msgspec

from detectors.durations import Duration, duration_ms
from detectors.faults import Fault, did_you_mean
from stream.errors import SourceUnavailable
from stream.sources.base import Reading, Source
from stream.sources.kafka import msk_iam as msk
from stream.sources.kafka import security
from stream.sources.kafka.client import FetchClient
from stream.sources.kafka.columns_client import ColumnsClient, fits
from stream.sources.kafka.confluent_client import NAMES, ConfluentClient, settings_of
from stream.sources.kafka.connection import ClientLog, TopicWatch, connect
from stream.sources.kafka.plain_client import PlainClient
from stream.sources.kafka.reading import KafkaReading

log = logging.getLogger(__name__)

OURS = ("bootstrap_servers", "group_id", "enable_auto_commit", "auto_offset_reset", "key_deserializer", "value_deserializer",
        "isolation_level", "kafka_client", "bootstrap_timeout_ms")  # fmt: skip
"""Options of the client that the service sets itself."""


class Kafka(Source, frozen=True, tag="kafka"):
    """Reads ``topic`` from ``bootstrap_servers``.

    ``options`` go to the client as they are (``security_protocol``, ``sasl_...``, ``ssl_...``).
    ``start`` says where a job without state begins (``earliest`` or ``latest``). A partition that
    appears later starts at its first offset, whatever ``start`` says. At start a broker that does
    not answer is tried for ``give_up_after``; refused credentials and a missing topic end the
    attempt at once. Later outages are waited out. ``arrival_ms`` is the record's timestamp: the
    broker's where the topic says ``LogAppendTime``, else the producer's; but no later than our own
    clock, so that one wrong clock cannot end all windows. Aborted transactions are skipped.

    ``client`` says who fetches: ``columns`` (kafka-python with its record batches taken as columns;
    ``plain`` serves where that was not tried with the installed version), ``plain`` (kafka-python
    as it is), or ``fast`` (confluent-kafka, the extra ``driftline[fast]``; options keep their
    names). With ``sasl_mechanism: AWS_MSK_IAM`` and ``security_protocol: SASL_SSL`` the credentials
    of the AWS environment are used (the extra ``driftline[msk]``); ``region`` is that of the
    cluster.

    >>> options = {"sasl_mechansim": "PLAIN"}
    >>> Kafka(bootstrap_servers=["127.0.0.1:9092"], topic="t", options=options).check()[0].message
    "unknown option of the Kafka client; did you mean 'sasl_mechanism'?"
    """

    record_fields: ClassVar = frozenset({"topic", "key", "header"})

    bootstrap_servers: list[str]
    """Brokers, as ``host:port``."""
    topic: str
    """The topic."""
    start: Literal["earliest", "latest"] = "earliest"
    """Where a job without a state starts."""
    options: dict[str, str | int | float | bool | list[str]] = msgspec.field(default_factory=dict)
    """Options of the Kafka client, by the names of kafka-python (``security_protocol``,
    ``sasl_mechanism``, ``ssl_cafile``, ...).
    """
    give_up_after: Duration = "30s"
    """How long the start waits for a broker; later outages are waited out."""
    client: Literal["columns", "plain", "fast"] = "columns"
    """The client that fetches: ``columns`` (kafka-python, record batches as columns), ``plain``
    (kafka-python), ``fast`` (confluent-kafka; ``pip install 'driftline[fast]'``).
    """
    region: str = ""
    """The AWS region of the cluster, for ``sasl_mechanism: AWS_MSK_IAM`` (``pip install
    'driftline[msk]'``).
    """

    @property
    def give_up_after_s(self) -> float:
        """``give_up_after`` in seconds."""
        return duration_ms(self.give_up_after) / 1000

    @property
    def identity(self) -> str:
        """The topic; its brokers may move. (Positions name the topic's id: one that was made anew
        is a gap.)
        """
        return f"kafka {self.topic}"

    def check(self) -> list[Fault]:
        """Check servers, topic, the names of the options, and those that secure the connection."""
        faults = []
        if not self.bootstrap_servers:
            faults.append(Fault("bootstrap_servers", "at least one host:port is required"))
        if not self.topic:
            faults.append(Fault("topic", "the name of a topic is required"))
        faults += [
            Fault(f"options.{name}", message)
            for name in self.options
            if (message := self._option_fault(name))
        ]
        return [*faults, *security.faults(self.options), *msk.faults(self.options, self.region)]

    def _option_fault(self, name: str) -> str:
        """Return what is wrong with the name of an option; empty if it is known."""
        known = kafka.KafkaConsumer.DEFAULT_CONFIG
        if name in OURS:
            return "set by driftline itself; remove it"
        if name not in known:
            return f"unknown option of the Kafka client{did_you_mean(name, known)}"
        if self.client == "fast" and name not in NAMES:
            return "not supported by `client: fast`"
        return ""

    def verify(self) -> str:
        """The topic as errors name it, once the files and the tokens that the options ask for are
        there; else ``SourceUnavailable``.
        """
        name = f"kafka topic {self.topic!r} at {', '.join(self.bootstrap_servers)}"
        security.verify(name, self.options)
        msk.verify(name, self.options, self.region)
        return name

    def open(self, job: str) -> Reading:
        """Connect a reading client and one that looks at the topic; SourceUnavailable names the
        distinct causes. No job: no group.
        """
        name, client_log = self.verify(), ClientLog()
        with ExitStack() as undo:
            undo.callback(client_log.give_back)
            watch = TopicWatch(
                name, self.topic, connect(name, self.looker(), self.give_up_after_s, client_log)
            )
            undo.callback(watch.close)
            watch.start()
            client = self._client(name, job, client_log)
            undo.callback(client.close)
            return KafkaReading(self.topic, client, watch, undo.pop_all(), self.start == "earliest")

    def _client(self, name: str, job: str, client_log: ClientLog) -> FetchClient:
        if self.client == "fast":
            try:
                fast = ConfluentClient(
                    name,
                    self.topic,
                    settings_of(self.bootstrap_servers, job, self.options, self.region),
                )
            except ImportError as error:
                raise SourceUnavailable(
                    name, [str(error)], "Install it: pip install 'driftline[fast]'"
                ) from error
            fast.reach(self.give_up_after_s)
            return fast
        consumer, columns = (
            connect(name, self._reader(job), self.give_up_after_s, client_log),
            self.client == "columns",
        )
        if columns and not fits():
            log.warning(
                "%s: kafka-python %s was not tested with `client: columns`; using `plain`",
                name,
                kafka.__version__,
            )
        return (ColumnsClient if columns and fits() else PlainClient)(name, self.topic, consumer)

    def _reader(self, job: str) -> Callable[..., Any]:
        settings = {
            "group_id": job or None, "enable_auto_commit": False, "auto_offset_reset": "none", "allow_auto_create_topics": False,
            "isolation_level": "read_committed", "max_partition_fetch_bytes": 4 << 20, "fetch_max_bytes": 16 << 20,
            "receive_buffer_bytes": 4 << 20, "max_poll_records": 5000, "reconnect_backoff_max_ms": 1000,
            "metadata_max_age_ms": 10_000, "bootstrap_servers": self.bootstrap_servers, **msk.signed(self.options, self.region),
        }  # fmt: skip
        return lambda **more: kafka.KafkaConsumer(**settings, **more)

    def looker(self) -> Callable[..., Any]:
        """Builds an admin client with the options of this source, for
        :func:`stream.sources.kafka.connection.connect`.
        """
        known = kafka.KafkaAdminClient.DEFAULT_CONFIG
        options = {
            name: value
            for name, value in msk.signed(self.options, self.region).items()
            if name in known
        }
        settings = {
            **options,
            "bootstrap_servers": self.bootstrap_servers,
            "reconnect_backoff_max_ms": 1000,
            "request_timeout_ms": 2000,
        }
        return lambda **more: kafka.KafkaAdminClient(**settings, **more)
