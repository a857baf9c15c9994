"""The store of waiting predictions and labels in the state file.

**Layout.** The rows of a slice are in memory until there are enough of them; each commit appends
the new ones to the file as one blob. Once a slice has ``run_rows`` in memory, or all slices have
``memory_rows``, they become a sorted run in the table of the slice, in blocks of one page. Three
runs of similar size are merged, up to ``merged_rows``: a slice of n rows has at most
``3 n / merged_rows`` runs, and two for each power of three below. A slice that was dropped is
forgotten at once; each commit then removes at most ``merged_rows`` rows of its table, which goes as
a whole if it has no more.

**Memory.** At most ``memory_rows`` rows of 48 bytes, and those of the next commit; for each row in
a run two bytes of its filter and 0.07 bytes of first ids: 20 million rows in less than 100 MB.

**Time of a commit.** A commit writes the runs that are due, and merges until it has merged
``merged_rows`` rows, or as many as it wrote if these are more.

**Collisions.** Ids are known by a hash of 64 bits. Among n waiting ids, two have the same hash with
a chance of at most ``n (n - 1) / 2**65``: 1.1e-5 for 20 million. One of m labels of other ids
has the hash of one of them with a chance of at most ``m n / 2**64``: 1.1e-3 for a billion labels.
Then a label counts for another prediction as well: one row of the metrics is wrong, and every
ledger still balances.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.labels.rows import Rows
from stream.labels.store import Kind, Slice
from stream.state.labels.packed import FULL
from stream.state.labels.runs import Run, remove, tables
from stream.state.labels.waiting_slice import NUMBER_BITS, WaitingSlice
from stream.state.sqlite_errors import reported_damage, translated_errors

_FEWEST_ROWS_OF_BLOCK: Final = 100


class JoinSizes(NamedTuple):
    """When rows leave memory, and how large a merged run becomes at most, in rows."""

    run_rows: int = 200_000
    memory_rows: int = 1_000_000
    merged_rows: int = 1_000_000


class SqliteJoinStore:
    """Waiting rows in the file of the store, written by its commits.

    Raises ``StateUnreadable`` and ``StateUnwritable`` as the store does. After a commit that failed
    everything is as before it, and the commit may be repeated.
    """

    def __init__(self, path: Path, db: sqlite3.Connection, sizes: JoinSizes | None = None) -> None:
        self._path = path
        self._db = db
        self._sizes = sizes or JoinSizes()
        self._slices: dict[Slice, WaitingSlice] = {}
        self._dropped: list[WaitingSlice] = []
        self._next_slice = self._next_run = 1
        self._load()

    def slices(self) -> Sequence[Slice]:
        return list(self._slices)

    def find(self, slice_: Slice, ids: NDArray[np.uint64]) -> Rows:
        content = self._slices.get(slice_)
        if content is None or not len(ids):
            return np.empty(0, FULL[slice_.kind])
        return content.find(ids)

    def add(self, slice_: Slice, rows: Rows) -> None:
        """Add rows; raises ``ValueError`` for a time outside of the slice."""
        if not len(rows):
            return
        first, last = int(rows["time_ms"].min()), int(rows["time_ms"].max())
        if first < slice_.start_ms or last >= slice_.start_ms + slice_.length_ms:
            raise ValueError(f"rows with times from {first} to {last} in {slice_}")
        if slice_ not in self._slices:
            self._slices[slice_] = self._new_slice(slice_, self._next_slice)
        self._slices[slice_].add(rows)

    def drop(self, slice_: Slice) -> None:
        content = self._slices.pop(slice_, None)
        if content is not None:
            self._dropped.append(content)

    def rows(self) -> int:
        """Return the number of rows in all slices."""
        return sum(content.rows for content in self._slices.values())

    def write(self, db: sqlite3.Connection) -> int:
        """Write the changes, inside the store's transaction; returns the number of bytes."""
        for content in self._dropped:
            content.delete(db)
        self._remove_unused(db)
        for content in self._slices.values():
            content.start()
        due = self._due()
        kept = [content for content in self._slices.values() if content not in due]
        size = sum(content.write_new(db) for content in kept)
        size += sum(content.write_run(db, self._new_run()) for content in due)
        rows = sum(len(content.memory) for content in due)
        self._merge(db, max(rows, self._sizes.merged_rows))
        return size

    def written(self) -> None:
        """Note that the changes are committed."""
        self._dropped.clear()
        for content in self._slices.values():
            content.written()

    def _due(self) -> list[WaitingSlice]:
        """The slices whose rows in memory become a run, the largest first."""
        largest = sorted(self._slices.values(), key=lambda content: -len(content.memory))
        left = sum(len(content.memory) for content in largest)
        most = self._sizes.memory_rows // 2 if left > self._sizes.memory_rows else left
        due: list[WaitingSlice] = []
        for content in largest:
            if len(content.memory) < self._sizes.run_rows and left <= most:
                break
            due.append(content)
            left -= len(content.memory)
        return due

    def _merge(self, db: sqlite3.Connection, rows: int) -> None:
        """Merge runs until ``rows`` rows were merged, or none are alike."""
        most = self._sizes.merged_rows
        for content in self._slices.values():
            while rows > 0 and (runs := content.alike(most)):
                rows -= content.merge(db, runs, self._new_run())

    def _remove_unused(self, db: sqlite3.Connection) -> None:
        """Remove about ``merged_rows`` rows from the tables of dropped slices."""
        left = max(self._sizes.merged_rows // _FEWEST_ROWS_OF_BLOCK, 1)
        used = {content.number for content in self._slices.values()}
        for number in tables(db):
            if number not in used and left > 0:
                left = remove(db, number, left)

    def _new_run(self) -> int:
        self._next_run += 1
        return self._next_run - 1

    def _new_slice(self, slice_: Slice, number: int) -> WaitingSlice:
        self._next_slice = max(self._next_slice, number + 1)
        return WaitingSlice(self._path, self._db, slice_, number)

    def _load(self) -> None:
        with translated_errors(self._path), reported_damage(self._path, "the list of slices"):
            rows = self._db.execute("SELECT number, kind, start_ms, length_ms FROM waiting_slices")
            numbered = msgspec.convert(rows.fetchall(), list[tuple[int, Kind, int, int]])
            runs = self._stored_runs()
            blobs = self._stored_blobs()
            present = tables(self._db)
            if not runs.keys() <= set(present):
                raise ValueError("a slice without its table")
            for number, kind, start_ms, length_ms in numbered:
                content = self._new_slice(Slice(kind, start_ms, length_ms), number)
                content.load(runs.pop(number, []), blobs.pop(number, []))
                self._slices[content.slice_] = content
            if runs or blobs or len(self._slices) < len(numbered):
                raise ValueError("rows of no slice, or a slice twice")
            self._next_slice = max([self._next_slice, *(number + 1 for number in present)])

    def _stored_runs(self) -> dict[int, list[Run]]:
        """The runs by the number of their slice."""
        query = "SELECT number, slice, row_count, firsts, filter FROM waiting_runs ORDER BY number"
        runs: dict[int, list[Run]] = {}
        for row in self._db.execute(query):
            number, slice_, count, firsts, bits = msgspec.convert(
                row, tuple[int, int, int, bytes, bytes]
            )
            runs.setdefault(slice_, []).append(Run.decode(number, count, firsts, bits))
            self._next_run = number + 1
        return runs

    def _stored_blobs(self) -> dict[int, list[tuple[int, bytes]]]:
        """The blobs by the number of their slice, each with its own number there."""
        blobs: dict[int, list[tuple[int, bytes]]] = {}
        for row in self._db.execute("SELECT number, body FROM waiting_new ORDER BY number"):
            number, body = msgspec.convert(row, tuple[int, bytes])
            own = number & ((1 << NUMBER_BITS) - 1)
            blobs.setdefault(number >> NUMBER_BITS, []).append((own, body))
        return blobs


def clear(db: sqlite3.Connection) -> None:
    """Remove all slices, inside the store's transaction."""
    for number in tables(db):
        remove(db, number, sys.maxsize)
    for name in ("waiting_slices", "waiting_new", "waiting_runs"):
        db.execute(f"DELETE FROM {name}")  # noqa: S608  # the names are constants
