"""Reads one shard: buffers fetched records, verifies its position, and detects gaps."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec
import structlog

from stream.events import DiscoveredPartition, Gap, Position, RawBatch
from stream.sources.kinesis.client import (
    HOUR_MS,
    KinesisClient,
    KinesisError,
    incomplete,
    unavailable,
)
from stream.sources.kinesis.records import StoredRecord, raw_batch, stored_records
from stream.sources.kinesis.shards import ENDED, OLDEST, ShardList

log = structlog.get_logger("driftline.kinesis")

MAX_RECORDS: Final = 2_000
"""The number of records that one read requests, and that may be buffered before it pauses."""
MAX_BYTES: Final = 8_000_000
"""The memory that may be buffered before fetching pauses; the last read adds at most 10 MB."""
MIN_PAUSE_S: Final = 0.21
"""The pause between two reads of a shard.

Kinesis allows five reads per second of a shard, for all polling consumers together.
"""
MAX_BACKOFF_S: Final = 5.0
"""The longest pause after repeated failures."""
MIN_RETENTION_MS: Final = 23 * HOUR_MS
"""The shortest retention of a stream is a day; an hour of it is left for wrong clocks."""
REREAD_MS: Final = 600_000
"""The time before the last known end of a shard from which it is read again.

Arrival times are not exact.
"""
NEAR_RETENTION: Final = 0.9
"""The share of the retention by which a shard may lag before that is logged."""
ABSENT_AFTER: Final = 2
"""The number of reads to the end of a shard without the last record, until it counts as lost."""


class ShardRecords(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one read.

    ``lag_ms``: the lag of the read behind the newest record. ``ended`` and ``children``: as in
    :class:`~stream.events.RawBatch`. ``as_of_ms``: a time, by the clock of Kinesis, at or before
    the response.
    """

    records: list[StoredRecord]
    lag_ms: int
    ended: bool = False
    children: tuple[DiscoveredPartition, ...] = ()
    as_of_ms: int | None = None


class Loss(NamedTuple):
    """The reason why the log lacks a position, and the position at which reading resumes."""

    resume: Position
    reason: str


LOST_SHARD: Final = Loss(ENDED, "the stream does not have this shard any more (retention)")
UNKNOWN_POSITION: Final = Loss(
    OLDEST, "the stream does not know this position (retention, or the stream was recreated)"
)
LOST_RECORD: Final = Loss(
    OLDEST,
    "the log does not have the record that was read last (retention, or the stream was recreated)",
)


class SharedClient:
    """The client and the state that the shard readers of a stream share.

    ``changed`` guards the buffers of the readers and is notified when one of them has changed.
    ``retention_ms`` is how long the stream keeps records.
    """

    def __init__(
        self, client: KinesisClient, shards: ShardList, origin: str, retention_ms: int
    ) -> None:
        self.client = client
        self.shards = shards
        self.origin = origin
        self.retention_ms = retention_ms
        self.changed = threading.Condition()


class ShardReader:
    """Reads one shard from one position on.

    Fetching threads call :meth:`accept`; the thread of the reading calls :meth:`take`.

    A position names the record that was read last. Reading resumes *at* that record, not after it:
    if it is not returned again, the log has lost it and an unknown number of others. In a shard
    without new records for longer than the retention, that record may have expired although nothing
    is lost. There, reading resumes from a time shortly before the reader was last at the end of the
    shard.
    """

    fresh_s = 3.0
    """The time for which a response without records proves that the shard is at its end."""

    def __init__(self, shared: SharedClient, partition: str, position: Position) -> None:
        self.shared = shared
        self.partition = partition
        self.lag_ms: int | None = None
        self.closed = False
        self._position = position
        self._last = _sequence_of(position)
        self._last_ms: int | None = None
        self._proven = self._last is None
        self._reads_without_last = 0
        self._buffer: deque[StoredRecord] = deque()
        self._buffer_bytes = 0
        self._at_end_s = -self.fresh_s
        self._end_ms: int | None = None
        self._near_retention = self._last is None
        self._ended = position == ENDED
        self._children: tuple[DiscoveredPartition, ...] = ()
        self._loss: Loss | None = None
        self._error: Exception | None = None
        self._failures = 0

    @property
    def stopped(self) -> bool:
        """True if nothing more is to be fetched."""
        return self.closed or self._ended or self._loss is not None or self._error is not None

    @property
    def settled(self) -> bool:
        """True once it is known whether the log has the position."""
        return self._proven or self.stopped

    @property
    def full(self) -> bool:
        """True while fetching pauses until records are taken."""
        return len(self._buffer) >= MAX_RECORDS or self._buffer_bytes >= MAX_BYTES

    @property
    def ready(self) -> bool:
        """True if :meth:`take` has records, a gap, an error or the end of the shard to return."""
        return bool(self._buffer) or (self.stopped and not self.closed)

    def start(self) -> None:
        """Start fetching, if the reader has a thread of its own."""

    def due_s(self) -> float | None:
        """Return when :meth:`fetch` should be called next; None while that is unknown."""
        return None

    def next_read_s(self) -> float:
        """Return the time before which no reader should read the shard again."""
        return 0.0

    def reserve(self) -> None:
        """Note that a thread will call :meth:`fetch`: until then none is due."""

    def fetch(self) -> None:
        """Read once; called in a thread of the pool."""

    def close(self) -> None:
        """Stop fetching and returning records."""
        with self.shared.changed:
            self.closed = True
            self.shared.changed.notify_all()

    def take(self, max_records: int, at_least_one: bool) -> RawBatch | Gap | None:
        """Return a batch of whole stored records with at most ``max_records`` user records in them.

        With ``at_least_one``, the first stored record is always taken. Without records: a gap, an
        empty batch that reports the end, or ``None``. Raises the error of a failed fetch.
        """
        with self.shared.changed:
            if self._error is not None:
                raise self._error
            taken: list[StoredRecord] = []
            count = 0
            while self._buffer:
                following = count + len(self._buffer[0].values)
                if following > max_records and (taken or not at_least_one):
                    break
                taken.append(self._buffer.popleft())
                count = following
            self._buffer_bytes -= sum(record.memory_bytes for record in taken)
            self.shared.changed.notify_all()
            return (None if taken else self.gap()) or self._batch(taken)

    def gap(self) -> Gap | None:
        """Return the gap at the position, once all records before it are taken."""
        with self.shared.changed:
            if self._loss is None or self._buffer:
                return None
            return Gap(
                partition=self.partition,
                expected=self._position,
                resume=self._loss.resume,
                lost=None,
                reason=self._loss.reason,
            )

    def accept(self, fetched: ShardRecords) -> None:
        """Buffer what was fetched, and check whether the log still has the position."""
        with self.shared.changed:
            self.lag_ms = fetched.lag_ms
            if self._prove(fetched):
                self._keep(fetched)
            self.shared.changed.notify_all()
        self._failures = 0
        self._log_lag(fetched.lag_ms)
        self.shared.client.report_success()

    def start_position(self, kind: str, sequence: str, timestamp: str) -> dict[str, Any]:
        """Return where fetching begins, under the argument names of the operation.

        If it begins at a sequence number, the first record must be the one that was read last.
        """
        since_ms = self._resume_ms()
        if since_ms is not None:
            self._proven = True
        elif self._last is not None:
            self._proven = False
            self._reads_without_last = 0
            return {kind: "AT_SEQUENCE_NUMBER", sequence: self._last}
        elif isinstance(self._position, tuple) and self._position[0] == "AT_TIMESTAMP":
            since_ms = self._position[1]
        if since_ms is None:
            return {kind: "TRIM_HORIZON"}
        return {kind: "AT_TIMESTAMP", timestamp: datetime.fromtimestamp(since_ms / 1000, UTC)}

    def restart(self) -> None:
        """Discard the iterator or continuation: fetching restarts at the position."""

    def backoff_s(self, failure: KinesisError) -> float:
        """Handle a failed read; return how many seconds to wait before the next one."""
        self._failures += 1
        if failure.kind == "denied":
            self.fail(unavailable(self.shared.client.target, failure))
            return 0.0
        self.shared.client.report_failure(failure)
        if failure.kind in ("missing", "invalid") and failure.operation != "GetRecords":
            self.position_refused()
        if failure.kind != "throttled" and (failure.kind != "transient" or self._failures > 1):
            self.restart()
        if failure.kind == "expired":
            return MIN_PAUSE_S
        return float(min(MIN_PAUSE_S * 2 ** min(self._failures, 10), MAX_BACKOFF_S))

    def position_refused(self) -> None:
        """Find the reason why Kinesis refused the position.

        It is a gap if the stream lacks the shard or does not have the position, but not if the
        whole stream does not respond.
        """
        try:
            listed = self.shared.shards.refresh()
        except KinesisError as failure:
            self.shared.client.report_failure(failure)
            return
        with self.shared.changed:
            if listed and self.partition not in listed:
                self._loss = LOST_SHARD
            elif self.partition in listed and not self._proven:
                self._loss = UNKNOWN_POSITION
            self.shared.changed.notify_all()

    def fail(self, error: Exception) -> None:
        """Make the next :meth:`take` raise ``error``."""
        with self.shared.changed:
            self._error = error
            self.shared.changed.notify_all()

    def records(self, operation: str, response: Mapping[str, Any]) -> list[StoredRecord]:
        """Return the records of a response; raises :class:`KinesisError` if one is incomplete."""
        try:
            return stored_records(response["Records"])
        except KeyError as missing:
            raise incomplete(operation, f"a record in the response lacks {missing}") from missing

    def has_ended(self, response: Mapping[str, Any]) -> bool:
        """Return whether a response without a continuation is the last one of the shard.

        It is the last one if it names children, or if the stream lists the shard as closed. Raises
        :class:`KinesisError`.
        """
        return bool(response.get("ChildShards")) or self.shared.shards.closed(self.partition)

    def children(self, response: Mapping[str, Any]) -> tuple[DiscoveredPartition, ...]:
        """Return the shards that continue this one, from its last response or else the listing."""
        if named := response.get("ChildShards"):
            return tuple(
                DiscoveredPartition(
                    partition=str(child["ShardId"]),
                    start=OLDEST,
                    parents=tuple(child["ParentShards"]),
                )
                for child in named
            )
        return self.shared.shards.children(self.partition)

    def _keep(self, fetched: ShardRecords) -> None:
        """Buffer the records after the one that was read last."""
        last = -1 if self._last is None else int(self._last)
        new = [record for record in fetched.records if int(record.sequence) > last]
        self._buffer.extend(new)
        self._buffer_bytes += sum(record.memory_bytes for record in new)
        if new:
            self._last = new[-1].sequence
            self._last_ms = new[-1].arrival_ms
        if fetched.lag_ms == 0 and fetched.as_of_ms is not None:
            self._end_ms = fetched.as_of_ms
        self._ended = fetched.ended
        self._children = fetched.children
        at_end = fetched.lag_ms == 0 and not new
        self._at_end_s = time.monotonic() if at_end else -self.fresh_s

    def _prove(self, fetched: ShardRecords) -> bool:
        """Return whether the record read last was returned again; note a gap if it is lost."""
        if self._proven:
            return True
        if fetched.records:
            first = int(fetched.records[0].sequence)
            self._proven = self._last is not None and first == int(self._last)
            self._reads_without_last = 0 if self._proven else ABSENT_AFTER
        elif fetched.ended:
            self._reads_without_last = ABSENT_AFTER
        elif fetched.lag_ms == 0:
            self._reads_without_last += 1
        if self._reads_without_last >= ABSENT_AFTER:
            self._loss = LOST_RECORD
        return self._proven

    def _batch(self, taken: list[StoredRecord]) -> RawBatch | None:
        ended = self._ended and not self._buffer
        fresh = time.monotonic() - self._at_end_s < self.fresh_s
        at_end = self._proven and fresh and not taken and not self._buffer
        if not (taken or ended or at_end):
            return None
        batch = raw_batch(
            self.partition,
            self.shared.origin,
            self._position,
            taken,
            at_end=at_end,
            ended=ended,
            children=self._children if ended else (),
        )
        self._position = batch.next
        return batch

    def _resume_ms(self) -> int | None:
        """Return a time up to which all was read and after which nothing can have expired.

        ``None`` if the last record is still available.
        """
        now_ms = time.time() * 1000
        if self._last is None or self._end_ms is None or now_ms - self._end_ms > MIN_RETENTION_MS:
            return None
        is_old = self._last_ms is None or now_ms - self._last_ms > MIN_RETENTION_MS
        return self._end_ms - REREAD_MS if is_old else None

    def _log_lag(self, lag_ms: int) -> None:
        """Log a warning when the lag of the reader approaches the retention.

        A reader that starts at the oldest record lags by the retention; that is not logged.
        """
        near = lag_ms > self.shared.retention_ms * NEAR_RETENTION
        if near and not self._near_retention:
            log.warning(
                "shard_near_retention",
                source=self.shared.client.target.label,
                shard=self.partition,
                lag_hours=round(lag_ms / HOUR_MS, 1),
            )
        self._near_retention = near


def _sequence_of(position: Position) -> str | None:
    """Return the sequence number that a position names; None where reading begins without one."""
    name = str(position[0]) if isinstance(position, tuple) else ""
    return name if name.isdigit() else None
