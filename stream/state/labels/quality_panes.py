"""The store of quality panes in the state file, with the recently used ones cached in memory."""

from __future__ import annotations

import sqlite3
import zlib
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from detectors.quality.counts import QualityCounts
from stream.aggregation.quality_panes import QualityPane, QualityPaneId
from stream.state.sqlite_errors import reported_damage, translated_errors

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS quality_panes (
    model TEXT, variant TEXT, start_ms INTEGER, body BLOB NOT NULL,
    PRIMARY KEY (model, variant, start_ms)
);
CREATE INDEX IF NOT EXISTS quality_panes_by_start ON quality_panes (start_ms, model, variant);
"""
CACHE_BYTES: Final = 64 << 20
"""The size of the cache, in addition to the panes that the next commit writes."""
_FAST: Final = 1
"""The level of compression: panes are written often."""
_FIXED_BYTES: Final = 1_000
"""About the size of a pane without counts in memory."""
_NUMBER_BYTES: Final = 100
"""About the size of an exact sum in memory: most have fewer bytes."""
_SELECT: Final = "SELECT body FROM quality_panes WHERE model = ? AND variant = ? AND start_ms = ?"
_DELETE: Final = "DELETE FROM quality_panes WHERE model = ? AND variant = ? AND start_ms = ?"
_BEFORE: Final = "SELECT model, variant, start_ms FROM quality_panes WHERE start_ms < ?"


class _Stored(msgspec.Struct, array_like=True):
    """A pane in MessagePack, with its counts as they encode themselves."""

    predictions: int
    labelled: int
    counts: bytes
    predicted: bytes
    revision: int
    judged: bool
    drifted: bool
    estimator: str


class SqliteQualityPanes:
    """Quality panes, read from the store's file and cached.

    Changes stay in memory until the next commit writes them.
    """

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self._path = path
        self._db = db
        self._cache: OrderedDict[QualityPaneId, tuple[QualityPane, int]] = OrderedDict()
        self._cached_bytes = 0
        self._changed: dict[QualityPaneId, QualityPane | None] = {}

    def get(self, pane: QualityPaneId) -> QualityPane | None:
        if pane in self._changed:
            return self._changed[pane]
        if pane in self._cache:
            self._cache.move_to_end(pane)
            return self._cache[pane][0]
        with translated_errors(self._path):
            row = self._db.execute(_SELECT, pane).fetchone()
        if row is None:
            return None
        with reported_damage(self._path, f"a quality pane of model {pane.model!r}"):
            content = _decoded(row[0])
        self._keep(pane, content)
        return content

    def put(self, pane: QualityPaneId, content: QualityPane) -> None:
        self._forget(pane)
        self._changed[pane] = content

    def drop(self, pane: QualityPaneId) -> None:
        self._forget(pane)
        self._changed[pane] = None

    def starting_before(self, time_ms: int) -> Iterable[QualityPaneId]:
        with translated_errors(self._path):
            rows = self._db.execute(_BEFORE, (time_ms,)).fetchall()
        with reported_damage(self._path, "the list of quality panes"):
            stored = msgspec.convert(rows, list[QualityPaneId])
        panes = [pane for pane in stored if pane not in self._changed]
        for pane, content in self._changed.items():
            if content is not None and pane.start_ms < time_ms:
                panes.append(pane)
        return sorted(panes, key=lambda pane: (pane.start_ms, pane))

    def write(self, db: sqlite3.Connection) -> int:
        """Write the changes, inside the store's transaction; returns the number of bytes."""
        dropped = [pane for pane, content in self._changed.items() if content is None]
        kept = [
            (*pane, _encoded(content))
            for pane, content in self._changed.items()
            if content is not None
        ]
        db.executemany(_DELETE, dropped)
        db.executemany("REPLACE INTO quality_panes VALUES (?, ?, ?, ?)", kept)
        return sum(len(row[-1]) for row in kept)

    def written(self) -> None:
        """Note that the changes are committed: they may leave memory when the cache is full."""
        changed, self._changed = self._changed, {}
        for pane, content in changed.items():
            if content is not None:
                self._keep(pane, content)

    def _keep(self, pane: QualityPaneId, content: QualityPane) -> None:
        """Cache a pane; the longest unused ones leave, but never this one."""
        size = _bytes_of(content)
        self._cache[pane] = content, size
        self._cached_bytes += size
        while self._cached_bytes > CACHE_BYTES and len(self._cache) > 1:
            self._forget(next(iter(self._cache)))

    def _forget(self, pane: QualityPaneId) -> None:
        _, size = self._cache.pop(pane, (None, 0))
        self._cached_bytes -= size


def _encoded(pane: QualityPane) -> bytes:
    stored = _Stored(
        pane.predictions,
        pane.labelled,
        pane.counts.encode(),
        pane.predicted.encode(),
        pane.revision,
        pane.judged,
        pane.drifted,
        pane.estimator,
    )
    return zlib.compress(msgspec.msgpack.encode(stored), _FAST)


def _decoded(body: bytes) -> QualityPane:
    stored = msgspec.msgpack.decode(zlib.decompress(body), type=_Stored)
    return QualityPane(
        predictions=stored.predictions,
        labelled=stored.labelled,
        counts=QualityCounts.decode(stored.counts),
        predicted=QualityCounts.decode(stored.predicted),
        revision=stored.revision,
        judged=stored.judged,
        drifted=stored.drifted,
        estimator=stored.estimator,
    )


def _bytes_of(pane: QualityPane) -> int:
    """About the memory of a pane."""
    size = _FIXED_BYTES
    for counts in (pane.counts, pane.predicted):
        size += counts.cells.nbytes + counts.counts.nbytes + _NUMBER_BYTES * len(counts.sums)
        size += sum(len(state) for state in counts.custom.values())
    return size
