"""The store of histories in the state file, the recently used ones cached in memory."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa

from detectors.arrays import Ints
from detectors.statistics.evidence.horizons import History, PastWindow
from detectors.statistics.evidence.tallies import TallyLayout
from stream.events import ModelKey
from stream.state.sqlite_errors import reported_damage, translated_errors

CACHE_BYTES: Final = 64 << 20
"""The size of the cache: the histories of 170 models of 20 features."""
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS histories (
    model TEXT, variant TEXT, layout TEXT, end_ms INTEGER, start_ms INTEGER NOT NULL,
    body BLOB NOT NULL, PRIMARY KEY (model, variant, layout, end_ms)
) WITHOUT ROWID;
"""
_SELECT: Final = """
SELECT start_ms, end_ms, body FROM histories
WHERE model = ? AND variant = ? AND layout = ? ORDER BY end_ms
"""
_CLEAR: Final = "DELETE FROM histories WHERE model = ?"
_INSERT: Final = "INSERT INTO histories VALUES (?, ?, ?, ?, ?, ?)"
_DELETE: Final = """
DELETE FROM histories WHERE model = ? AND variant = ? AND (layout <> ? OR end_ms < ?)
"""
_ZSTD: Final = pa.Codec("zstd", compression_level=3)
_NUMBER_BYTES: Final = np.dtype(np.int64).itemsize


class _Changes(msgspec.Struct):
    """What the next commit does to one history: windows of one layout, and the oldest to keep."""

    layout: str
    added: list[PastWindow] = []
    oldest_ms: int = -(1 << 62)


class SqliteHistories:
    """Histories, read from the store's file and cached.

    A window is one row, which is written once. Additions stay in memory until the next commit
    writes them; it deletes the windows that left their history in the same transaction.
    """

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self._path = path
        self._db = db
        self._cache: OrderedDict[ModelKey, tuple[str, History]] = OrderedDict()
        self._cached_bytes = 0
        self._changes: dict[ModelKey, _Changes] = {}
        self._cleared: set[str] = set()

    def get(self, key: ModelKey, layout: TallyLayout) -> History:
        fingerprint, history = self._cache.get(key, ("", History()))
        if fingerprint == layout.fingerprint:
            self._cache.move_to_end(key)
            return history
        history = self._read(key, layout)
        self._keep(key, layout, history)
        return history

    def add(
        self, key: ModelKey, layout: TallyLayout, window: PastWindow, final_ms: int | None
    ) -> None:
        history = self.get(key, layout)
        self._forget(key)
        if history.add(window, final_ms):
            changes = self._changes.get(key)
            if changes is None or changes.layout != layout.fingerprint:
                changes = self._changes[key] = _Changes(layout.fingerprint)
            changes.added.append(window)
            changes.oldest_ms = history.windows()[0].end_ms
        self._keep(key, layout, history)

    def clear(self, model: str) -> None:
        self._cleared.add(model)
        for key in [key for key in self._changes if key.model == model]:
            del self._changes[key]
        for key in [key for key in self._cache if key.model == model]:
            self._forget(key)

    def write(self, db: sqlite3.Connection) -> int:
        """Write the changes, inside the store's transaction; returns the number of bytes.

        Cleared models go first, since their new windows may be among the additions.
        """
        db.executemany(_CLEAR, [(model,) for model in sorted(self._cleared)])
        rows = [
            (*key, changes.layout, window.end_ms, window.start_ms, _encoded(window.tallies))
            for key, changes in self._changes.items()
            for window in changes.added
            if window.end_ms >= changes.oldest_ms
        ]
        db.executemany(_INSERT, rows)
        bounds = [(*key, each.layout, each.oldest_ms) for key, each in self._changes.items()]
        db.executemany(_DELETE, bounds)
        return sum(len(row[-1]) for row in rows)

    def written(self) -> None:
        """Note that the changes are committed."""
        self._changes.clear()
        self._cleared.clear()

    def _read(self, key: ModelKey, layout: TallyLayout) -> History:
        """The windows of the file that are not cleared, and those that were added since."""
        changes = self._changes.get(key, _Changes(layout.fingerprint))
        if changes.layout != layout.fingerprint:
            return History()
        stored = [] if key.model in self._cleared else self._stored(key, layout)
        windows = [*stored, *changes.added]
        return History(window for window in windows if window.end_ms >= changes.oldest_ms)

    def _stored(self, key: ModelKey, layout: TallyLayout) -> list[PastWindow]:
        with translated_errors(self._path):
            found = self._db.execute(_SELECT, (*key, layout.fingerprint)).fetchall()
        with reported_damage(self._path, f"the history of model {key.model!r}"):
            rows = msgspec.convert(found, list[tuple[int, int, bytes]])
            return [
                PastWindow(start_ms, end_ms, _decoded(body, layout.size))
                for start_ms, end_ms, body in rows
            ]

    def _keep(self, key: ModelKey, layout: TallyLayout, history: History) -> None:
        """Cache a history; the longest unused ones leave, but never this one."""
        self._forget(key)
        self._cache[key] = layout.fingerprint, history
        self._cached_bytes += _bytes_of(history)
        while self._cached_bytes > CACHE_BYTES and len(self._cache) > 1:
            self._forget(next(iter(self._cache)))

    def _forget(self, key: ModelKey) -> None:
        if key in self._cache:
            _, history = self._cache.pop(key)
            self._cached_bytes -= _bytes_of(history)


def _encoded(tallies: Ints) -> bytes:
    """The numbers, with equal bytes of all of them side by side, compressed by zstd.

    Most numbers are small: seven of their eight bytes are equal.
    """
    by_byte = tallies.view(np.uint8).reshape(-1, _NUMBER_BYTES).T
    return bytes(_ZSTD.compress(by_byte.tobytes(), asbytes=True))


def _decoded(body: bytes, size: int) -> Ints:
    raw = _ZSTD.decompress(body, size * _NUMBER_BYTES, asbytes=True)
    by_byte = np.frombuffer(raw, np.uint8).reshape(_NUMBER_BYTES, size)
    return np.ascontiguousarray(by_byte.T).view(np.int64).ravel()


def _bytes_of(history: History) -> int:
    return sum(window.tallies.nbytes for window in history.windows())
