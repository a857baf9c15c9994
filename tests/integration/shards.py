"""What a job does with the shards of a stream, in its plainest form: a shard is assigned when all
its parents are read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from stream.events import Assign, DiscoveredPartition, Gap, Position, RawBatch
from stream.sources.base import Reading
from stream.sources.kinesis.source import Kinesis, KinesisReading
from tests.servers.kinesis import REGION


@contextmanager
def opening(**usual: Any) -> Iterator[Callable[..., KinesisReading]]:
    """Opens streams with these fields and others; all readings are closed at the end."""
    opened: list[KinesisReading] = []

    def open_one(stream: str, **fields: Any) -> KinesisReading:
        reading = Kinesis(**{"stream": stream, "region": REGION, **usual, **fields}).open("job")
        assert isinstance(reading, KinesisReading)
        opened.append(reading)
        return reading

    yield open_one
    for reading in opened:
        reading.close()


class Follower:
    """Reads a stream through its splits and merges and keeps what came, by shard and in order.

    ``ends`` tells for each ended shard how many records had come in all by then, ``begins`` the
    same for each shard that was assigned.
    """

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
        live = {name: place for name, place in self.positions.items() if name not in self.ended}
        if live:
            self.gaps += reading.assign(
                [Assign(1, name, place, None) for name, place in live.items()]
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
        for one in self.reading.discover():
            self.known.setdefault(one.partition, one)
        self._assign()

    def poll(self, max_records: int = 1000) -> list[RawBatch | Gap]:
        polled = self.reading.poll(0.2, max_records)
        for one in polled:
            if isinstance(one, Gap):
                self.gaps.append(one)
            else:
                self._take(one)
        self._assign()
        return polled

    def until(
        self, done: Callable[[], bool], timeout_s: float = 40.0, max_records: int = 1000
    ) -> None:
        deadline = time.monotonic() + timeout_s
        while not done():
            assert time.monotonic() < deadline, (self.count, self.positions, self.ended, self.gaps)
            self.poll(max_records)

    def read(self, count: int, max_records: int = 1000) -> None:
        """Read until ``count`` records came in all, and then on until every shard says that it is
        at its end or ended."""
        self.until(lambda: self.count >= count or bool(self.gaps), max_records=max_records)
        quiet: set[str] = set()
        deadline = time.monotonic() + 20.0
        while not self._assigned <= quiet | self.ended:
            assert time.monotonic() < deadline, (self._assigned, quiet, self.ended)
            quiet |= {
                one.partition for one in self.poll() if isinstance(one, RawBatch) and one.at_end
            }

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
            one
            for name, one in self.known.items()
            if name not in self._assigned and set(one.parents) <= self.ended
        ]
        for one in ready:
            self.positions[one.partition] = one.start
            self._assigned.add(one.partition)
        if ready:
            self.gaps += self.reading.assign(
                [Assign(1, one.partition, one.start, None) for one in ready]
            )
