"""The configuration of a source that reads one stream of Amazon Kinesis.

A partition is a shard. A position is ``(sequence number, 0)`` and names the record that was read
last. Before a shard's first record it is where reading starts, ``("TRIM_HORIZON", 0)`` or
``("AT_TIMESTAMP", milliseconds)``; ``("ENDED", 0)`` is the end of an expired shard. The user
records that the Kinesis Producer Library aggregated into one record share its sequence number: they
come in one batch, and their dead letters name ``(sequence number, index)``.

Positions are driftline's own, and never reset silently.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal

import msgspec

from detectors.durations import Duration, duration_ms
from detectors.faults import Fault
from sinks.aws.client import url_faults
from stream.sources.base import Reading, Source
from stream.sources.kinesis.client import (
    KinesisClient,
    Response,
    StreamTarget,
    call_with_retries,
)
from stream.sources.kinesis.fan_out import active_consumer
from stream.sources.kinesis.reading import THREADS, KinesisReading
from stream.sources.kinesis.shard_reader import SharedClient
from stream.sources.kinesis.shards import ShardList

NAME: Final = r"[A-Za-z0-9_.-]{1,128}"
ARN: Final = rf"arn:[\w-]+:kinesis:([\w-]+):\d+:stream/{NAME}"


class FanOut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The consumer of enhanced fan-out.

    Either ``consumer_arn`` of an existing consumer, or ``consumer_name`` of one that is registered
    if it does not exist.
    """

    consumer_name: str = ""
    """A consumer that is registered if it does not exist."""
    consumer_arn: str = ""
    """A consumer that exists."""


class Kinesis(Source, frozen=True, tag="kinesis"):
    """Reads the stream named by ``stream`` (its name) or ``stream_arn``.

    ``region`` and ``endpoint_url`` may be left to the AWS configuration; credentials always are.
    ``start`` is where a job without state begins: ``earliest``, or ``latest``, the present time in
    whole seconds; or ``start_at``, a time. Shards that a later split or merge creates start at
    their first record. Shards are polled, at most five times a second each; with ``fan_out``
    Kinesis pushes their records.

    At the start a service that does not respond is retried for ``give_up_after``; a missing stream
    and a missing permission end the program immediately. In later outages the service keeps
    retrying. ``arrival_ms``
    is Kinesis' own arrival time. Records of the Kinesis Producer Library are deaggregated, each
    with its own partition key; a batch may exceed the requested number of records by those of one
    aggregated record.

    >>> start_at = datetime.fromisoformat("2026-11-25T10:00:00Z")
    >>> for fault in Kinesis(start="latest", start_at=start_at).check():
    ...     print(fault)
    stream: either stream or stream_arn is required
    start_at: contradicts `start: latest`; remove one of them
    """

    record_fields: ClassVar = frozenset({"topic", "key"})

    stream: str = ""
    """The name of the stream; this or ``stream_arn`` is required."""
    stream_arn: str = ""
    """The ARN of the stream."""
    region: str = ""
    """The AWS region; empty: that of the ARN or of the AWS configuration."""
    endpoint_url: str = ""
    """The address of an emulator; empty: AWS."""
    start: Literal["earliest", "latest"] = "earliest"
    """Where a job without a state starts."""
    start_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    """The time from which on a job without a state reads, instead of ``start``."""
    fan_out: FanOut | None = None
    """Enhanced fan-out, which has read throughput of its own and costs extra. Without it
    the shards are polled.
    """
    give_up_after: Duration = "30s"
    """How long the start waits for Kinesis; in later outages the service keeps retrying."""

    @property
    def give_up_after_s(self) -> float:
        """The duration ``give_up_after`` in seconds."""
        return duration_ms(self.give_up_after) / 1000

    @property
    def identity(self) -> str:
        """The stream's name, whether it is named by ``stream`` or by ``stream_arn``."""
        return f"kinesis {self.stream or self.stream_arn.rpartition('/')[2]}"

    def check(self) -> list[Fault]:
        """Check names, region, start and address."""
        faults = self._naming_faults()
        if self.start_at is not None and self.start == "latest":
            faults.append(Fault("start_at", "contradicts `start: latest`; remove one of them"))
        if self.fan_out is not None and bool(self.fan_out.consumer_name) == bool(
            self.fan_out.consumer_arn
        ):
            faults.append(Fault("fan_out", "either consumer_name or consumer_arn is required"))
        return faults + url_faults(self.endpoint_url)

    def _naming_faults(self) -> list[Fault]:
        faults = []
        arn = re.fullmatch(ARN, self.stream_arn)
        if bool(self.stream) == bool(self.stream_arn):
            either = "either stream or stream_arn is required"
            faults.append(Fault("stream", f"{either}, not both" if self.stream else either))
        if self.stream and not re.fullmatch(NAME, self.stream):
            allowed = "letters, digits, dots, dashes and underscores"
            message = f"{self.stream!r} is not the name of a stream: {allowed} are allowed"
            faults.append(Fault("stream", message))
        if self.stream_arn and not arn:
            message = f"{self.stream_arn!r} is not the ARN of a Kinesis stream"
            faults.append(Fault("stream_arn", message))
        if arn and self.region not in ("", arn[1]):
            faults.append(Fault("region", f"the stream is in {arn[1]}, not in {self.region}"))
        return faults

    def client(self, threads: int) -> KinesisClient:
        """Return a client for the stream that ``threads`` threads share.

        Without ``region`` that of ``stream_arn`` is used. Raises ``SourceUnavailable``.
        """
        arguments = (
            {"StreamARN": self.stream_arn} if self.stream_arn else {"StreamName": self.stream}
        )
        target = StreamTarget(arguments, f"kinesis stream {self.stream or self.stream_arn!r}")
        arn = re.fullmatch(ARN, self.stream_arn)
        region = self.region or (arn[1] if arn else "")
        return KinesisClient(target, region, self.endpoint_url, threads)

    def open(self, job: str) -> Reading:
        """Look up the stream, its shards and the consumer.

        Raises ``SourceUnavailable`` with the causes.
        """
        client = self.client(THREADS)
        try:
            summary = self._retried(client, client.summary)
            start = "at" if self.start_at else self.start
            shards = ShardList(client, start, self._start_ms(client))
            self._retried(client, shards.refresh)
            consumer_arn = self._consumer_arn(client, summary.arn)
        except BaseException:
            client.close()
            raise
        shared = SharedClient(client, shards, summary.name, summary.retention_ms)
        return KinesisReading(shared, consumer_arn)

    def _retried(self, client: KinesisClient, call: Callable[[], Response]) -> Response:
        return call_with_retries(client.target, self.give_up_after_s, call)

    def _start_ms(self, client: KinesisClient) -> int:
        if self.start_at is not None:
            return int(self.start_at.timestamp() * 1000)
        return self._retried(client, client.now_ms) if self.start == "latest" else 0

    def _consumer_arn(self, client: KinesisClient, stream_arn: str) -> str:
        """Return the ARN of the consumer of enhanced fan-out; empty without it."""
        fan_out = self.fan_out
        if fan_out is None:
            return ""
        return self._retried(
            client,
            lambda: active_consumer(
                client, stream_arn, fan_out.consumer_name, fan_out.consumer_arn
            ),
        )
