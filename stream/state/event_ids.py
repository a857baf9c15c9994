"""The store of event ids in the state file; new ids are in memory until the next commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from stream.events import SeenIds
from stream.state.sqlite_errors import reported_damage, translated_errors

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS ids (
    partition TEXT NOT NULL, slice_ms INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS ids_by_slice ON ids (partition, slice_ms);
"""


class SqliteIds:
    """Event ids by partition and slice.

    Each commit appends one row per slice with new ids. A slice is read and deleted as a whole; it
    is read when its partition is assigned.
    """

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self._path = path
        self._db = db
        with translated_errors(path):
            stored = db.execute("SELECT DISTINCT partition, slice_ms FROM ids").fetchall()
        with reported_damage(path, "the list of event ids"):
            rows = msgspec.convert(stored, list[tuple[str, int]])
        self._slices: dict[str, set[int]] = {}
        for partition, slice_ms in rows:
            self._slices.setdefault(partition, set()).add(slice_ms)
        self._new: dict[tuple[str, int], list[bytes]] = {}
        self._dropped: set[tuple[str, int]] = set()

    def add(self, ids: SeenIds) -> None:
        self._slices.setdefault(ids.partition, set()).add(ids.slice_ms)
        self._new.setdefault((ids.partition, ids.slice_ms), []).append(ids.ids)

    def of(self, partition: str) -> list[SeenIds]:
        with translated_errors(self._path):
            stored = self._db.execute(
                "SELECT slice_ms, body FROM ids WHERE partition = ? ORDER BY rowid", (partition,)
            ).fetchall()
        with reported_damage(self._path, "the list of event ids"):
            rows = msgspec.convert(stored, list[tuple[int, bytes]])
        bodies: dict[int, list[bytes]] = {}
        for slice_ms, body in rows:
            if (partition, slice_ms) not in self._dropped:
                bodies.setdefault(slice_ms, []).append(body)
        for (name, slice_ms), new in self._new.items():
            if name == partition:
                bodies.setdefault(slice_ms, []).extend(new)
        return [
            SeenIds(partition, slice_ms, b"".join(parts))
            for slice_ms, parts in sorted(bodies.items())
        ]

    def drop(self, partition: str, slice_ms: int) -> None:
        self._slices.get(partition, set()).discard(slice_ms)
        self._new.pop((partition, slice_ms), None)
        self._dropped.add((partition, slice_ms))

    def slices(self, partition: str) -> Iterable[int]:
        return list(self._slices.get(partition, ()))

    def write(self, db: sqlite3.Connection) -> int:
        """Write the changes, inside the store's transaction; returns the number of bytes.

        Dropped slices go first, since a slice may have been dropped and filled again.
        """
        dropped = sorted(self._dropped)
        db.executemany("DELETE FROM ids WHERE partition = ? AND slice_ms = ?", dropped)
        rows = [
            (partition, slice_ms, b"".join(parts))
            for (partition, slice_ms), parts in self._new.items()
        ]
        db.executemany("INSERT INTO ids VALUES (?, ?, ?)", rows)
        return sum(len(row[-1]) for row in rows)

    def written(self) -> None:
        """Note that the changes are committed."""
        self._new.clear()
        self._dropped.clear()
