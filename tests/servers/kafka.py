"""A real Apache Kafka broker (4.3.1, one node).

>>> from tests.servers.kafka import KafkaBroker
>>> with KafkaBroker() as broker:                                          # doctest: +SKIP
...     broker.create_topic("events", partitions=2)
...     broker.produce("events", [(0, b"key", b"value", [("h", b"1")], 1_700_000_000_000)])
[0]
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from tests.servers.base import (
    LOOPBACK,
    DependencyMissing,
    Process,
    ServerFailed,
    cache_dir,
    free_port,
    port_answers,
)

VERSION = "4.3.1"
POM = Path(__file__).parent / "kafka" / "pom.xml"
CLUSTER_ID = "Zm9vYmFyYmF6cXV4MTIzNA"
USER = "alice"
PASSWORD = "alice-secret"
GUARDED = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
}
"""Settings of a broker whose user ``alice`` has only the permissions granted; clients without a
password have all of them."""
QUICK_JVM = ("-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
BENCH_JVM = ("-Xmx1g",)

Record = tuple[int, bytes | None, bytes | None, Sequence[tuple[str, bytes | None]], int | None]
"""(partition, key, value, headers, timestamp in ms or None for now)."""

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plain},SASL://127.0.0.1:{sasl},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.sasl.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
listener.name.sasl.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=200
log.retention.ms=-1
log.cleaner.backoff.ms=500
auto.create.topics.enable=false
"""

LOG4J = """\
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{HH:mm:ss.SSS} %-5p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
logger.server.name=kafka.server
logger.server.level=info
logger.config.name=kafka.server.KafkaConfig
logger.config.level=warn
"""


def jar_dir() -> Path:
    """Return the folder that ``python -m tests.servers.setup`` fills with the broker's jars."""
    return cache_dir() / f"kafka-{VERSION}"


def class_archive() -> Path:
    """Return the archive of loaded classes, which halves the start-up time of a broker."""
    return jar_dir() / "classes.jsa"


def archive_classes() -> None:
    """Write the class archive from one run of a broker, if there is none yet.

    A JVM that the archive does not fit ignores it.
    """
    archive = class_archive()
    if archive.exists():
        return
    unfinished = archive.with_suffix(f".{os.getpid()}")
    with KafkaBroker(jvm=(*QUICK_JVM, f"-XX:ArchiveClassesAtExit={unfinished}")) as broker:
        broker.create_topic("events")
        broker.produce("events", [(0, None, b"value", [], None)])
    if unfinished.exists():  # not every JVM can archive
        unfinished.replace(archive)


def why_missing() -> str | None:
    """Return why no broker can be started here, or None if one can."""
    if shutil.which("java") is None:
        return "no java"
    if not (jar_dir() / "complete").exists():
        return "its jars are not downloaded: python -m tests.servers.setup"
    return None


class RunningBroker:
    """A running broker, whichever process started it: topics, records and permissions.

    ``bootstrap`` is the plain listener; ``sasl_bootstrap`` requires user ``alice`` (PLAIN or
    SCRAM-SHA-512).
    """

    def __init__(self, port: int, sasl_port: int) -> None:
        self.port = port
        self.sasl_port = sasl_port
        self.bootstrap = f"{LOOPBACK}:{port}"
        self.sasl_bootstrap = f"{LOOPBACK}:{sasl_port}"
        self._producer: Any = None
        self._admin: Any = None

    @property
    def admin(self) -> Any:
        """A connected ``KafkaAdminClient``, created at first use."""
        if self._admin is None:
            self._admin = KafkaAdminClient(
                bootstrap_servers=self.bootstrap, reconnect_backoff_max_ms=500
            )
        return self._admin

    def create_topic(
        self, name: str, partitions: int = 1, configs: Mapping[str, str] | None = None
    ) -> None:
        """Create a topic and wait until every partition has a leader.

        Timestamps ahead of the clock are allowed, unless ``configs`` forbids them.
        """
        settings = {"message.timestamp.after.max.ms": str(2**62), **(configs or {})}
        spec = {"num_partitions": partitions, "replication_factor": 1, "configs": settings}
        self.admin.create_topics({name: spec}, wait_for_metadata=True)

    def delete_topic(self, name: str) -> None:
        """Delete a topic and wait until the broker no longer lists it."""
        self.drop_clients()  # the producer's sequence numbers do not fit a recreated topic
        self.admin.delete_topics([name])
        while name in self.admin.list_topics():
            time.sleep(0.02)

    def allow(self, operation: str, kind: str, name: str) -> None:
        """Grant user ``alice`` a permission, as ``allow("READ", "TOPIC", "events")``; it takes
        effect a moment later.
        """
        pattern = ResourcePattern(ResourceType[kind], name)
        self.admin.create_acls(
            [ACL(f"User:{USER}", "*", ACLOperation[operation], ACLPermissionType.ALLOW, pattern)]
        )

    def add_partitions(self, topic: str, total: int) -> None:
        """Grow ``topic`` to ``total`` partitions."""
        self.admin.create_partitions({topic: total})
        self.admin.wait_for_topics([topic])
        self.drop_clients()  # the producer would discover them only minutes later

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Remove the records of a partition below offset ``before``, as retention would."""
        self.admin.delete_records({TopicPartition(topic, partition): before})

    def produce(self, topic: str, records: Iterable[Record]) -> list[int]:
        """Write records, wait for all acknowledgements, return the offsets in the given order."""
        if self._producer is None:
            self._producer = KafkaProducer(
                bootstrap_servers=self.bootstrap, linger_ms=5, batch_size=256 * 1024,
                max_request_size=8 << 20, reconnect_backoff_max_ms=500, metadata_max_age_ms=2000,
            )  # fmt: skip
        sent = [
            self._producer.send(
                topic,
                value=value,
                key=key,
                headers=list(headers),
                partition=partition,
                timestamp_ms=at,
            )
            for partition, key, value, headers, at in records
        ]
        self._producer.flush(60)
        return [future.get(60).offset for future in sent]

    def drop_clients(self) -> None:
        """Close these clients: idle clients log each failed attempt to reach a stopped broker."""
        if self._producer is not None:
            self._producer.close(timeout=2 if port_answers(self.port) else 0)
        if self._admin is not None:
            self._admin.close()
        self._producer = self._admin = None


class KafkaBroker(RunningBroker):
    """A broker on free ports of 127.0.0.1, started on entry, stopped and removed on exit.

    ``stop()``, ``kill9()`` and ``start()`` may follow each other: ports and records remain. Tests
    isolate themselves by topic name; a test that stops the broker starts one of its own. ``via`` is
    another port to listen on, and the port of a proxy in front of it: clients that bootstrap
    through the proxy connect only through it. Raises DependencyMissing without java or the jars,
    ServerFailed if the broker does not start.
    """

    def __init__(
        self,
        jvm: Sequence[str] = QUICK_JVM,
        settings: Mapping[str, str] | None = None,
        via: tuple[int, int] | None = None,
    ) -> None:
        if reason := why_missing():
            raise DependencyMissing("kafka", reason)
        super().__init__(free_port(), free_port())
        archive = class_archive()
        shared = ["-Xshare:auto", f"-XX:SharedArchiveFile={archive}"] if archive.exists() else []
        self._jvm = [*jvm, *shared]
        self.dir = Path(tempfile.mkdtemp(prefix="driftline-kafka-"))
        self.process = Process("kafka", self.dir / "broker.log")
        self._write_properties(settings or {}, via)
        self._format()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _write_properties(self, settings: Mapping[str, str], via: tuple[int, int] | None) -> None:
        text = PROPERTIES.format(
            plain=self.port, sasl=self.sasl_port, controller=free_port(),
            data=self.dir / "data", user=USER, password=PASSWORD,
        )  # fmt: skip
        overrides = {**self._proxied_listener(text, via), **settings}
        text += "".join(f"{key}={value}\n" for key, value in overrides.items())
        (self.dir / "server.properties").write_text(text)
        (self.dir / "log4j2.properties").write_text(LOG4J)

    def _proxied_listener(self, text: str, via: tuple[int, int] | None) -> dict[str, str]:
        """Settings of another listener; a later line overrides an earlier one."""
        if via is None:
            return {}
        listen_port, proxy = via
        configured = dict(
            line.split("=", 1) for line in text.splitlines() if line.startswith("listener")
        )
        protocols = "listener.security.protocol.map"
        return {
            "listeners": f"{configured['listeners']},VIA://{LOOPBACK}:{listen_port}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap},SASL://{self.sasl_bootstrap},"
            f"VIA://{LOOPBACK}:{proxy}",
            protocols: f"{configured[protocols]},VIA:PLAINTEXT",
        }

    def _java(self, *arguments: str) -> list[str]:
        jars = ":".join(str(jar) for jar in sorted(jar_dir().glob("*.jar")))
        logging = f"-Dlog4j2.configurationFile={self.dir / 'log4j2.properties'}"
        return ["java", *self._jvm, logging, "-cp", jars, *arguments]

    def _format(self) -> None:
        scram = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
        command = self._java(
            "kafka.tools.StorageTool", "format", "--standalone", "-t", CLUSTER_ID,
            "-c", str(self.dir / "server.properties"), "--add-scram", scram,
        )  # fmt: skip
        result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if result.returncode != 0:
            raise ServerFailed(
                f"kafka's log folder could not be formatted\n{result.stdout}{result.stderr}"
            )

    def start(self) -> None:
        """Start the broker and wait, at most 60 s, until it serves clients."""
        log = self.process.log
        already_logged = log.stat().st_size if log.exists() else 0

        def ready() -> bool:
            with log.open("rb") as lines:
                lines.seek(already_logged)
                return b"Kafka Server started" in lines.read() and port_answers(self.port)

        command = self._java("kafka.Kafka", str(self.dir / "server.properties"))
        self.process.start(command, ready, timeout_s=60.0)

    def stop(self) -> None:
        """Shut down cleanly; records remain."""
        self.drop_clients()
        self.process.stop(grace_s=20.0)

    def kill9(self) -> None:
        """Kill the broker without warning; acknowledged records remain."""
        self.drop_clients()
        self.process.kill9()

    def close(self) -> None:
        """Stop the broker and remove its files."""
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)
