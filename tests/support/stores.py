"""In-memory stores that replace those in SQLite."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from detectors.profiles.profile import Profile
from stream.aggregation.panes import PaneId, PeriodId, SeasonId
from stream.aggregation.quality_panes import QualityPane, QualityPaneId
from stream.events import SeenIds
from stream.labels.rows import LABEL, PREDICTION, Rows
from stream.labels.store import Slice

Id = TypeVar("Id")


class MemoryProfiles(Generic[Id]):
    """Profiles in a dictionary."""

    def __init__(self) -> None:
        self._profiles: dict[Id, Profile] = {}

    def get(self, id_: Id, /) -> Profile | None:
        return self._profiles.get(id_)

    def put(self, id_: Id, profile: Profile, /) -> None:
        self._profiles[id_] = profile

    def drop(self, id_: Id, /) -> None:
        self._profiles.pop(id_, None)

    def ids(self) -> Iterable[Id]:
        return list(self._profiles)


class MemoryPanes(MemoryProfiles[PaneId]):
    """Panes in a dictionary."""


class MemoryPeriods(MemoryProfiles[PeriodId]):
    """Sums of periods in a dictionary."""


class MemorySeasons(MemoryProfiles[SeasonId]):
    """Counts of seasons in a dictionary."""


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


class MemoryJoinStore:
    """Waiting rows in a list for each slice."""

    def __init__(self) -> None:
        self._rows: dict[Slice, list[np.void]] = {}

    def slices(self) -> Sequence[Slice]:
        return list(self._rows)

    def find(self, slice_: Slice, ids: NDArray[np.uint64]) -> Rows:
        wanted = set(ids.tolist())
        found = [row for row in self._rows.get(slice_, []) if int(row["id"]) in wanted]
        type_ = PREDICTION if slice_.kind == "predictions" else LABEL
        return np.array(sorted(found, key=lambda row: int(row["id"])), type_)

    def add(self, slice_: Slice, rows: Rows) -> None:
        if len(rows):
            self._rows.setdefault(slice_, []).extend(rows.copy())

    def drop(self, slice_: Slice) -> None:
        self._rows.pop(slice_, None)

    def copy(self) -> MemoryJoinStore:
        other = MemoryJoinStore()
        other._rows = {slice_: list(rows) for slice_, rows in self._rows.items()}
        return other


class MemoryQualityPanes:
    """Quality panes in a dictionary; counts are values, so that a pane that was
    changed but not put stays as it was."""

    def __init__(self) -> None:
        self._panes: dict[QualityPaneId, QualityPane] = {}

    def get(self, pane: QualityPaneId) -> QualityPane | None:
        return copy.copy(self._panes.get(pane))

    def put(self, pane: QualityPaneId, content: QualityPane) -> None:
        self._panes[pane] = copy.copy(content)

    def drop(self, pane: QualityPaneId) -> None:
        self._panes.pop(pane, None)

    def starting_before(self, time_ms: int) -> Iterable[QualityPaneId]:
        panes = [pane for pane in self._panes if pane.start_ms < time_ms]
        return sorted(panes, key=lambda pane: (pane.start_ms, pane))

    def copy(self) -> MemoryQualityPanes:
        other = MemoryQualityPanes()
        other._panes = dict(self._panes)  # contents are replaced and never changed
        return other
