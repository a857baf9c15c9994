"""confluent-kafka: librdkafka fetches in threads of its own while Python counts. The optional extra
``fast``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np

from stream.errors import SourceUnavailable
from stream.sources.kafka.client import RIGHTS, FetchResult, RecordColumns
from stream.sources.kafka.msk_iam import MSK_IAM, token

log = logging.getLogger(__name__)

NAMES: Final = {
    "security_protocol": "security.protocol",
    "sasl_mechanism": "sasl.mechanism",
    "sasl_plain_username": "sasl.username",
    "sasl_plain_password": "sasl.password",
    "ssl_cafile": "ssl.ca.location",
    "ssl_certfile": "ssl.certificate.location",
    "ssl_keyfile": "ssl.key.location",
    "ssl_password": "ssl.key.password",
    "ssl_check_hostname": "ssl.endpoint.identification.algorithm",
    "client_id": "client.id",
    "fetch_max_bytes": "fetch.max.bytes",
    "fetch_max_wait_ms": "fetch.wait.max.ms",
    "fetch_min_bytes": "fetch.min.bytes",
    "max_partition_fetch_bytes": "max.partition.fetch.bytes",
    "metadata_max_age_ms": "topic.metadata.refresh.interval.ms",
    "reconnect_backoff_max_ms": "reconnect.backoff.max.ms",
}
"""Options of the source and their names in librdkafka."""
WAIT_S: Final = 0.05
"""A call waits until it has enough records or this is over: longer would delay the few."""
SAME_LINE_S: Final = 30.0
ANSWER_S: Final = 0.5
"""How long one question to a broker may take while nothing is known of it."""
ADVICE: Final = (
    "Check source.bootstrap_servers, and security_protocol, sasl_... and ssl_... under"
    " source.options"
)


def settings_of(
    servers: Sequence[str], job: str, options: Mapping[str, Any], region: str
) -> dict[str, Any]:
    """The configuration of librdkafka for a source: what we set, and the options in its words.

    A full queue must not sleep for a second (``fetch.queue.backoff.ms``), and its size is bounded
    whatever the number of partitions. ``AWS_MSK_IAM`` becomes ``OAUTHBEARER`` with tokens that are
    signed here.

    >>> settings_of(["h:1"], "job", {"ssl_check_hostname": False}, "")["ssl.endpoint.identification.algorithm"]
    'none'
    """
    told = {NAMES[name]: value for name, value in options.items()}
    if "ssl_check_hostname" in options:
        told[NAMES["ssl_check_hostname"]] = "https" if options["ssl_check_hostname"] else "none"
    if options.get("sasl_mechanism") == MSK_IAM:
        told |= {"sasl.mechanism": "OAUTHBEARER", "oauth_cb": lambda _config: token(region)}
    ours = {
        "bootstrap.servers": ",".join(servers), "group.id": job, "enable.auto.commit": False, "auto.offset.reset": "error",
        "isolation.level": "read_committed", "check.crcs": True, "fetch.queue.backoff.ms": 10, "queued.max.messages.kbytes": 16384,
        "queued.min.messages": 20_000, "reconnect.backoff.max.ms": 1000, "allow.auto.create.topics": False,
    }  # fmt: skip
    return {**ours, **told}


class ConfluentClient:
    """Fetches with librdkafka; see :class:`stream.sources.kafka.client.FetchClient` for what each method
    promises.
    """

    def __init__(self, name: str, topic: str, settings: Mapping[str, Any]) -> None:
        import confluent_kafka

        self._kafka, self._name, self._topic = confluent_kafka, name, topic
        self._told_s: dict[str, float] = {}
        self._log = logging.getLogger(f"{__name__}.client")
        self._causes: dict[str, str] = {}
        self._lasting: set[str] = set()
        called: dict[str, Any] = {"error_cb": self._error, "on_commit": self._committed}
        if "oauth_cb" in settings:
            called["oauth_cb"] = self._telling(settings["oauth_cb"])
        try:
            self._consumer = confluent_kafka.Consumer({**settings, **called}, logger=self._log)
        except (confluent_kafka.KafkaException, TypeError, ValueError, SystemError) as error:
            raise SourceUnavailable(
                name, [self._causes.get("token") or _in_our_words(error)], "Check source.options"
            ) from error
        self._log.addFilter(self._seldom)
        self._expected: dict[int, int] = {}
        self._closed = False

    def reach(self, give_up_after_s: float) -> None:
        """Wait until a broker answers. SourceUnavailable when none does in that time, or at once
        for what no waiting heals.
        """
        deadline = time.monotonic() + give_up_after_s
        while True:
            try:
                self._consumer.list_topics(self._topic, timeout=ANSWER_S)
            except self._kafka.KafkaException as error:
                self._consumer.consume(1, 0.01)  # errors are told inside of it
                if self._lasting or time.monotonic() >= deadline:
                    self.close()
                    causes = [self._causes[one] for one in sorted(self._lasting)] or list(
                        self._causes.values()
                    )
                    raise SourceUnavailable(
                        self._name, causes or [str(error)], ADVICE, not self._lasting
                    ) from error
            else:
                return

    def assign(self, partitions: Iterable[int], seeks: Mapping[int, int]) -> None:
        """A refused partition never moves again by seeking: it is taken away and given anew."""
        wanted = set(partitions)
        self._take_away(
            [number for number in self._expected if number not in wanted or number in seeks]
        )
        self._give(seeks)

    def pause(self, partition: int) -> None:
        self._take_away([partition])

    def resume(self, partition: int, offset: int) -> None:
        self.assign([*self._expected, partition], {partition: offset})

    def poll(self, timeout_s: float, max_records: int) -> FetchResult:
        deadline = time.monotonic() + timeout_s
        while True:
            messages = self._consumer.consume(
                max_records, min(WAIT_S, max(deadline - time.monotonic(), 0.001))
            )
            faults = [message for message in messages if message.error() is not None]
            refused = self._refused(faults)
            chunks = self._chunks(
                [message for message in messages if message.error() is None] if faults else messages
            )
            if chunks or refused or time.monotonic() >= deadline:
                return FetchResult(chunks, refused)

    def position(self, partition: int) -> int | None:
        if partition not in self._expected:
            return None
        (place,) = self._consumer.position([self._kafka.TopicPartition(self._topic, partition)])
        return int(place.offset) if place.offset >= 0 else None

    def commit(self, offsets: Mapping[int, int]) -> None:
        told = [
            self._kafka.TopicPartition(self._topic, number, offset)
            for number, offset in offsets.items()
        ]
        try:
            self._consumer.commit(offsets=told, asynchronous=True)
        except self._kafka.KafkaException as error:
            log.info("%s: offsets of group were not published: %s", self._name, error)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._consumer.close()
            self._log.removeFilter(self._seldom)

    def _give(self, places: Mapping[int, int]) -> None:
        if places:
            self._consumer.incremental_assign(
                [self._kafka.TopicPartition(self._topic, n, offset) for n, offset in places.items()]
            )
            self._expected |= places

    def _take_away(self, numbers: Sequence[int]) -> None:
        known = [number for number in numbers if self._expected.pop(number, None) is not None]
        if known:
            self._consumer.incremental_unassign(
                [self._kafka.TopicPartition(self._topic, number) for number in known]
            )

    def _chunks(self, messages: Sequence[Any]) -> dict[int, RecordColumns]:
        """Messages by partition, as columns; what was under way before a partition was given anew
        is left out.
        """
        chunks: dict[int, RecordColumns] = {}
        for number, mine in _by_partition(messages, self._kafka.Message.partition).items():
            expected = self._expected.get(number)
            if expected is None:
                continue
            kept = (
                mine
                if mine[0].offset() >= expected
                else [message for message in mine if message.offset() >= expected]
            )
            if kept:
                self._expected[number] = kept[-1].offset() + 1
                chunks[number] = _columns(kept, self._kafka.Message)
        return chunks

    def _refused(self, faults: Sequence[Any]) -> dict[int, int | None]:
        refused: dict[int, int | None] = {}
        for message in faults:
            code, text = message.error().code(), message.error().str()
            if code in (
                self._kafka.KafkaError._AUTO_OFFSET_RESET,  # noqa: SLF001  # its public name
                self._kafka.KafkaError.OFFSET_OUT_OF_RANGE,
            ):
                if message.partition() in self._expected:
                    refused[message.partition()] = None
            elif code in (
                self._kafka.KafkaError.TOPIC_AUTHORIZATION_FAILED,
                self._kafka.KafkaError.GROUP_AUTHORIZATION_FAILED,
            ):
                raise SourceUnavailable(self._name, [text], RIGHTS)
            elif code == self._kafka.KafkaError._BAD_MSG:  # noqa: SLF001  # a damaged record batch
                raise SourceUnavailable(self._name, [f"CorruptRecordError: {text}"])
            else:
                self._error(message.error())
        return refused

    def _error(self, error: Any) -> None:
        """Tell it twice a minute; what no waiting heals, such as credentials that are refused from
        now on, as a warning.
        """
        codes, name, text = self._kafka.KafkaError, str(error.name()), str(error.str())
        refused = codes._AUTHENTICATION, codes.SASL_AUTHENTICATION_FAILED, codes._SSL  # noqa: SLF001
        if error.code() in refused:
            self._lasting.add(name)
        self._causes[name] = text
        if self._due(name):
            log.log(
                logging.WARNING if name in self._lasting or "SSL" in text else logging.INFO,
                "%s: %s",
                self._name,
                text,
            )

    def _telling(
        self, give: Callable[[str], tuple[str, float]]
    ) -> Callable[[str], tuple[str, float]]:
        """Gives tokens, and tells why there is none: librdkafka only says that there was an error."""

        def token_or_reason(config: str) -> tuple[str, float]:
            try:
                return give(config)
            except Exception as error:
                self._causes["token"] = f"no token: {type(error).__name__}: {error}"
                self._lasting.add("token")
                log.warning("%s: %s", self._name, self._causes["token"])
                raise

        return token_or_reason

    def _committed(self, error: Any, offsets: Sequence[Any]) -> None:
        refused = error or next((one.error for one in offsets if one.error is not None), None)
        if refused is not None and self._due("commit"):
            log.info("%s: offsets of group were not published: %s", self._name, refused.str())

    def _seldom(self, record: logging.LogRecord) -> bool:
        """Each kind of line of the client twice a minute: it says the same twenty times a second
        when a broker is gone.
        """
        record.levelno, record.levelname = min(record.levelno, logging.INFO), "INFO"
        return self._due(record.getMessage().split("|")[0] + str(record.levelno))

    def _due(self, line: str) -> bool:
        now = time.monotonic()
        due = now - self._told_s.get(line, -SAME_LINE_S) >= SAME_LINE_S
        if due:
            self._told_s[line] = now
        return due


def _in_our_words(error: Exception) -> str:
    """What librdkafka says, with the names that the options have in the source."""
    text = str(error.args[0].str() if hasattr(error.args[0], "str") else error)
    for ours, theirs in NAMES.items():
        text = text.replace(theirs, ours)
    return text


def _by_partition(
    messages: Sequence[Any], partition: Callable[[Any], int | None]
) -> dict[int, list[Any]]:
    """Messages come in runs of one partition, which are cut out whole."""
    numbers = np.fromiter(map(partition, messages), np.int64, len(messages))
    bounds = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(messages)]
    found: dict[int, list[Any]] = {}
    for start, stop in pairwise(bounds if messages else []):
        found.setdefault(int(numbers[start]), []).extend(messages[start:stop])
    return found


def _columns(messages: Sequence[Any], of: Any) -> RecordColumns:
    """Messages of one partition as columns; ``of`` is their class, whose methods are mapped over
    them: there is no faster way.

    An empty list a message would cost more than all else, so there are no headers at all if no
    message has one.
    """
    first, last = messages[0].offset(), messages[-1].offset()
    whole = last - first + 1 == len(messages)
    headers = list(map(of.headers, messages))
    return RecordColumns(
        list(range(first, last + 1) if whole else map(of.offset, messages)),
        [ms for _, ms in map(of.timestamp, messages)],
        list(map(of.value, messages)),
        list(map(of.key, messages)),
        [one or [] for one in headers] if any(headers) else [],
    )
