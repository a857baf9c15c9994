"""Reads a shard by polling with GetRecords."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from stream.events import Position
from stream.sources.kinesis.client import KinesisError, incomplete, response_time_ms
from stream.sources.kinesis.shard_reader import (
    MAX_BACKOFF_S,
    MAX_RECORDS,
    MIN_PAUSE_S,
    ShardReader,
    ShardRecords,
    SharedClient,
)

IDLE_PAUSE_S: Final = 1.0
"""The longest pause between two reads of a shard that has no new records."""
IDLE_FACTOR: Final = 1.5
"""The factor by which the pause grows with each read without records."""


class PolledShardReader(ShardReader):
    """Reads its shard at most five times a second, and less often while there is nothing new.

    The first read is not before ``due_s`` (monotonic).
    """

    def __init__(
        self, shared: SharedClient, partition: str, position: Position, due_s: float = 0.0
    ) -> None:
        super().__init__(shared, partition, position)
        self._iterator: str | None = None
        self._reserved = False
        self._due_s = due_s
        self._pause_s = MIN_PAUSE_S

    def due_s(self) -> float | None:
        return None if self._reserved or self.stopped or self.full else self._due_s

    def next_read_s(self) -> float:
        with self.shared.changed:
            return time.monotonic() + MIN_PAUSE_S if self._reserved else self._due_s

    def reserve(self) -> None:
        self._reserved = True

    def fetch(self) -> None:
        pause_s = MAX_BACKOFF_S
        try:
            pause_s = self._read()
        except KinesisError as failure:
            pause_s = self.backoff_s(failure)
        except Exception as error:  # noqa: BLE001  # take() raises it again
            self.fail(error)
        finally:
            with self.shared.changed:
                self._reserved = False
                self._due_s = time.monotonic() + pause_s
                self.shared.changed.notify_all()

    def restart(self) -> None:
        self._iterator = None

    def _read(self) -> float:
        """Read once from the iterator; return how many seconds to wait before the next read."""
        if self._iterator is None:
            self._iterator = self._new_iterator()
        response = self.shared.client.call(
            "get_records",
            ("Records", "MillisBehindLatest"),
            ShardIterator=self._iterator,
            Limit=MAX_RECORDS,
        )
        fetched = self._fetched(response)
        self._iterator = response.get("NextShardIterator")
        self.accept(fetched)
        idle = not fetched.records and fetched.lag_ms == 0
        self._pause_s = min(self._pause_s * IDLE_FACTOR, IDLE_PAUSE_S) if idle else MIN_PAUSE_S
        return self._pause_s

    def _new_iterator(self) -> str:
        client = self.shared.client
        start = self.start_position("ShardIteratorType", "StartingSequenceNumber", "Timestamp")
        response = client.call(
            "get_shard_iterator",
            ("ShardIterator",),
            ShardId=self.partition,
            **client.target.arguments,
            **start,
        )
        return str(response["ShardIterator"])

    def _fetched(self, response: Mapping[str, Any]) -> ShardRecords:
        records = self.records("GetRecords", response)
        ended = response.get("NextShardIterator") is None
        if ended and not self.has_ended(response):
            raise incomplete("GetRecords", "the response has no next iterator, the shard is open")
        return ShardRecords(
            records=records,
            lag_ms=int(response["MillisBehindLatest"]),
            ended=ended,
            children=self.children(response) if ended else (),
            as_of_ms=response_time_ms(response),
        )
