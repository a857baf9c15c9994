"""Observes a topic in the background: its id, its partitions, and the ends of their logs."""

from __future__ import annotations

import base64
import threading
import time
import uuid
from typing import Any, Final

import kafka
import msgspec
import structlog
from kafka import errors as kafka_errors
from kafka.protocol.consumer import IsolationLevel, OffsetSpec

from stream.errors import SourceUnavailable
from stream.sources.kafka.client import PERMISSIONS_ADVICE

log = structlog.get_logger("driftline.kafka")

OBSERVE_S: Final = 2.0
"""The longest time between two observations of a topic."""
MIN_PAUSE_S: Final = 0.2
"""The shortest pause between two observations."""
REQUEST_TIMEOUT_MS: Final = 2000
CLOSE_S: Final = 3.0
"""The longest time that closing waits for the thread."""


class TopicObservation(msgspec.Struct, frozen=True, kw_only=True):
    """A topic at some time, in monotonic seconds.

    The id and the first offsets (``begins``) were requested at ``topic_s``, the last stable offsets
    (``ends``) at ``ends_s``. The offsets are those of each partition.
    """

    topic_s: float
    ends_s: float
    topic_id: str
    begins: dict[int, int]
    ends: dict[int, int]


class TopicWatch:
    """Observes a topic with a client and a thread of its own.

    Neither a long request nor an unreachable broker delays the thread that reads. ``admin`` is a
    ``KafkaAdminClient``. ``failure`` is why the last observation failed, empty if it did not.
    """

    def __init__(self, name: str, topic: str, admin: Any) -> None:
        self._name = name
        self._topic = topic
        self._admin = admin
        self.latest: TopicObservation
        self._requested = threading.Event()
        self._observed = threading.Condition()
        self._topic_requested = True
        self._stopped = False
        self.failure = ""
        self._failing_since_s: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"kafka-watch-{topic}", daemon=True)

    def start(self) -> None:
        """Observe the topic once, then continue in the background.

        Raises :class:`~stream.errors.SourceUnavailable` if the topic is missing, or may not be
        read.
        """
        try:
            self.latest = self._observe(None)
        except kafka_errors.KafkaError as error:
            raise SourceUnavailable(self._name, [str(error)], _advice(error)) from error
        self._thread.start()

    def request(self, topic: bool = False) -> None:
        """Ask for an observation soon; with ``topic`` also of the id and the first offsets."""
        self._topic_requested = self._topic_requested or topic
        self._requested.set()

    def observed_after(self, requested_s: float, timeout_s: float) -> TopicObservation | None:
        """Return a complete observation that was requested after ``requested_s``.

        None if the broker does not respond within ``timeout_s``.
        """
        self.request(topic=True)
        with self._observed:
            in_time = self._observed.wait_for(lambda: self.latest.topic_s >= requested_s, timeout_s)
        return self.latest if in_time else None

    def close(self) -> None:
        """Stop the thread and close its client."""
        self._stopped = True
        self._requested.set()
        if self._thread.ident is not None:
            self._thread.join(CLOSE_S)
        self._admin.close()

    def _run(self) -> None:
        while not self._stopped:
            self._requested.wait(OBSERVE_S)
            self._requested.clear()
            stale = self._topic_requested or time.monotonic() - self.latest.topic_s >= OBSERVE_S
            self._topic_requested = False
            try:
                observation = self._observe(None if stale else self.latest)
            except (kafka_errors.KafkaError, RuntimeError, OSError) as error:
                self._topic_requested = self._topic_requested or stale
                self._report_failure(error)
            else:
                self._report_success()
                with self._observed:
                    self.latest = observation
                    self._observed.notify_all()
            time.sleep(MIN_PAUSE_S)

    def _report_failure(self, error: Exception) -> None:
        self.failure = str(error) or type(error).__name__
        if self._failing_since_s is None and not self._stopped:
            self._failing_since_s = time.monotonic()
            log.warning("source_unreachable", source=self._name, reason=self.failure)

    def _report_success(self) -> None:
        self.failure = ""
        if self._failing_since_s is not None:
            after_s = round(time.monotonic() - self._failing_since_s, 1)
            self._failing_since_s = None
            log.warning("source_reachable", source=self._name, after_s=after_s)

    def _observe(self, known: TopicObservation | None) -> TopicObservation:
        """Request the ends of the log; without a ``known`` observation also the id and begins."""
        requested_s = time.monotonic()
        observation = self._observe_topic(requested_s) if known is None else known
        ends = self._offsets(list(observation.begins), OffsetSpec.LATEST)
        return msgspec.structs.replace(observation, ends_s=requested_s, ends=ends)

    def _observe_topic(self, requested_s: float) -> TopicObservation:
        (topic,) = self._admin.describe_topics([self._topic])
        if topic["error_code"]:
            raise kafka_errors.for_code(topic["error_code"])(f"topic {self._topic!r}")
        numbers = [partition["partition_index"] for partition in topic["partitions"]]
        return TopicObservation(
            topic_s=requested_s,
            ends_s=0.0,
            topic_id=short_id(topic["topic_id"]),
            begins=self._offsets(numbers, OffsetSpec.EARLIEST),
            ends={},
        )

    def _offsets(self, numbers: list[int], spec: Any) -> dict[int, int]:
        specs = {kafka.TopicPartition(self._topic, number): spec for number in numbers}
        offsets = self._admin.list_partition_offsets(
            specs, isolation_level=IsolationLevel.READ_COMMITTED, timeout_ms=REQUEST_TIMEOUT_MS
        )
        return {partition.partition: result.offset for partition, result in offsets.items()}


def _advice(error: kafka_errors.KafkaError) -> str:
    if isinstance(error, kafka_errors.UnknownTopicOrPartitionError):
        return "Create the topic, or correct source.topic"
    return PERMISSIONS_ADVICE if isinstance(error, kafka_errors.AuthorizationError) else ""


def short_id(topic_id: str) -> str:
    """Return the id of a topic as ``kafka-topics.sh --describe`` prints it.

    >>> short_id("4e90fb8e-efe5-4f1b-a2a1-7b12b5bc023a")
    'TpD7ju_lTxuioXsStbwCOg'
    """
    return base64.urlsafe_b64encode(uuid.UUID(topic_id).bytes).decode().rstrip("=")
