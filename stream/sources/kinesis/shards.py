"""The shards of a stream: which there are, which of them is whose parent, and where a job without
state begins.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple

from stream.events import DiscoveredPartition, Position
from stream.sources.kinesis.client import KinesisClient, KinesisError

OLDEST: Final[Position] = ("TRIM_HORIZON", 0)
ENDED: Final[Position] = ("ENDED", 0)
GONE_S: Final = 3600.0
"""How long listings must lack a shard before it is gone."""


class Shard(NamedTuple):
    """One shard; ``parents`` are those that the stream still lists."""

    name: str
    parents: tuple[str, ...]
    open: bool


class ShardList:
    """The last listing of a stream. Threads may share it.

    With ``start: latest`` or ``start_at`` a job without state begins with the shards that cover
    this time. Later it is shown what it has been assigned and what came of it, but not the shards
    from which these came.
    """

    def __init__(
        self, client: KinesisClient, start: Literal["earliest", "latest", "at"], start_ms: int
    ) -> None:
        self._client, self._start, self._start_ms = client, start, start_ms
        self._lock = threading.Lock()
        self._assigned: set[str] = set()
        self.latest: dict[str, Shard] = {}
        self.asked_s = 0.0
        self._missing: dict[str, float] = {}

    def refresh(self) -> dict[str, Shard]:
        """Ask for all shards. Raises :class:`KinesisError`."""
        asked_s = time.monotonic()
        if self._start == "at" and not self._assigned:
            found = self._covering()
        else:
            found = self._ask({})
        with self._lock:
            if asked_s > self.asked_s:
                self.asked_s, self.latest = asked_s, found
        return found

    def assigned(self, partitions: Collection[str]) -> None:
        """Remember what is read: from now on only these, what came of them, and what nobody knows
        are discovered.
        """
        with self._lock:
            self._assigned.update(partitions)

    def discovered(self) -> list[DiscoveredPartition]:
        """The shards to read, each with its start and its parents among them."""
        with self._lock:
            shards, assigned = self.latest, set(self._assigned)
        start: Position = OLDEST
        if self._start != "earliest" and not assigned:
            start = ("AT_TIMESTAMP", self._start_ms)
            if self._start == "latest":
                shards = {name: shard for name, shard in shards.items() if shard.open}
        elif self._start != "earliest":
            unread = ancestors(shards, assigned) - assigned
            shards = {name: shard for name, shard in shards.items() if name not in unread}
        return [
            DiscoveredPartition(one.name, start, tuple(p for p in one.parents if p in shards))
            for one in shards.values()
        ]

    def children(self, partition: str) -> tuple[DiscoveredPartition, ...]:
        """The shards that a closed shard became. Raises :class:`KinesisError`."""
        return tuple(
            DiscoveredPartition(one.name, OLDEST, one.parents)
            for one in self.refresh().values()
            if partition in one.parents
        )

    def closed(self, partition: str) -> bool:
        """Whether a shard takes no more records: it has an ending number, or children, or is gone.
        Raises :class:`KinesisError`.
        """
        listed = self.refresh()
        if partition not in listed:
            return bool(listed)
        return not listed[partition].open or any(
            partition in one.parents for one in listed.values()
        )

    def unlisted(self, ended: Collection[str]) -> list[str]:
        """Those of these shards that all listings of the last hour lack: one that was missed by a
        single listing may come again.
        """
        with self._lock:
            lacking = [name for name in ended if name not in self.latest and self._assigned]
            self._missing = {name: self._missing.get(name, self.asked_s) for name in lacking}
            return [
                name for name, since_s in self._missing.items() if self.asked_s - since_s >= GONE_S
            ]

    def _covering(self) -> dict[str, Shard]:
        """The shards that were open at the start or came later; all of them where the service
        cannot tell (harmless, but slower).
        """
        at = datetime.fromtimestamp(self._start_ms / 1000, UTC)
        try:
            return self._ask({"ShardFilter": {"Type": "FROM_TIMESTAMP", "Timestamp": at}})
        except KinesisError as failure:
            if failure.kind != "invalid":
                raise
            return self._ask({})

    def _ask(self, asked: dict[str, Any]) -> dict[str, Shard]:
        answer = self._client.call("list_shards", ("Shards",), **self._client.target.names, **asked)
        told = list(answer["Shards"])
        while more := answer.get("NextToken"):
            answer = self._client.call("list_shards", ("Shards",), NextToken=more)
            told += answer["Shards"]
        names = {str(one["ShardId"]) for one in told}
        return {shard.name: shard for shard in (shard_of(one, names) for one in told)}


def shard_of(told: dict[str, Any], names: Collection[str]) -> Shard:
    """A shard as ListShards tells it; ``names`` are all that are listed."""
    parents = [
        str(told[key]) for key in ("ParentShardId", "AdjacentParentShardId") if told.get(key)
    ]
    is_open = told["SequenceNumberRange"].get("EndingSequenceNumber") is None
    return Shard(str(told["ShardId"]), tuple(one for one in parents if one in names), is_open)


def ancestors(shards: dict[str, Shard], of: Collection[str]) -> set[str]:
    """All shards from which these came.

    >>> tree = {"a": Shard("a", (), False), "b": Shard("b", ("a",), False), "c": Shard("c", ("b",), True)}
    >>> sorted(ancestors(tree, {"c"}))
    ['a', 'b']
    """
    found: set[str] = set()
    waiting = [parent for name in of if name in shards for parent in shards[name].parents]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += shards[name].parents
    return found
