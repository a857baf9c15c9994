"""Polling: a shard is asked for its next records again and again."""

from __future__ import annotations

import time
from typing import Final

from stream.events import Position
from stream.sources.kinesis.client import KinesisError, answered_ms
from stream.sources.kinesis.shard_reader import (
    MOST_PACKS,
    SHORTEST_S,
    WORST_S,
    ShardReader,
    ShardRecords,
    SharedClient,
)

LONGEST_S: Final = 1.0
"""Pause between two reads of a shard in which nothing comes."""


class PolledShardReader(ShardReader):
    """Reads its shard with GetRecords: at most five times a second, more seldom while nothing
    comes; not before ``due_s``.
    """

    def __init__(
        self, common: SharedClient, partition: str, place: Position, due_s: float = 0.0
    ) -> None:
        super().__init__(common, partition, place)
        self._iterator: str | None = None
        self._busy, self._due_s, self._pause_s = False, due_s, SHORTEST_S

    def due_s(self) -> float | None:
        return None if self._busy or self.over or self.full else self._due_s

    def rests_until_s(self) -> float:
        with self.common.wake:
            return time.monotonic() + SHORTEST_S if self._busy else self._due_s

    def begin(self) -> None:
        self._busy = True

    def step(self) -> None:
        pause_s = WORST_S
        try:
            pause_s = self._fetch()
        except KinesisError as failure:
            pause_s = self.after(failure)
        except Exception as error:  # noqa: BLE001  # raised again where the batches are taken
            self.fail(error)
        finally:
            with self.common.wake:
                self._busy, self._due_s = False, time.monotonic() + pause_s
                self.common.wake.notify_all()

    def renew(self) -> None:
        self._iterator = None

    def _fetch(self) -> float:
        client = self.common.client
        if self._iterator is None:
            where = self.position("ShardIteratorType", "StartingSequenceNumber", "Timestamp")
            asked = {**client.target.names, "ShardId": self.partition, **where}
            self._iterator = str(
                client.call("get_shard_iterator", ("ShardIterator",), **asked)["ShardIterator"]
            )
        told = client.call(
            "get_records",
            ("Records", "MillisBehindLatest"),
            ShardIterator=self._iterator,
            Limit=MOST_PACKS,
        )
        came, following = self.records("GetRecords", told), told.get("NextShardIterator")
        if following is None and not self.has_ended(told):
            text = "the answer to GetRecords names nothing to go on from, and the shard is open"
            raise KinesisError("GetRecords", "Incomplete", "transient", text)
        children = self.children(told) if following is None else ()
        self._iterator = following
        self.accept(
            ShardRecords(
                came,
                int(told["MillisBehindLatest"]),
                following is None,
                children,
                answered_ms(told),
            )
        )
        idle = not came and not told["MillisBehindLatest"]
        self._pause_s = min(self._pause_s * 1.5, LONGEST_S) if idle else SHORTEST_S
        return self._pause_s
