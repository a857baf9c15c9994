"""Where the ids of accepted events are remembered: the contract, and the plain one in memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from stream.events import SeenIds


class IdStore(Protocol):
    """Ids by partition and slice of its mark."""

    def add(self, ids: SeenIds) -> None:
        """Remember ids, beside those that are there."""

    def of(self, partition: str) -> list[SeenIds]:
        """All remembered ids of a partition."""

    def drop(self, partition: str, slice_ms: int) -> None:
        """Forget a slice; no error if it is not there."""

    def slices(self, partition: str) -> Iterable[int]:
        """The slices of a partition that have ids."""


class MemoryIds:
    """Ids in a dictionary."""

    def __init__(self) -> None:
        self._ids: dict[str, dict[int, list[bytes]]] = {}

    def add(self, ids: SeenIds) -> None:
        self._ids.setdefault(ids.partition, {}).setdefault(ids.slice_ms, []).append(ids.ids)

    def of(self, partition: str) -> list[SeenIds]:
        known = self._ids.get(partition, {})
        return [
            SeenIds(partition, slice_ms, b"".join(parts))
            for slice_ms, parts in sorted(known.items())
        ]

    def drop(self, partition: str, slice_ms: int) -> None:
        self._ids.get(partition, {}).pop(slice_ms, None)

    def slices(self, partition: str) -> Iterable[int]:
        return list(self._ids.get(partition, {}))
