"""Sorted runs of rows in the table of a slice."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.labels.rows import Rows, concatenated
from stream.labels.store import Slice
from stream.state.labels.id_filter import FilterInMaking, IdFilter
from stream.state.labels.packed import Ids, by_id, matching, packed_type
from stream.state.sqlite_errors import reported_damage, translated_errors

BLOCK_BYTES: Final = 4_040
"""The largest block: with SQLite's headers it fills one page of 4,096 bytes."""
READ_BLOCKS: Final = 256
"""The blocks of a run that a merge reads at a time: one megabyte."""
_PREFIX: Final = "waiting_"
SCAN: Final = 3
"""All blocks of a range are read if every third of them is needed."""
_BLOCKS_BITS: Final = 28
"""A run has at most ``2**28`` blocks."""


class Run(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A sorted run of ``rows`` rows: the first id of each of its blocks, and its filter."""

    number: int
    rows: int
    firsts: Ids
    filter: IdFilter

    @classmethod
    def decode(cls, number: int, rows: int, firsts: bytes, bits: bytes) -> Run:
        """Return a run with its first ids and its filter in bytes; raises ``ValueError``."""
        filter_ = IdFilter(np.frombuffer(bits, np.uint8))
        return cls(
            number=number, rows=rows, firsts=np.frombuffer(firsts, np.uint64), filter=filter_
        )

    @property
    def keys(self) -> tuple[int, int]:
        """The first and the last key that its blocks can have."""
        return self.number << _BLOCKS_BITS, ((self.number + 1) << _BLOCKS_BITS) - 1


class SliceTable:
    """The table with the runs of one slice: rows of ``BLOCK_BYTES`` or fewer by number.

    Raises ``StateUnreadable`` for blocks that are missing, cut, or not in order.
    """

    def __init__(self, path: Path, db: sqlite3.Connection, slice_: Slice, number: int) -> None:
        self._path = path
        self._db = db
        self._type: np.dtype[Any] = packed_type(slice_)
        self.block_rows = BLOCK_BYTES // self._type.itemsize
        self.name = f"{_PREFIX}{number}"

    def find(self, run: Run, ids: Ids) -> Rows:
        """Return the packed rows of a run with one of these sorted ids, in their order."""
        ids = run.filter.possible(ids)
        blocks = _blocks_with(run.firsts, ids)
        if not len(blocks):
            return np.empty(0, self._type)
        rows = self._read(run, blocks)
        return matching(rows, np.ascontiguousarray(rows["id"]), ids)

    def write(self, number: int, rows: int, sorted_rows: Iterable[Rows]) -> Run:
        """Store a run of ``rows`` packed rows, which are given in the order of their ids."""
        self._db.execute(
            f"CREATE TABLE IF NOT EXISTS {self.name}"
            " (block INTEGER PRIMARY KEY, body BLOB NOT NULL)"
        )
        filter_ = FilterInMaking(rows)
        firsts: list[Ids] = []
        key = number << _BLOCKS_BITS
        for blocks in _whole_blocks(sorted_rows, self.block_rows):
            ids = np.ascontiguousarray(blocks["id"])
            filter_.add(ids)
            firsts.append(ids[:: self.block_rows].copy())
            key = self._insert(key, blocks)
        return Run(
            number=number, rows=rows, firsts=np.concatenate(firsts), filter=filter_.finished()
        )

    def _insert(self, key: int, rows: Rows) -> int:
        """Insert rows as blocks from ``key`` on; returns the next key."""
        size = self.block_rows * self._type.itemsize
        content = rows.tobytes()
        bodies = [content[start : start + size] for start in range(0, len(content), size)]
        self._db.executemany(
            f"INSERT INTO {self.name} VALUES (?, ?)",  # noqa: S608  # the name has only a number
            enumerate(bodies, key),
        )
        return key + len(bodies)

    def delete(self, run: Run) -> None:
        """Delete the blocks of a run."""
        query = f"DELETE FROM {self.name} WHERE block BETWEEN ? AND ?"  # noqa: S608
        self._db.execute(query, run.keys)

    def merged(self, runs: Sequence[Run]) -> Iterator[Rows]:
        """Yield the packed rows of several runs in the order of their ids.

        About ``READ_BLOCKS`` blocks of each run are in memory. Rows of one id stay in the order of
        the runs.
        """
        held = [np.empty(0, self._type) for _ in runs]
        read = [0] * len(runs)
        while unread := [k for k, run in enumerate(runs) if read[k] < len(run.firsts)]:
            k = min(unread, key=lambda k: int(runs[k].firsts[read[k]]))
            stop = min(read[k] + READ_BLOCKS, len(runs[k].firsts))
            new = self._read(runs[k], np.arange(read[k], stop))
            held[k] = concatenated([held[k], new], self._type)
            read[k] = stop
            nexts = [r.firsts[n] for r, n in zip(runs, read, strict=True) if n < len(r.firsts)]
            cuts = [np.searchsorted(rows["id"], min(nexts)) if nexts else None for rows in held]
            parts = [rows[:cut] for rows, cut in zip(held, cuts, strict=True)]
            held = [rows[cut:] if nexts else rows[:0] for rows, cut in zip(held, cuts, strict=True)]
            yield by_id(concatenated(parts, self._type))

    def _read(self, run: Run, blocks: NDArray[np.intp]) -> Rows:
        """Read the rows in some blocks, whose numbers rise; there must be some."""
        with translated_errors(self._path):
            bodies = self._bodies((run.keys[0] + blocks).tolist())
        lengths = np.full(len(blocks), self.block_rows * self._type.itemsize)
        with reported_damage(self._path, "a block of waiting rows"):
            if blocks[-1] == len(run.firsts) - 1:
                lengths[-1] -= (self.block_rows * len(run.firsts) - run.rows) * self._type.itemsize
            return self._checked(bodies, run.firsts[blocks], lengths)

    def _bodies(self, keys: list[int]) -> list[bytes]:
        """The blocks with these keys, by one query: each costs more than reading a block."""
        where = "IN (SELECT value FROM json_each(?))"
        values: tuple[int | str, ...] = (json.dumps(keys),)
        if keys[-1] - keys[0] == len(keys) - 1:
            where, values = "BETWEEN ? AND ?", (keys[0], keys[-1])
        query = f"SELECT body FROM {self.name} WHERE block {where} ORDER BY block"  # noqa: S608
        return [body for (body,) in self._db.execute(query, values).fetchall()]

    def _checked(self, bodies: list[bytes], firsts: Ids, lengths: NDArray[np.int64]) -> Rows:
        """Join blocks, which must have these first ids and lengths in bytes."""
        if [len(body) for body in bodies] != lengths.tolist():
            raise ValueError("its length")
        rows = np.frombuffer(b"".join(bodies), self._type)
        ids = rows["id"]
        if (ids[:: self.block_rows] != firsts).any() or (ids[1:] < ids[:-1]).any():
            raise ValueError("the order of its ids")
        return rows


def tables(db: sqlite3.Connection) -> list[int]:
    """Return the numbers of all slices that have a table."""
    query = f"SELECT name FROM sqlite_master WHERE name GLOB '{_PREFIX}[0-9]*'"  # noqa: S608
    return [int(name.removeprefix(_PREFIX)) for (name,) in db.execute(query).fetchall()]


def remove(db: sqlite3.Connection, number: int, most_blocks: int) -> int:
    """Remove a table, or as many blocks of it as may be removed; returns how many more may be.

    The table is gone if that is more than 0.
    """
    name = f"{_PREFIX}{number}"
    query = f"SELECT block FROM {name} ORDER BY block LIMIT 1 OFFSET ?"  # noqa: S608
    last = db.execute(query, (most_blocks - 1,)).fetchone()
    if last is not None:
        db.execute(f"DELETE FROM {name} WHERE block <= ?", last)  # noqa: S608
        return 0
    (blocks,) = db.execute(f"SELECT count(*) FROM {name}").fetchone()  # noqa: S608
    db.execute(f"DROP TABLE {name}")
    return most_blocks - int(blocks)


def _blocks_with(firsts: Ids, ids: Ids) -> NDArray[np.intp]:
    """The blocks that may have one of ``ids``; all between them, if these are not many more.

    The rows of an id may begin in the block before the one that begins with it.
    """
    start = np.maximum(np.searchsorted(firsts, ids) - 1, 0)
    stop = np.searchsorted(firsts, ids, "right")
    edges = np.bincount(start, minlength=len(firsts) + 1)
    edges -= np.bincount(stop, minlength=len(firsts) + 1)
    blocks = np.flatnonzero(np.cumsum(edges[:-1]) > 0)
    if len(blocks) and blocks[-1] - blocks[0] < SCAN * len(blocks):
        return np.arange(blocks[0], blocks[-1] + 1)
    return blocks


def _whole_blocks(sorted_rows: Iterable[Rows], block_rows: int) -> Iterator[Rows]:
    """Yield the same rows in multiples of ``block_rows``, and at last those that are left."""
    left: Rows | None = None
    for part in sorted_rows:
        rows = part if left is None else concatenated([left, part], part.dtype)
        whole = len(rows) // block_rows * block_rows
        left = rows[whole:]
        if whole:
            yield rows[:whole]
    if left is not None and len(left):
        yield left
