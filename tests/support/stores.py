"""In-memory stores that replace those in SQLite."""

from __future__ import annotations

from collections.abc import Iterable

from detectors.profiles.profile import Profile
from stream.aggregation.panes import PaneId
from stream.events import SeenIds


class MemoryPanes:
    """Panes in a dictionary."""

    def __init__(self) -> None:
        self._profiles: dict[PaneId, Profile] = {}

    def get(self, pane: PaneId) -> Profile | None:
        return self._profiles.get(pane)

    def put(self, pane: PaneId, profile: Profile) -> None:
        self._profiles[pane] = profile

    def drop(self, pane: PaneId) -> None:
        self._profiles.pop(pane, None)

    def ids(self) -> Iterable[PaneId]:
        return list(self._profiles)


class MemoryIds:
    """Ids of accepted events in a dictionary."""

    def __init__(self) -> None:
        self._ids: dict[str, dict[int, list[bytes]]] = {}

    def add(self, ids: SeenIds) -> None:
        self._ids.setdefault(ids.partition, {}).setdefault(ids.slice_ms, []).append(ids.ids)

    def of(self, partition: str) -> list[SeenIds]:
        slices = self._ids.get(partition, {})
        return [
            SeenIds(partition, slice_ms, b"".join(bodies))
            for slice_ms, bodies in sorted(slices.items())
        ]

    def drop(self, partition: str, slice_ms: int) -> None:
        self._ids.get(partition, {}).pop(slice_ms, None)

    def slices(self, partition: str) -> Iterable[int]:
        return list(self._ids.get(partition, {}))
