"""The rows of one slice: sorted runs in its table, and rows in memory that blobs keep."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream.labels.rows import Rows, concatenated
from stream.labels.store import Slice
from stream.state.labels.memory_rows import MemoryRows
from stream.state.labels.packed import FULL, by_id, packed, packed_type, unpacked
from stream.state.labels.runs import Run, SliceTable

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS waiting_slices (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, start_ms INTEGER NOT NULL,
    length_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS waiting_new (number INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS waiting_runs (
    number INTEGER PRIMARY KEY, slice INTEGER NOT NULL, row_count INTEGER NOT NULL,
    firsts BLOB NOT NULL, filter BLOB NOT NULL
);
"""
NUMBER_BITS: Final = 32
"""The number of a blob of new rows is that of its slice, and this many bits of its own."""
ALIKE: Final = 3
"""The number of runs of similar size that are merged, and the ratio from which sizes differ."""


class WaitingSlice:
    """One slice, with its number in the file.

    What a ``write`` or ``merge`` does in a transaction counts once :meth:`written` is called; until
    then :meth:`find` does not see it, and :meth:`start` forgets it.
    """

    def __init__(self, path: Path, db: sqlite3.Connection, slice_: Slice, number: int) -> None:
        self.slice_ = slice_
        self.number = number
        self.runs: list[Run] = []
        self.memory = MemoryRows()
        self._new: list[Rows] = []
        self._stored = False
        self._blobs = 0
        self._table = SliceTable(path, db, slice_, number)
        self.start()

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.memory) + sum(run.rows for run in self.runs)

    def load(self, runs: Sequence[Run], blobs: Sequence[tuple[int, bytes]]) -> None:
        """Take what the file has of the slice: its runs, and numbered blobs of rows.

        Raises ``ValueError`` for a blob that is cut.
        """
        self._stored = True
        self.runs = list(runs)
        if blobs:
            self._blobs = max(number for number, _ in blobs) + 1
            content = b"".join(body for _, body in blobs)
            rows = np.frombuffer(content, packed_type(self.slice_))
            self.memory.add(by_id(unpacked(self.slice_, rows)))

    def find(self, ids: NDArray[np.uint64]) -> Rows:
        """Return the rows with one of these sorted ids, in their order."""
        found = [unpacked(self.slice_, self._table.find(run, ids)) for run in self.runs]
        parts = [rows for rows in (*found, *self.memory.find(ids)) if len(rows)]
        if len(parts) == 1:
            return parts[0]
        return by_id(concatenated(parts, FULL[self.slice_.kind]))

    def add(self, rows: Rows) -> None:
        """Add rows, in any order."""
        rows = by_id(rows)
        self.memory.add(rows)
        self._new.append(rows)

    def start(self) -> None:
        """Start a commit, with what the last one left."""
        self._after = list(self.runs)
        self._emptied = False

    def write_new(self, db: sqlite3.Connection) -> int:
        """Append the new rows as a blob; returns its size in bytes."""
        self._register(db)
        if not self._new:
            return 0
        body = packed(self.slice_, by_id(concatenated(self._new, FULL[self.slice_.kind]))).tobytes()
        number = (self.number << NUMBER_BITS) + self._blobs
        db.execute("INSERT INTO waiting_new VALUES (?, ?)", (number, body))
        return len(body)

    def write_run(self, db: sqlite3.Connection, number: int) -> int:
        """Write all rows in memory as a run instead of as blobs; returns the size in bytes."""
        self._register(db)
        rows = packed(self.slice_, self.memory.rows())
        self._put(db, self._table.write(number, len(rows), [rows]))
        self._delete_blobs(db)
        self._emptied = True
        return rows.nbytes

    def alike(self, most_rows: int) -> list[Run]:
        """Return the smallest runs of similar size that should be one of at most ``most_rows``."""
        runs = sorted(self._after, key=lambda run: run.rows)
        sizes = np.cumsum([0, *(run.rows for run in runs)])
        for first, run in enumerate(runs):
            last = int(np.searchsorted(sizes, sizes[first] + most_rows, "right")) - 1
            group = [other for other in runs[first:last] if other.rows <= ALIKE * run.rows]
            if len(group) >= ALIKE:
                return sorted(group, key=lambda run: run.number)
        return []

    def merge(self, db: sqlite3.Connection, runs: Sequence[Run], number: int) -> int:
        """Replace runs by one; returns the number of its rows."""
        rows = sum(run.rows for run in runs)
        self._put(db, self._table.write(number, rows, self._table.merged(runs)))
        for run in runs:
            self._table.delete(run)
            db.execute("DELETE FROM waiting_runs WHERE number = ?", (run.number,))
            self._after.remove(run)
        return rows

    def written(self) -> None:
        """Note that the commit is done: rows in a run leave memory."""
        self._stored = True
        self._blobs += bool(self._new)
        self._new = []
        self.runs = self._after
        if self._emptied:
            self.memory = MemoryRows()
        self.start()

    def delete(self, db: sqlite3.Connection) -> None:
        """Delete the slice from the file, but not its table."""
        self._delete_blobs(db)
        db.execute("DELETE FROM waiting_runs WHERE slice = ?", (self.number,))
        db.execute("DELETE FROM waiting_slices WHERE number = ?", (self.number,))

    def _register(self, db: sqlite3.Connection) -> None:
        if not self._stored:
            row = (self.number, *self.slice_)
            db.execute("INSERT INTO waiting_slices VALUES (?, ?, ?, ?)", row)

    def _put(self, db: sqlite3.Connection, run: Run) -> None:
        row = (run.number, self.number, run.rows, run.firsts.tobytes(), run.filter.bits.tobytes())
        db.execute("INSERT INTO waiting_runs VALUES (?, ?, ?, ?, ?)", row)
        self._after.append(run)

    def _delete_blobs(self, db: sqlite3.Connection) -> None:
        first = self.number << NUMBER_BITS
        last = first + (1 << NUMBER_BITS) - 1
        db.execute("DELETE FROM waiting_new WHERE number BETWEEN ? AND ?", (first, last))
