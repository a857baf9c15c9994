"""The index of remembered ids, so that repeated events are not counted twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from stream.dedupe.filter import Dedupe
from stream.dedupe.id_store import IdStore
from stream.events import SeenIds


class RememberedIds(Protocol):
    """The ids that the aggregator keeps between partials: :class:`IdIndex`, or none at all."""

    def take(self, seen: Sequence[SeenIds]) -> None:
        """Remember the ids of an accepted partial."""

    def of(self, partition: str) -> tuple[SeenIds, ...]:
        """Return the ids remembered in a partition."""

    def remembers(self, partition: str) -> bool:
        """Return whether any id is remembered in a partition."""

    def forget(self, partition: str, mark_ms: int | None) -> None:
        """Drop the ids that no event can repeat once the partition's mark is at ``mark_ms``."""

    def hand_down(self, parents: Sequence[str], child: str) -> None:
        """Let a child inherit the ids of its parents."""

    def settle(self, ended: Iterable[str], watermark_ms: int) -> None:
        """Drop the ids of ended partitions that no event can repeat any more."""


class IdIndex:
    """Keeps ids in a store, drops them by the partitions' marks, and copies them to children."""

    def __init__(self, rules: Dedupe, store: IdStore) -> None:
        self._rules = rules
        self._store = store

    def take(self, seen: Sequence[SeenIds]) -> None:
        for ids in seen:
            self._store.add(ids)

    def of(self, partition: str) -> tuple[SeenIds, ...]:
        return tuple(self._store.of(partition))

    def remembers(self, partition: str) -> bool:
        return bool(tuple(self._store.slices(partition)))

    def forget(self, partition: str, mark_ms: int | None) -> None:
        if mark_ms is None:
            return
        for slice_ms in self._store.slices(partition):
            if self._rules.forgotten(slice_ms, mark_ms):
                self._store.drop(partition, slice_ms)

    def hand_down(self, parents: Sequence[str], child: str) -> None:
        """Copy the ids of the parents, since an event may be sent again after its shard was split.

        The parents keep theirs for other children, which may be discovered later, until
        :meth:`settle` drops them.
        """
        for parent in parents:
            for ids in self._store.of(parent):
                self._store.add(ids._replace(partition=child))

    def settle(self, ended: Iterable[str], watermark_ms: int) -> None:
        """Drop ids by the watermark, since the marks of ended partitions no longer move."""
        for partition in ended:
            self.forget(partition, watermark_ms)


class NoIdIndex:
    """The index of a job without ``dedupe``: it keeps no ids."""

    def take(self, seen: Sequence[SeenIds]) -> None:
        pass

    def of(self, partition: str) -> tuple[SeenIds, ...]:
        return ()

    def remembers(self, partition: str) -> bool:
        return False

    def forget(self, partition: str, mark_ms: int | None) -> None:
        pass

    def hand_down(self, parents: Sequence[str], child: str) -> None:
        pass

    def settle(self, ended: Iterable[str], watermark_ms: int) -> None:
        pass


DEDUPE_OFF: Final = NoIdIndex()
