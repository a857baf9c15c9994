"""The shards of a stream: their lineage, and where a job without state begins."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple

from stream.events import DiscoveredPartition, Position
from stream.sources.kinesis.client import KinesisClient, KinesisError

OLDEST: Final[Position] = ("TRIM_HORIZON", 0)
ENDED: Final[Position] = ("ENDED", 0)
EXPIRED_AFTER_S: Final = 3600.0
"""The time for which a shard must be missing from the listings before it counts as expired."""


class Shard(NamedTuple):
    """A shard; ``parents`` are those that the stream still lists."""

    name: str
    parents: tuple[str, ...]
    open: bool


class ShardList:
    """The latest listing of a stream's shards. Threads may share it.

    With ``start: latest`` or ``start_at``, a job without state begins with the shards that cover
    that time. Afterwards it discovers the assigned shards and their descendants, but not their
    ancestors.
    """

    def __init__(
        self, client: KinesisClient, start: Literal["earliest", "latest", "at"], start_ms: int
    ) -> None:
        self._client = client
        self._start = start
        self._start_ms = start_ms
        self._lock = threading.Lock()
        self._assigned: set[str] = set()
        self.latest: dict[str, Shard] = {}
        self.asked_s = 0.0
        self._missing_since_s: dict[str, float] = {}

    def refresh(self) -> dict[str, Shard]:
        """List all shards. Raises :class:`KinesisError`."""
        asked_s = time.monotonic()
        if self._start == "at" and not self._assigned:
            listed = self._list_from_start()
        else:
            listed = self._list()
        with self._lock:
            if asked_s > self.asked_s:
                self.asked_s = asked_s
                self.latest = listed
        return listed

    def mark_assigned(self, partitions: Collection[str]) -> None:
        """Note the shards that are read.

        Afterwards :meth:`discovered` returns only these, their descendants, and unrelated shards.
        """
        with self._lock:
            self._assigned.update(partitions)

    def discovered(self) -> list[DiscoveredPartition]:
        """Return the shards to read, each with its start and those of its parents to read."""
        with self._lock:
            shards, assigned = self.latest, set(self._assigned)
        start: Position = OLDEST
        if self._start != "earliest" and not assigned:
            start = ("AT_TIMESTAMP", self._start_ms)
            if self._start == "latest":
                shards = {name: shard for name, shard in shards.items() if shard.open}
        elif self._start != "earliest":
            skipped = ancestors(shards, assigned) - assigned
            shards = {name: shard for name, shard in shards.items() if name not in skipped}
        return [
            DiscoveredPartition(
                partition=shard.name,
                start=start,
                parents=tuple(parent for parent in shard.parents if parent in shards),
                inside=start != OLDEST,
            )
            for shard in shards.values()
        ]

    def children(self, partition: str) -> tuple[DiscoveredPartition, ...]:
        """List the shards that continue a closed shard. Raises :class:`KinesisError`."""
        return tuple(
            DiscoveredPartition(partition=shard.name, start=OLDEST, parents=shard.parents)
            for shard in self.refresh().values()
            if partition in shard.parents
        )

    def closed(self, partition: str) -> bool:
        """Return whether a shard takes no more records. Raises :class:`KinesisError`.

        A closed shard has an ending sequence number, or children, or is not listed any more.
        """
        listed = self.refresh()
        if partition not in listed:
            return bool(listed)
        has_children = any(partition in shard.parents for shard in listed.values())
        return has_children or not listed[partition].open

    def expired(self, ended: Collection[str]) -> list[str]:
        """Return the ended shards that were in no listing of the last hour.

        A shard that is missing from a single listing may be in the next one.
        """
        with self._lock:
            missing = [name for name in ended if name not in self.latest and self._assigned]
            since_s = {name: self._missing_since_s.get(name, self.asked_s) for name in missing}
            self._missing_since_s = since_s
            return [name for name in missing if self.asked_s - since_s[name] >= EXPIRED_AFTER_S]

    def _list_from_start(self) -> dict[str, Shard]:
        """List the shards that were open at the start or were created later.

        If the service does not support that filter, all shards: the result is the same, but slower.
        """
        start = datetime.fromtimestamp(self._start_ms / 1000, UTC)
        try:
            return self._list({"Type": "FROM_TIMESTAMP", "Timestamp": start})
        except KinesisError as failure:
            if failure.kind != "invalid":
                raise
            return self._list()

    def _list(self, shard_filter: Mapping[str, Any] | None = None) -> dict[str, Shard]:
        arguments = {} if shard_filter is None else {"ShardFilter": shard_filter}
        response = self._client.call(
            "list_shards", ("Shards",), **self._client.target.arguments, **arguments
        )
        entries = list(response["Shards"])
        while token := response.get("NextToken"):
            response = self._client.call("list_shards", ("Shards",), NextToken=token)
            entries += response["Shards"]
        names = {str(entry["ShardId"]) for entry in entries}
        shards = [shard_of(entry, names) for entry in entries]
        return {shard.name: shard for shard in shards}


def shard_of(entry: Mapping[str, Any], listed: Collection[str]) -> Shard:
    """Return the shard in an entry of ListShards; ``listed`` are the names of all shards."""
    parents = [entry.get(key) for key in ("ParentShardId", "AdjacentParentShardId")]
    return Shard(
        name=str(entry["ShardId"]),
        parents=tuple(str(parent) for parent in parents if parent in listed),
        open=entry["SequenceNumberRange"].get("EndingSequenceNumber") is None,
    )


def ancestors(shards: Mapping[str, Shard], of: Collection[str]) -> set[str]:
    """Return all shards from which the shards ``of`` descend.

    >>> tree = {
    ...     "a": Shard("a", (), False),
    ...     "b": Shard("b", ("a",), False),
    ...     "c": Shard("c", ("b",), True),
    ... }
    >>> sorted(ancestors(tree, {"c"}))
    ['a', 'b']
    """
    visited: set[str] = set()
    pending = [parent for name in of if name in shards for parent in shards[name].parents]
    while pending:
        name = pending.pop()
        if name not in visited:
            visited.add(name)
            pending += shards[name].parents
    return visited
