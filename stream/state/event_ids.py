"""Remembered ids in the store's file: what is new is written by the next commit, nothing is held in
memory after it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from stream.events import SeenIds
from stream.state.sqlite_errors import told

SCHEMA = """
CREATE TABLE IF NOT EXISTS ids (partition TEXT NOT NULL, slice_ms INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS ids_by_slice ON ids (partition, slice_ms);
"""


class SqliteIds:
    """Appends a row a slice and commit; a slice is read whole when its partition is assigned, and
    deleted whole.
    """

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self._path, self._db = path, db
        with told(path):
            rows = db.execute("SELECT DISTINCT partition, slice_ms FROM ids").fetchall()
        self._slices: dict[str, set[int]] = {}
        for partition, slice_ms in rows:
            self._slices.setdefault(partition, set()).add(slice_ms)
        self._new: dict[tuple[str, int], list[bytes]] = {}
        self._gone: set[tuple[str, int]] = set()

    def add(self, ids: SeenIds) -> None:
        self._slices.setdefault(ids.partition, set()).add(ids.slice_ms)
        self._new.setdefault((ids.partition, ids.slice_ms), []).append(ids.ids)

    def of(self, partition: str) -> list[SeenIds]:
        with told(self._path):
            rows = self._db.execute(
                "SELECT slice_ms, body FROM ids WHERE partition = ? ORDER BY rowid", (partition,)
            ).fetchall()
        parts: dict[int, list[bytes]] = {}
        for slice_ms, body in rows:
            if (partition, slice_ms) not in self._gone:
                parts.setdefault(slice_ms, []).append(body)
        for (name, slice_ms), new in self._new.items():
            if name == partition:
                parts.setdefault(slice_ms, []).extend(new)
        return [
            SeenIds(partition, slice_ms, b"".join(some)) for slice_ms, some in sorted(parts.items())
        ]

    def drop(self, partition: str, slice_ms: int) -> None:
        self._slices.get(partition, set()).discard(slice_ms)
        self._new.pop((partition, slice_ms), None)
        self._gone.add((partition, slice_ms))

    def slices(self, partition: str) -> Iterable[int]:
        return list(self._slices.get(partition, ()))

    def write(self, db: sqlite3.Connection) -> int:
        """Write what changed, inside the store's transaction; first what is gone: a slice may have
        come back. Returns how many bytes.
        """
        db.executemany("DELETE FROM ids WHERE partition = ? AND slice_ms = ?", sorted(self._gone))
        rows = [(*place, b"".join(parts)) for place, parts in self._new.items()]
        db.executemany("INSERT INTO ids VALUES (?, ?, ?)", rows)
        return sum(len(row[-1]) for row in rows)

    def written(self) -> None:
        """The transaction is through."""
        self._new.clear()
        self._gone.clear()
