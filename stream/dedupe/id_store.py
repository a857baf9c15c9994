"""The contract of the store of the ids of accepted events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from stream.events import SeenIds


class IdStore(Protocol):
    """Ids by partition and slice of the partition's mark."""

    def add(self, ids: SeenIds) -> None:
        """Store ids in addition to those already stored for the slice."""

    def of(self, partition: str) -> list[SeenIds]:
        """Return all stored ids of a partition."""

    def drop(self, partition: str, slice_ms: int) -> None:
        """Delete the ids of a slice; no error if it has none."""

    def slices(self, partition: str) -> Iterable[int]:
        """Return the starts of the slices of a partition that have ids."""
