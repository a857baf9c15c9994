"""The store of panes in the state file, with the recently used ones cached in memory."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from detectors.profiles.layout import Layout
from detectors.profiles.profile import Profile
from stream.aggregation.panes import PaneId
from stream.state.sqlite_errors import reported_damage, translated_errors

CACHE_BYTES: Final = 64 << 20
"""The size of the cache, in addition to the panes that the next commit writes.

Twice the open windows of 10 models of 200 features in 12 panes.
"""
_SELECT: Final = (
    "SELECT body FROM panes WHERE model = ? AND variant = ? AND layout = ? AND start_ms = ?"
)
_DELETE: Final = "DELETE FROM panes WHERE model = ? AND variant = ? AND layout = ? AND start_ms = ?"


class SqlitePanes:
    """Panes of the given layouts, read from the store's file and cached.

    Changes stay in memory until the next commit writes them.
    """

    def __init__(self, path: Path, db: sqlite3.Connection, layouts: Iterable[Layout]) -> None:
        self._path = path
        self._db = db
        self._layouts = {layout.fingerprint: layout for layout in layouts}
        self._cache: OrderedDict[PaneId, Profile] = OrderedDict()
        self._changed: dict[PaneId, Profile | None] = {}

    def add_layout(self, layout: Layout) -> None:
        """Add a layout, so that panes with it can be read."""
        self._layouts[layout.fingerprint] = layout

    def get(self, pane: PaneId) -> Profile | None:
        if pane in self._changed:
            return self._changed[pane]
        if pane in self._cache:
            self._cache.move_to_end(pane)
            return self._cache[pane]
        with translated_errors(self._path):
            row = self._db.execute(_SELECT, pane).fetchone()
        if row is None or pane.layout not in self._layouts:
            return None
        with reported_damage(self._path, f"a pane of model {pane.model!r}"):
            self._cache[pane] = Profile.decode(row[0], self._layouts[pane.layout])
        return self._cache[pane]

    def put(self, pane: PaneId, profile: Profile) -> None:
        self._changed[pane] = profile
        self._cache.pop(pane, None)

    def drop(self, pane: PaneId) -> None:
        self._changed[pane] = None
        self._cache.pop(pane, None)

    def ids(self) -> Iterable[PaneId]:
        with translated_errors(self._path):
            rows = self._db.execute("SELECT model, variant, layout, start_ms FROM panes").fetchall()
        with reported_damage(self._path, "the list of panes"):
            panes = msgspec.convert(rows, list[PaneId])
        stored = dict.fromkeys(panes) | dict.fromkeys(self._changed)
        return [
            pane
            for pane in stored
            if pane.layout in self._layouts and self._changed.get(pane, True) is not None
        ]

    def rows(self) -> int:
        """Return the rows in all panes of the file, counted from the panes."""
        with translated_errors(self._path), reported_damage(self._path, "a pane"):
            return sum(
                Profile.rows_of(body) for (body,) in self._db.execute("SELECT body FROM panes")
            )

    def write(self, db: sqlite3.Connection) -> int:
        """Write the changes, inside the store's transaction; returns the number of bytes."""
        dropped = [pane for pane, profile in self._changed.items() if profile is None]
        kept = [
            (*pane, profile.encode())
            for pane, profile in self._changed.items()
            if profile is not None
        ]
        db.executemany(_DELETE, dropped)
        db.executemany("REPLACE INTO panes VALUES (?, ?, ?, ?, ?)", kept)
        return sum(len(row[-1]) for row in kept)

    def written(self) -> None:
        """Note that the changes are committed: they may leave memory when the cache is full."""
        for pane, profile in self._changed.items():
            if profile is not None:
                self._cache[pane] = profile
        self._changed.clear()
        total = sum(profile.nbytes for profile in self._cache.values())
        while total > CACHE_BYTES and self._cache:
            total -= self._cache.popitem(last=False)[1].nbytes
