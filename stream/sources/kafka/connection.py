"""The clients of Apache Kafka as a source needs them: connecting with a clear cause, and looking at
a topic from the side.

Only this module and ``stream.sources.kafka.source`` know the client library.
"""

from __future__ import annotations

import base64
import logging
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import kafka
from kafka import errors as kafka_errors
from kafka.net.compat import KafkaNetClient
from kafka.protocol.consumer import IsolationLevel, OffsetSpec

from stream.errors import SourceUnavailable
from stream.sources.kafka.client import RIGHTS

log = logging.getLogger(__name__)

TRY_S = 4.0
"""One try to connect: long enough for a broker to say that it refuses the credentials (it lets them
wait)."""
LOOK_S, LOOK_AGAIN_S = 2.0, 0.2
"""How often a topic is looked at, and the shortest pause before it is looked at again because
somebody asked."""
SAME_LINE_S = 30.0
"""How often a line of the client's log may come again."""


class ClientLog(logging.Handler):
    """Takes over the client's log: keeps the exceptions (the client tells causes nowhere else),
    lets each line through twice a minute.

    Only warnings and errors: at level DEBUG the client writes passwords.
    """

    _open: ClassVar[list[ClientLog]] = []
    _before: ClassVar[tuple[bool, int]] = (True, logging.NOTSET)

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.causes: list[BaseException] = []
        self._told_s: dict[tuple[str, int], float] = {}
        logger = logging.getLogger("kafka")
        if not ClientLog._open:
            ClientLog._before = (logger.propagate, logger.level)
            logger.propagate = False
            logger.setLevel(logging.WARNING)
        ClientLog._open.append(self)
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what was raised; pass the line on unless the same place spoke less than 30 s ago."""
        arguments = record.args if isinstance(record.args, tuple) else ()
        self.causes = [*self.causes, *(one for one in arguments if isinstance(one, BaseException))][
            -50:
        ]
        place, now = (record.pathname, record.lineno), time.monotonic()
        if now - self._told_s.get(place, -SAME_LINE_S) >= SAME_LINE_S:
            self._told_s[place] = now
            log.info("%s: %s", record.name, record.getMessage())

    def give_back(self) -> None:
        """Give the client's log back when nobody else holds it; safe to call twice."""
        if self not in ClientLog._open:
            return
        logger = logging.getLogger("kafka")
        logger.removeHandler(self)
        ClientLog._open.remove(self)
        if not ClientLog._open:
            logger.propagate = ClientLog._before[0]
            logger.setLevel(ClientLog._before[1])


def connect(
    name: str, build: Callable[..., Any], give_up_after_s: float, client_log: ClientLog
) -> Any:
    """Build a client, again and again for ``give_up_after_s``; a cause that no waiting heals ends
    it at once.
    """
    deadline = time.monotonic() + give_up_after_s
    while True:
        client_log.causes = []
        left_s = max(0.1, min(TRY_S, deadline - time.monotonic()))
        made: list[Any] = []

        def client(made: list[Any] = made, **settings: Any) -> Any:
            made.append(KafkaNetClient(**settings))
            return made[0]

        try:
            return build(bootstrap_timeout_ms=int(left_s * 1000), kafka_client=client)
        except (kafka_errors.KafkaError, TypeError, ValueError, OSError) as error:
            for half_made in made:
                half_made.close()  # else each failed constructor leaves a thread behind
            causes = [*client_log.causes, error]
        if (
            lasting := [one for one in causes if no_waiting_heals(one)]
        ) or time.monotonic() >= deadline:
            raise SourceUnavailable(
                name, distinct(lasting or causes), advice_for(lasting, give_up_after_s), not lasting
            )
        log.warning(
            "%s does not answer (%s); trying again for %.0f s",
            name,
            "; ".join(distinct(causes)),
            deadline - time.monotonic(),
        )


def no_waiting_heals(cause: BaseException) -> bool:
    """Whether trying again is useless: refused credentials or certificates, missing files, wrong
    options.
    """
    if isinstance(cause, kafka_errors.KafkaError):
        return not isinstance(cause, kafka_errors.RetriableError)
    return isinstance(cause, FileNotFoundError | TypeError | ValueError) and not isinstance(
        cause, UnicodeError
    )


def distinct(causes: list[BaseException]) -> list[str]:
    """The causes as text, each once, without the ones that only say that nothing came of it (unless
    there is no other).
    """
    texts = list(dict.fromkeys(map(_text, causes)))
    for empty in ("Unable to bootstrap", "timed out", "socket disconnected"):
        texts = [text for text in texts if empty not in text] or texts
    return texts


def _text(cause: BaseException) -> str:
    """The client names its errors itself; what came from a broker it names twice."""
    name = type(cause).__name__
    if isinstance(cause, kafka_errors.KafkaError):
        return str(cause).replace(f"{name}: {name}: ", f"{name}: ")
    return f"{name}: {cause}"


def advice_for(lasting: list[BaseException], given_s: float) -> str:
    """What the person who reads the error can do."""
    if lasting:
        return "Check security_protocol, sasl_... and ssl_... under source.options"
    return (
        f"Tried for {given_s:g} s (source.give_up_after); check source.bootstrap_servers, and"
        " security_protocol under source.options"
    )


class TopicObservation(NamedTuple):
    """What the topic was like: asked at ``topic_s`` (id, first offsets) and ``ends_s`` (ends),
    monotonic seconds.
    """

    topic_s: float
    ends_s: float
    topic_id: str
    begins: dict[int, int]
    ends: dict[int, int]


class TopicWatch:
    """Looks at the topic with a client and a thread of its own: neither a long poll nor a dead
    broker delays the reader.
    """

    def __init__(self, name: str, topic: str, admin: Any) -> None:
        self._name, self._topic, self._admin = name, topic, admin
        self.latest: TopicObservation
        self._wanted, self._changed, self._all = threading.Event(), threading.Condition(), True
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=f"kafka-watch-{topic}", daemon=True)

    def start(self) -> None:
        """Look once, then go on in the background; SourceUnavailable when the topic is missing or
        not ours to read.
        """
        try:
            self.latest = self._look(None)
        except kafka_errors.KafkaError as error:
            missing = isinstance(error, kafka_errors.UnknownTopicOrPartitionError)
            denied = RIGHTS if isinstance(error, kafka_errors.AuthorizationError) else ""
            advice = "Create the topic, or correct source.topic" if missing else denied
            raise SourceUnavailable(self._name, [str(error)], advice) from error
        self._thread.start()

    def want(self, topic: bool = False) -> None:
        """Ask for a look soon; with ``topic`` also at the id and the first offsets."""
        self._all = self._all or topic
        self._wanted.set()

    def after(self, asked_s: float, timeout_s: float) -> TopicObservation | None:
        """A look at everything that began after ``asked_s``; None when the broker does not answer
        in time.
        """
        self.want(topic=True)
        with self._changed:
            seen = self._changed.wait_for(lambda: self.latest.topic_s >= asked_s, timeout_s)
        return self.latest if seen else None

    def close(self) -> None:
        """End the thread and its client."""
        self._stopped = True
        self._wanted.set()
        if self._thread.ident is not None:
            self._thread.join(3.0)
        self._admin.close()

    def _run(self) -> None:
        failing_since: float | None = None
        while not self._stopped:
            self._wanted.wait(LOOK_S)
            self._wanted.clear()
            stale = self._all or time.monotonic() - self.latest.topic_s >= LOOK_S
            self._all = False
            try:
                look = self._look(None if stale else self.latest)
            except (kafka_errors.KafkaError, RuntimeError, OSError) as error:
                if failing_since is None and not self._stopped:
                    log.warning(
                        "%s does not answer (%s); waiting for it",
                        self._name,
                        str(error) or type(error).__name__,
                    )
                    failing_since = time.monotonic()
                self._all = self._all or stale
            else:
                if failing_since is not None:
                    log.warning(
                        "%s answers again after %.1f s",
                        self._name,
                        time.monotonic() - failing_since,
                    )
                    failing_since = None
                with self._changed:
                    self.latest = look
                    self._changed.notify_all()
            time.sleep(LOOK_AGAIN_S)

    def _look(self, known: TopicObservation | None) -> TopicObservation:
        asked_s = time.monotonic()
        if known is None:
            (topic,) = self._admin.describe_topics([self._topic])
            if topic["error_code"]:
                raise kafka_errors.for_code(topic["error_code"])(f"topic {self._topic!r}")
            numbers = [partition["partition_index"] for partition in topic["partitions"]]
            known = TopicObservation(
                asked_s,
                0.0,
                short_id(topic["topic_id"]),
                self._offsets(numbers, OffsetSpec.EARLIEST),
                {},
            )
        ends = self._offsets(list(known.begins), OffsetSpec.LATEST)
        return known._replace(ends_s=asked_s, ends=ends)

    def _offsets(self, numbers: list[int], which: Any) -> dict[int, int]:
        asked = {kafka.TopicPartition(self._topic, number): which for number in numbers}
        committed = IsolationLevel.READ_COMMITTED
        found = self._admin.list_partition_offsets(
            asked, isolation_level=committed, timeout_ms=2000
        )
        return {partition.partition: answer.offset for partition, answer in found.items()}


def short_id(topic_id: str) -> str:
    """The id of a topic as ``kafka-topics.sh --describe`` prints it.

    >>> short_id("4e90fb8e-efe5-4f1b-a2a1-7b12b5bc023a")
    'TpD7ju_lTxuioXsStbwCOg'
    """
    return base64.urlsafe_b64encode(uuid.UUID(topic_id).bytes).decode().rstrip("=")
