"""A minimal job that reads all shards of a stream; children are read after their parents."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from stream.events import Assign, DiscoveredPartition, Gap, Position, RawBatch
from stream.sources.base import Reading
from stream.sources.kinesis.reading import KinesisReading
from stream.sources.kinesis.source import Kinesis
from tests.servers.kinesis import REGION


@contextmanager
def opening(**defaults: Any) -> Iterator[Callable[..., KinesisReading]]:
    """Open streams with these fields unless a call overrides them; close them at the end."""
    opened: list[KinesisReading] = []

    def open_stream(stream: str, **fields: Any) -> KinesisReading:
        reading = Kinesis(**{"stream": stream, "region": REGION, **defaults, **fields}).open("job")
        assert isinstance(reading, KinesisReading)
        opened.append(reading)
        return reading

    yield open_stream
    for reading in opened:
        reading.close()


class Follower:
    """Reads a stream across splits and merges, and keeps its records by shard, in order."""

    def __init__(
        self,
        reading: Reading,
        positions: dict[str, Position] | None = None,
        ended: set[str] | None = None,
    ) -> None:
        self.reading = reading
        self.positions: dict[str, Position] = dict(positions or {})
        self.ended: set[str] = set(ended or ())
        self.known: dict[str, DiscoveredPartition] = {}
        self.values: dict[str, list[bytes | None]] = {}
        self.sequences: dict[str, list[Position]] = {}
        self.gaps: list[Gap] = []
        self.batches: list[RawBatch] = []
        live = {name: at for name, at in self.positions.items() if name not in self.ended}
        if live:
            self.gaps += reading.assign(
                [
                    Assign(claim=1, partition=name, next=at, mark_ms=None)
                    for name, at in live.items()
                ]
            )
        self._assigned = set(self.positions)
        self.discover()

    @property
    def count(self) -> int:
        return sum(len(values) for values in self.values.values())

    @property
    def all(self) -> list[bytes | None]:
        return sorted((value for values in self.values.values() for value in values), key=repr)

    def discover(self) -> None:
        for shard in self.reading.discover():
            self.known.setdefault(shard.partition, shard)
        self._assign()

    def poll(self, max_records: int = 1000) -> list[RawBatch | Gap]:
        polled = self.reading.poll(0.2, max_records)
        for result in polled:
            if isinstance(result, Gap):
                self.gaps.append(result)
            else:
                self._take(result)
        self._assign()
        return polled

    def until(
        self, done: Callable[[], bool], timeout_s: float = 120.0, max_records: int = 1000
    ) -> None:
        deadline = time.monotonic() + timeout_s
        while not done():
            assert time.monotonic() < deadline, (self.count, self.positions, self.ended, self.gaps)
            self.poll(max_records)

    def read(self, count: int, max_records: int = 1000) -> None:
        """Read ``count`` records in all, then continue until every shard has reported its end."""
        self.until(lambda: self.count >= count or bool(self.gaps), max_records=max_records)
        quiet: set[str] = set()
        deadline = time.monotonic() + 120.0
        while not self._assigned <= quiet | self.ended:
            assert time.monotonic() < deadline, (self._assigned, quiet, self.ended)
            batches = [result for result in self.poll() if isinstance(result, RawBatch)]
            quiet |= {batch.partition for batch in batches if batch.at_end}

    def _take(self, batch: RawBatch) -> None:
        assert batch.first == self.positions[batch.partition]
        self.positions[batch.partition] = batch.next
        self.values.setdefault(batch.partition, []).extend(batch.values)
        self.sequences.setdefault(batch.partition, []).extend(batch.positions)
        self.batches.append(batch)
        if batch.ended:
            self.ended.add(batch.partition)
            for child in batch.children:
                self.known[child.partition] = child

    def _assign(self) -> None:
        ready = [
            shard
            for name, shard in self.known.items()
            if name not in self._assigned and set(shard.parents) <= self.ended
        ]
        for shard in ready:
            self.positions[shard.partition] = shard.start
            self._assigned.add(shard.partition)
        if ready:
            self.gaps += self.reading.assign(
                [
                    Assign(claim=1, partition=shard.partition, next=shard.start, mark_ms=None)
                    for shard in ready
                ]
            )
