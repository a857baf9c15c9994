"""Fetches with confluent-kafka, based on librdkafka, which fetches in threads of its own.

Needs the optional extra ``fast``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import structlog

from sinks.throttle import Throttle
from stream.errors import SourceUnavailable
from stream.sources.kafka.client import (
    NOT_UTF_8,
    PERMISSIONS_ADVICE,
    FetchResult,
    RecordColumns,
    Unreadable,
)
from stream.sources.kafka.client_log import LOG_AGAIN_S, ClientLog
from stream.sources.kafka.confluent_settings import OPTION_NAMES

log = structlog.get_logger("driftline.kafka")

CONSUME_S: Final = 0.02
"""The longest time of a call that waits for more records.

A call returns a full batch, or what there is after this time: so it delays all records of a topic
that is slower. Half of it costs a tenth more processor time, since batches become smaller.
"""
RESPONSE_S: Final = 0.5
"""The time-out of a request to a broker that has not responded yet."""
ADVICE: Final = (
    "Check source.bootstrap_servers, and security_protocol, sasl_... and ssl_... under"
    " source.options"
)
REFUSALS: Final = ("_AUTO_OFFSET_RESET", "_LOG_TRUNCATION", "OFFSET_OUT_OF_RANGE")
"""Names of the errors of a position that the log does not have."""
DAMAGES: Final = (
    "_BAD_MSG",
    "_BAD_COMPRESSION",
    "_NOT_IMPLEMENTED",
    "_PARTIAL",
    "_UNDERFLOW",
    "INVALID_MSG",
    "INVALID_RECORD",
    "UNSUPPORTED_COMPRESSION_TYPE",
)
"""Names of the errors of records that librdkafka, or the broker, cannot read."""
TokenCallback = Callable[[str], tuple[str, float]]
"""Returns a token and its expiry, in seconds since the epoch, for a configuration."""

_LIBRDKAFKA: Final = logging.getLogger("librdkafka")
_LIBRDKAFKA_LOG: Final = ClientLog(lambda record: record.getMessage().partition(": ")[0])
"""The kind of a line is its first part: a keyword, the client and the thread."""


class ConfluentClient:
    """Fetches with librdkafka.

    See :class:`stream.sources.kafka.client.FetchClient` for the contract.
    """

    def __init__(self, name: str, topic: str, settings: Mapping[str, Any]) -> None:
        import confluent_kafka

        self._kafka = confluent_kafka
        self._name = name
        self._topic = topic
        self._throttle = Throttle(LOG_AGAIN_S)
        self._causes: dict[str, str] = {}
        self._permanent: set[str] = set()
        self._expected: dict[int, int] = {}
        self._closed = False
        codes = confluent_kafka.KafkaError
        self._refusals = {getattr(codes, name) for name in REFUSALS}
        self._damages = {getattr(codes, name) for name in DAMAGES}
        self._consumer = self._open(settings)

    def reach(self, give_up_after_s: float) -> None:
        """Wait until a broker responds.

        Raises :class:`~stream.errors.SourceUnavailable` immediately for a permanent error, else
        when none responds within ``give_up_after_s``.
        """
        deadline_s = time.monotonic() + give_up_after_s
        while True:
            try:
                self._consumer.list_topics(self._topic, timeout=RESPONSE_S)
            except self._kafka.KafkaException as error:
                self._consumer.consume(1, 0.01)  # calls the error callbacks
                if self._permanent or time.monotonic() >= deadline_s:
                    self.close()
                    raise self._unreachable(error) from error
            else:
                return

    def assign(self, partitions: Iterable[int], seeks: Mapping[int, int]) -> None:
        """Unassign and assign again the partitions in ``seeks``.

        A seek has no effect on a partition whose position was refused.
        """
        wanted = set(partitions)
        self._unassign(
            [number for number in self._expected if number not in wanted or number in seeks]
        )
        self._assign(seeks)

    def pause(self, partition: int) -> None:
        self._unassign([partition])

    def resume(self, partition: int, offset: int) -> None:
        self.assign([*self._expected, partition], {partition: offset})

    def poll(self, timeout_s: float, max_records: int) -> FetchResult:
        deadline_s = time.monotonic() + timeout_s
        while True:
            wait_s = min(CONSUME_S, max(deadline_s - time.monotonic(), 0.001))
            messages = self._consumer.consume(max_records, wait_s)
            faults = [message for message in messages if message.error() is not None]
            refused, unreadable = self._classified(faults)
            if faults:
                messages = _before_faults(messages, unreadable)
            chunks = self._chunks(messages, unreadable)
            if chunks or refused or unreadable or time.monotonic() >= deadline_s:
                return FetchResult(chunks, refused, unreadable)

    def position(self, partition: int) -> int | None:
        if partition not in self._expected:
            return None
        (position,) = self._consumer.position([self._partition(partition)])
        return max(int(position.offset), self._expected[partition])  # negative before a record

    def commit(self, offsets: Mapping[int, int]) -> None:
        positions = [self._partition(number, offset) for number, offset in offsets.items()]
        try:
            self._consumer.commit(offsets=positions, asynchronous=True)
        except self._kafka.KafkaException as error:
            self._log_unpublished(str(error))

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._consumer.close()

    def _open(self, settings: Mapping[str, Any]) -> Any:
        callbacks: dict[str, Any] = {"error_cb": self._on_error, "on_commit": self._on_commit}
        if "oauth_cb" in settings:
            callbacks["oauth_cb"] = self._reporting(settings["oauth_cb"])
        _LIBRDKAFKA_LOG.take_over(_LIBRDKAFKA)
        try:
            return self._kafka.Consumer({**settings, **callbacks}, logger=_LIBRDKAFKA)
        except (self._kafka.KafkaException, TypeError, ValueError, SystemError) as error:
            cause = self._causes.get("token") or _with_option_names(error)
            raise SourceUnavailable(self._name, [cause], "Check source.options") from error

    def _unreachable(self, error: Exception) -> SourceUnavailable:
        causes = [self._causes[name] for name in sorted(self._permanent)]
        causes = causes or list(self._causes.values()) or [str(error)]
        return SourceUnavailable(self._name, causes, ADVICE, transient=not self._permanent)

    def _partition(self, number: int, offset: int | None = None) -> Any:
        if offset is None:
            return self._kafka.TopicPartition(self._topic, number)
        return self._kafka.TopicPartition(self._topic, number, offset)

    def _assign(self, offsets: Mapping[int, int]) -> None:
        if offsets:
            self._consumer.incremental_assign(
                [self._partition(number, offset) for number, offset in offsets.items()]
            )
            self._expected |= offsets

    def _unassign(self, numbers: Sequence[int]) -> None:
        assigned = [number for number in numbers if self._expected.pop(number, None) is not None]
        if assigned:
            self._consumer.incremental_unassign([self._partition(number) for number in assigned])

    def _chunks(
        self, messages: Sequence[Any], unreadable: dict[int, Unreadable]
    ) -> dict[int, RecordColumns]:
        """Return messages by partition, as columns; note in ``unreadable`` where they end early.

        Messages that were fetched before a partition was assigned again are left out.
        """
        chunks: dict[int, RecordColumns] = {}
        for number, fetched in _by_partition(messages, self._kafka.Message.partition).items():
            expected = self._expected.get(number)
            if expected is None:
                continue
            new = fetched
            if fetched[0].offset() < expected:
                new = [message for message in fetched if message.offset() >= expected]
            headers, fault = _headers(new, self._kafka.Message)
            if fault:
                unreadable[number] = Unreadable(fault)
                new = new[: len(headers)]
            if new:
                self._expected[number] = new[-1].offset() + 1
                chunks[number] = _columns(new, headers, self._kafka.Message)
        return chunks

    def _classified(
        self, faults: Sequence[Any]
    ) -> tuple[dict[int, int | None], dict[int, Unreadable]]:
        """Return the partitions with a refused position, and those with unreadable records.

        Other permanent errors are raised, and those that nobody knows are logged with their place.
        """
        codes = self._kafka.KafkaError
        refused: dict[int, int | None] = {}
        unreadable: dict[int, Unreadable] = {}
        for message in faults:
            number, code = message.partition(), message.error().code()
            if code in self._refusals:
                if number in self._expected:
                    refused[number] = None
            elif code in (codes.TOPIC_AUTHORIZATION_FAILED, codes.GROUP_AUTHORIZATION_FAILED):
                text = str(message.error().str())
                raise SourceUnavailable(self._name, [text], PERMISSIONS_ADVICE)
            elif code in self._damages:
                error = message.error()
                unreadable.setdefault(number, Unreadable(f"{error.name()}: {error.str()}"))
            else:
                self._log_fault(message)
        return refused, unreadable

    def _log_fault(self, message: Any) -> None:
        """Log an error of a partition whose effect is unknown: it may stop the partition."""
        partition, name = f"{self._topic}-{message.partition()}", message.error().name()
        if self._throttle.due((partition, name)):
            log.warning(
                "partition_error",
                source=self._name,
                partition=partition,
                offset=message.offset(),
                reason=f"{name}: {message.error().str()}",
            )

    def _on_error(self, error: Any) -> None:
        """Log an error, at most twice a minute; permanent errors as warnings."""
        codes = self._kafka.KafkaError
        name = str(error.name())
        text = str(error.str())
        refused = codes._AUTHENTICATION, codes.SASL_AUTHENTICATION_FAILED, codes._SSL  # noqa: SLF001
        if error.code() in refused:
            self._permanent.add(name)
        self._causes[name] = text
        if not self._throttle.due(name):
            return
        if name in self._permanent or "SSL" in text:
            log.warning("source_refused", source=self._name, reason=text)
        else:
            log.info("client_error", source=self._name, reason=text)

    def _reporting(self, get_token: TokenCallback) -> TokenCallback:
        """Return a callback that logs the exception if there is no token: librdkafka drops it."""

        def reported(config: str) -> tuple[str, float]:
            try:
                return get_token(config)
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                self._causes["token"] = f"no token: {reason}"
                self._permanent.add("token")
                log.warning("token_unavailable", source=self._name, reason=reason)
                raise

        return reported

    def _on_commit(self, error: Any, partitions: Sequence[Any]) -> None:
        if error is None:
            refused = (partition.error for partition in partitions)
            error = next((refusal for refusal in refused if refusal is not None), None)
        if error is not None:
            self._log_unpublished(str(error.str()))

    def _log_unpublished(self, reason: str) -> None:
        if self._throttle.due("offsets"):
            log.info("offsets_not_published", source=self._name, reason=reason)


def _with_option_names(error: Exception) -> str:
    """Return librdkafka's message with the names that the options have in the source."""
    text = str(error.args[0].str() if hasattr(error.args[0], "str") else error)
    for name, native_name in OPTION_NAMES.items():
        text = text.replace(native_name, name)
    return text


def _by_partition(
    messages: Sequence[Any], partition: Callable[[Any], int | None]
) -> dict[int, list[Any]]:
    """Group messages by partition; they come in runs of one partition, which are sliced."""
    numbers = np.fromiter(map(partition, messages), np.int64, len(messages))
    bounds = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(messages)]
    groups: dict[int, list[Any]] = {}
    for start, stop in pairwise(bounds if messages else []):
        groups.setdefault(int(numbers[start]), []).extend(messages[start:stop])
    return groups


def _before_faults(messages: Sequence[Any], unreadable: Mapping[int, Unreadable]) -> list[Any]:
    """Return the messages, of a partition with unreadable records those before these.

    librdkafka goes on behind a damaged batch: what it returns then must not hide the gap.
    """
    readable, stopped = [], set[int]()
    for message in messages:
        if message.error() is not None:
            stopped |= {message.partition()} & unreadable.keys()
        elif message.partition() not in stopped:
            readable.append(message)
    return readable


def _headers(messages: Sequence[Any], message: Any) -> tuple[list[Any], str]:
    """Return the headers of messages up to one that has none that can be read, and that fault.

    The client cannot return a name that is not UTF-8: it raises an error, and must not be asked
    again for the headers of that message.
    """
    headers: list[Any] = []
    try:
        headers.extend(map(message.headers, messages))
    except (SystemError, UnicodeDecodeError):
        return headers, NOT_UTF_8
    return headers, ""


def _columns(messages: Sequence[Any], headers: list[Any], message: Any) -> RecordColumns:
    """Return messages of one partition as columns.

    ``message`` is their class: mapping its methods over the messages is the fastest way. An empty
    list per message would cost more than everything else, so there are no headers at all if no
    message has any.
    """
    first, last = messages[0].offset(), messages[-1].offset()
    consecutive = last - first + 1 == len(messages)
    return RecordColumns(
        offsets=list(range(first, last + 1) if consecutive else map(message.offset, messages)),
        timestamps=[timestamp_ms for _, timestamp_ms in map(message.timestamp, messages)],
        values=list(map(message.value, messages)),
        keys=list(map(message.key, messages)),
        headers=[of_message or [] for of_message in headers] if any(headers) else [],
    )
