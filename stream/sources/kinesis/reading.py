"""Reads all shards of a stream through splits and merges."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from stream.events import Assign, DiscoveredPartition, Gap, Position, RawBatch
from stream.sources.base import Reading
from stream.sources.kinesis.client import KinesisError
from stream.sources.kinesis.fan_out import SubscribedShardReader
from stream.sources.kinesis.polling import PolledShardReader
from stream.sources.kinesis.shard_reader import ShardReader, SharedClient
from stream.sources.kinesis.shards import ENDED

THREADS: Final = 8
"""The number of shards that are polled at the same time."""
LIST_S: Final = 5.0
"""The time between two listings of the shards."""
SETTLE_S: Final = 2.0
"""The longest time that an assignment waits for gaps at its positions."""


class KinesisReading(Reading):
    """Reads a stream with one reader for each shard.

    See :class:`stream.sources.base.Reading` for the contract. ``consumer_arn`` is the consumer of
    enhanced fan-out, empty for polling.
    """

    finished = False

    def __init__(self, shared: SharedClient, consumer_arn: str) -> None:
        self._shared = shared
        self._consumer_arn = consumer_arn
        self.client = shared.client
        self._readers: dict[str, ShardReader] = {}
        self._next_read_s: dict[str, float] = {}
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="kinesis")
        self._listing: Future[None] | None = None
        self._turn = 0

    def discover(self) -> list[DiscoveredPartition]:
        """Return the shards of the latest listing, which is renewed in the background."""
        stale = time.monotonic() - self._shared.shards.asked_s > LIST_S
        if stale and (self._listing is None or self._listing.done()):
            self._listing = self._pool.submit(self._list)
        return self._shared.shards.discovered()

    def assign(self, assigns: list[Assign]) -> list[Gap]:
        """Read the shards from their positions on.

        A gap that is not detected within two seconds is returned by a later poll.
        """
        self._shared.shards.mark_assigned([assign.partition for assign in assigns])
        opened = [self._open(assign.partition, assign.next) for assign in assigns]
        self._fetch_until(lambda: all(reader.settled for reader in opened), SETTLE_S)
        gaps: list[Gap] = []
        for reader in opened:
            gap = reader.gap()
            if gap is not None:
                gaps.append(gap)
                self._close(reader.partition)
        return gaps

    def assigned_elsewhere(self, partitions: Collection[str]) -> None:
        """Note that shards discovered later are children of these, or new: all start at their
        first record.
        """
        self._shared.shards.mark_assigned(partitions)

    def expired(self, ended: Collection[str]) -> list[str]:
        """Return the closed shards that Kinesis no longer lists, since all records have expired."""
        return self._shared.shards.expired(ended)

    def poll(self, timeout_s: float, max_records: int) -> list[RawBatch | Gap]:
        """Return fetched records; the shards take turns in being first, so that none starves.

        A gap and the end of a shard are returned once; the shard is then closed.
        """
        self._fetch_until(lambda: any(reader.ready for reader in self._readers.values()), timeout_s)
        self._turn += 1
        names = sorted(self._readers)
        turn = self._turn % max(len(names), 1)
        results: list[RawBatch | Gap] = []
        count = 0
        for name in names[turn:] + names[:turn]:
            result = self._readers[name].take(max_records - count, at_least_one=count == 0)
            if result is None:
                continue
            results.append(result)
            if isinstance(result, RawBatch):
                count += len(result.values)
            if isinstance(result, Gap) or result.ended:
                self._close(name)
        return results

    def lag(self, positions: Mapping[str, Position]) -> dict[str, int]:
        """Return how many milliseconds each shard lags behind its newest record.

        As of the latest responses; shards without a response are left out.
        """
        lags = {name: self._readers[name].lag_ms for name in positions if name in self._readers}
        return {name: lag_ms for name, lag_ms in lags.items() if lag_ms is not None}

    def publish_positions(self, positions: Mapping[str, Position]) -> None:
        """Do nothing: Kinesis keeps no positions of its readers."""

    def close(self) -> None:
        """Close the shard readers, threads and connections; safe to call twice."""
        for reader in self._readers.values():
            reader.close()
        self._readers = {}
        self._pool.shutdown(wait=False, cancel_futures=True)
        self.client.close()

    def _list(self) -> None:
        try:
            self._shared.shards.refresh()
        except KinesisError as failure:
            self.client.report_failure(failure)

    def _open(self, partition: str, position: Position) -> ShardReader:
        """Open a reader, after closing a previous one of the shard, and keep its pause."""
        if partition in self._readers:
            self._close(partition)
        reader: ShardReader
        if self._consumer_arn and position != ENDED:
            reader = SubscribedShardReader(self._shared, partition, position, self._consumer_arn)
        else:
            due_s = self._next_read_s.pop(partition, 0.0)
            reader = PolledShardReader(self._shared, partition, position, due_s)
        reader.start()
        self._readers[partition] = reader
        return reader

    def _close(self, partition: str) -> None:
        """Close a reader, and remember when its shard may be read again."""
        reader = self._readers.pop(partition)
        now_s = time.monotonic()
        reader.close()
        self._next_read_s = {
            name: next_s for name, next_s in self._next_read_s.items() if next_s > now_s
        }
        self._next_read_s[partition] = reader.next_read_s()

    def _fetch_until(self, done: Callable[[], bool], timeout_s: float) -> None:
        """Start the fetches that are due until ``done``, at most for ``timeout_s``."""
        deadline_s = time.monotonic() + timeout_s
        changed = self._shared.changed
        with changed:
            while True:
                now_s = time.monotonic()
                next_s = self._start_due(now_s)
                if done() or now_s >= deadline_s:
                    return
                changed.wait(min(next_s, deadline_s) - now_s)

    def _start_due(self, now_s: float) -> float:
        """Start the fetches that are due; return when the next one will be."""
        next_s = float("inf")
        for reader in self._readers.values():
            due_s = reader.due_s()
            if due_s is None:
                continue
            if due_s <= now_s:
                reader.reserve()
                self._pool.submit(reader.fetch)
            else:
                next_s = min(next_s, due_s)
        return next_s
