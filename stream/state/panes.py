"""Panes in the store's file, with the recently used ones in memory."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

import msgspec

from detectors.profiles.layout import Layout
from detectors.profiles.profile import Profile
from stream.aggregation.panes import PaneId
from stream.errors import StateIncompatible
from stream.state.sqlite_errors import RESTORE, told

CACHE_BYTES = 64 << 20
"""Panes that are kept in memory beside those that a commit must write: twice the open windows of 10
models of 200 features in 12 panes."""
_PANE = "SELECT body FROM panes WHERE model = ? AND variant = ? AND layout = ? AND start_ms = ?"


class SqlitePanes:
    """Panes in the store's file, with the recently used ones in memory. What changed is written by
    the next commit.
    """

    def __init__(self, path: Path, db: sqlite3.Connection, layouts: Iterable[Layout]) -> None:
        self._path, self._db = path, db
        self._layouts = {layout.fingerprint: layout for layout in layouts}
        self._cache: OrderedDict[PaneId, Profile] = OrderedDict()
        self._changed: dict[PaneId, Profile | None] = {}

    def know(self, layout: Layout) -> None:
        """Panes with this layout may come from now on."""
        self._layouts[layout.fingerprint] = layout

    def get(self, pane: PaneId) -> Profile | None:
        if pane in self._changed:
            return self._changed[pane]
        if pane in self._cache:
            self._cache.move_to_end(pane)
            return self._cache[pane]
        with told(self._path):
            row = self._db.execute(_PANE, pane).fetchone()
        if row is None or pane.layout not in self._layouts:
            return None
        try:
            self._cache[pane] = Profile.decode(row[0], self._layouts[pane.layout])
        except (msgspec.MsgspecError, ValueError) as error:
            raise StateIncompatible(
                "pane", f"{self._path}: unreadable", "counts", RESTORE
            ) from error
        return self._cache[pane]

    def put(self, pane: PaneId, profile: Profile) -> None:
        self._changed[pane] = profile
        self._cache.pop(pane, None)

    def drop(self, pane: PaneId) -> None:
        self._changed[pane] = None
        self._cache.pop(pane, None)

    def ids(self) -> Iterable[PaneId]:
        with told(self._path):
            rows = self._db.execute("SELECT model, variant, layout, start_ms FROM panes").fetchall()
        stored = {PaneId(*row): None for row in rows} | dict.fromkeys(self._changed)
        return [
            pane
            for pane in stored
            if pane.layout in self._layouts and self._changed.get(pane, True) is not None
        ]

    def rows(self) -> int:
        """Rows in all panes of the file, counted from the panes."""
        with told(self._path):
            return sum(
                Profile.rows_of(body) for (body,) in self._db.execute("SELECT body FROM panes")
            )

    def write(self, db: sqlite3.Connection) -> int:
        """Write what changed, inside the store's transaction; returns how many bytes."""
        gone = [pane for pane, profile in self._changed.items() if profile is None]
        kept = [
            (*pane, profile.encode())
            for pane, profile in self._changed.items()
            if profile is not None
        ]
        db.executemany(
            "DELETE FROM panes WHERE model = ? AND variant = ? AND layout = ? AND start_ms = ?",
            gone,
        )
        db.executemany("REPLACE INTO panes VALUES (?, ?, ?, ?, ?)", kept)
        return sum(len(row[-1]) for row in kept)

    def written(self) -> None:
        """The transaction is through: what was written may leave memory."""
        for pane, profile in self._changed.items():
            if profile is not None:
                self._cache[pane] = profile
        self._changed.clear()
        total = sum(profile.counts.nbytes for profile in self._cache.values())
        while total > CACHE_BYTES and self._cache:
            total -= self._cache.popitem(last=False)[1].counts.nbytes
