"""The configuration of a source that reads one topic of Apache Kafka.

driftline assigns partitions itself, and its positions are its own: nothing is ever reset silently.
The group protocol is not used; the group, named like the job, only publishes positions for lag
tools. A position is ``(topic id, offset)``: a recreated topic has another id, so reading never
continues there at an old offset. It is a gap if the log does not have a position any more
(retention, ``DeleteRecords``, truncation, a recreated topic). See
:mod:`stream.sources.kafka.reading`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Annotated, Any, ClassVar, Final, Literal

import kafka
import msgspec
import structlog

from detectors.durations import Duration, duration_ms
from detectors.faults import Fault, did_you_mean
from stream.errors import SourceUnavailable
from stream.sources.base import Reading, Source
from stream.sources.kafka import msk_iam, security
from stream.sources.kafka.client import FetchClient
from stream.sources.kafka.columns_client import ColumnsClient
from stream.sources.kafka.confluent_client import ConfluentClient
from stream.sources.kafka.confluent_settings import OPTION_NAMES, librdkafka_settings
from stream.sources.kafka.connection import connect
from stream.sources.kafka.guarded_records import TESTED_VERSIONS, is_supported
from stream.sources.kafka.plain_client import PlainClient
from stream.sources.kafka.reading import KafkaReading
from stream.sources.kafka.rereading import Rereading
from stream.sources.kafka.sockets import socket_settings
from stream.sources.kafka.topic_watch import REQUEST_TIMEOUT_MS, TopicWatch

log = structlog.get_logger("driftline.kafka")

RESERVED_OPTIONS: Final = (
    "bootstrap_servers",
    "group_id",
    "enable_auto_commit",
    "auto_offset_reset",
    "key_deserializer",
    "value_deserializer",
    "isolation_level",
    "kafka_client",
    "bootstrap_timeout_ms",
)
"""Options of the client that the service sets itself."""
RECONNECT_MAX_MS: Final = 1000
CONSUMER_SETTINGS: Final[Mapping[str, Any]] = {
    "enable_auto_commit": False,
    "auto_offset_reset": "none",
    "allow_auto_create_topics": False,
    "isolation_level": "read_committed",
    # While Python counts, the client's thread hardly reads: few large fetches lose less by it.
    "max_partition_fetch_bytes": 4 << 20,
    "fetch_max_bytes": 16 << 20,
    "receive_buffer_bytes": 4 << 20,
    "max_poll_records": 5000,
    "reconnect_backoff_max_ms": RECONNECT_MAX_MS,
    "metadata_max_age_ms": 10_000,
}
"""Settings of kafka-python's consumer, unless an option overrides them."""
REREAD_GIVE_UP_S: Final = 1.0
"""The time after which connecting a client that reads records again is interrupted."""
MIN_BATCH_BYTES: Final = 1 << 20
MAX_BATCH_BYTES: Final = 1 << 30


class Kafka(Source, frozen=True, tag="kafka"):
    """Reads ``topic`` from ``bootstrap_servers``.

    ``options`` are passed to the client as they are (``security_protocol``, ``sasl_...``,
    ``ssl_...``). ``start`` is where a job without state begins: ``earliest`` or ``latest``. A
    partition that is added later starts at its first offset, regardless of ``start``.

    At the start a broker that does not respond is retried for ``give_up_after``; refused
    credentials and a missing topic end the program immediately. In later outages the service keeps
    retrying.
    ``arrival_ms`` is the record's timestamp: the broker's if the topic is set to ``LogAppendTime``,
    else the producer's; but no later than this machine's clock, so that one wrong clock cannot
    close all windows. Records of aborted transactions are skipped.

    ``client`` is the client that fetches: ``columns`` (kafka-python with its record batches decoded
    as columns; ``plain`` is used for versions with which that was not tested), ``plain``
    (kafka-python as it is), or ``fast`` (confluent-kafka, the extra ``driftline[fast]``; options
    keep their names). With ``sasl_mechanism: AWS_MSK_IAM`` and ``security_protocol: SASL_SSL`` the
    credentials of the AWS environment are used (the extra ``driftline[msk]``); ``region`` is that
    of the cluster.

    Records that a client cannot read are read again with the decoder of ``columns``, three times.
    Those that it cannot read either (damaged, or a batch of more than ``max_batch_bytes``) are
    passed over as a gap, which names partition, offsets and reason, unless ``on_gap`` is ``stop``.

    >>> source = Kafka(bootstrap_servers=["h:1"], topic="t", options={"sasl_mechansim": "PLAIN"})
    >>> source.check()[0].message
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
    """How long the start waits for a broker; in later outages the service keeps retrying."""
    client: Literal["columns", "plain", "fast"] = "columns"
    """The client that fetches: ``columns`` (kafka-python, record batches as columns), ``plain``
    (kafka-python), ``fast`` (confluent-kafka; ``pip install 'driftline[fast]'``).
    """
    region: str = ""
    """The AWS region of the cluster, for ``sasl_mechanism: AWS_MSK_IAM`` (``pip install
    'driftline[msk]'``).
    """

    max_batch_bytes: Annotated[int, msgspec.Meta(ge=MIN_BATCH_BYTES, le=MAX_BATCH_BYTES)] = 64 << 20
    """The largest record batch, in bytes after decompression. A larger one is passed over as a gap
    (``on_gap``). With ``client: fast`` at least ``fetch_max_bytes`` (50 MB).
    """

    @property
    def give_up_after_s(self) -> float:
        """The duration ``give_up_after`` in seconds."""
        return duration_ms(self.give_up_after) / 1000

    @property
    def identity(self) -> str:
        """The name of the topic, without its brokers; positions hold its id."""
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
        return [*faults, *security.faults(self.options), *msk_iam.faults(self.options, self.region)]

    def _option_fault(self, name: str) -> str:
        """Return the fault of the name of an option; empty if it is known."""
        known = kafka.KafkaConsumer.DEFAULT_CONFIG
        if name in RESERVED_OPTIONS:
            return "set by driftline itself; remove it"
        if name not in known:
            return f"unknown option of the Kafka client{did_you_mean(name, known)}"
        if self.client == "fast" and name not in OPTION_NAMES:
            return "not supported by `client: fast`"
        return ""

    def verify(self) -> str:
        """Return the topic's name for messages, once the files and tokens of the options exist.

        Raises ``SourceUnavailable`` if one is missing.
        """
        name = f"kafka topic {self.topic!r} at {', '.join(self.bootstrap_servers)}"
        security.verify(name, self.options)
        msk_iam.verify(name, self.options, self.region)
        return name

    def open(self, job: str) -> Reading:
        """Connect a client that fetches and one that observes the topic.

        Without ``job`` no group is named. Raises ``SourceUnavailable`` with the distinct causes.
        """
        name = self.verify()
        with ExitStack() as resources:
            admin = connect(name, self.admin_builder(), self.give_up_after_s)
            watch = TopicWatch(name, self.topic, admin)
            resources.callback(watch.close)
            watch.start()
            client = self._client(name, job)
            resources.callback(client.close)
            rereading = Rereading(name, self.topic, lambda: self._reread_client(name))
            resources.callback(rereading.close)
            from_start = self.start == "earliest"
            return KafkaReading(
                topic=self.topic,
                client=client,
                watch=watch,
                rereading=rereading,
                resources=resources.pop_all(),
                from_start=from_start,
            )

    def _client(self, name: str, job: str) -> FetchClient:
        if self.client == "fast":
            return self._confluent_client(name, job)
        consumer = connect(name, self._consumer_builder(job), self.give_up_after_s)
        if self.client == "plain":
            return PlainClient(name, self.topic, consumer, self.max_batch_bytes)
        if is_supported():
            return ColumnsClient(name, self.topic, consumer, self.max_batch_bytes)
        log.warning(
            "client_fell_back_to_plain", source=name, kafka_python_version=kafka.__version__
        )
        return PlainClient(name, self.topic, consumer, self.max_batch_bytes)

    def _reread_client(self, name: str) -> FetchClient:
        """Return a client that decodes what others cannot.

        Raises ``SourceUnavailable`` for a version of kafka-python whose internals were not tested.
        """
        if not is_supported():
            cause = f"not tried with kafka-python {kafka.__version__}, which was not tested"
            advice = f"Install kafka-python {', '.join(sorted(TESTED_VERSIONS))}"
            raise SourceUnavailable(name, [cause], advice)
        consumer = connect(name, self._consumer_builder(""), REREAD_GIVE_UP_S)
        return ColumnsClient(name, self.topic, consumer, self.max_batch_bytes)

    def _confluent_client(self, name: str, job: str) -> ConfluentClient:
        settings = librdkafka_settings(
            self.bootstrap_servers, job, self.options, self.region, self.max_batch_bytes
        )
        try:
            client = ConfluentClient(name, self.topic, settings)
        except ImportError as error:
            advice = "Install it: pip install 'driftline[fast]'"
            raise SourceUnavailable(name, [str(error)], advice) from error
        client.reach(self.give_up_after_s)
        return client

    def _consumer_builder(self, job: str) -> Callable[..., Any]:
        settings = {
            "group_id": job or None,
            "bootstrap_servers": self.bootstrap_servers,
            **CONSUMER_SETTINGS,
            **socket_settings(self.options),
            **msk_iam.signed(self.options, self.region),
        }
        return lambda **more: kafka.KafkaConsumer(**settings, **more)

    def admin_builder(self) -> Callable[..., Any]:
        """Return a function that builds an admin client with the options of this source.

        For :func:`stream.sources.kafka.connection.connect`.
        """
        known = kafka.KafkaAdminClient.DEFAULT_CONFIG
        options = msk_iam.signed(self.options, self.region)
        settings = {
            **{name: value for name, value in options.items() if name in known},
            "bootstrap_servers": self.bootstrap_servers,
            "reconnect_backoff_max_ms": RECONNECT_MAX_MS,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            **socket_settings(self.options),
        }
        return lambda **more: kafka.KafkaAdminClient(**settings, **more)
