"""The rows of a slice that are in memory: those of the last commits, and those of the next one."""

from __future__ import annotations

from typing import Final

import numpy as np

from stream.labels.rows import Rows, concatenated
from stream.state.labels.packed import Ids, by_id, matching

_FEWEST_MARKS_LOG2: Final = 10
_MARKS: Final = 8
"""There are at least this many marks for each row, so that one of eight is set or fewer."""


class MemoryRows:
    """Sorted arrays of rows, each more than twice as long as the next.

    So there are few of them, and a row is sorted a few times only. The first bits of each id have a
    mark, which spares most searches for ids that are not there.
    """

    def __init__(self) -> None:
        self._arrays: list[tuple[Ids, Rows]] = []
        self._rows = 0
        self._mark(_FEWEST_MARKS_LOG2)

    def __len__(self) -> int:
        return self._rows

    def add(self, rows: Rows) -> None:
        """Add rows in the order of their ids."""
        self._rows += len(rows)
        while self._arrays and len(self._arrays[-1][0]) <= 2 * len(rows):
            rows = by_id(concatenated([self._arrays.pop()[1], rows], rows.dtype))
        ids = np.ascontiguousarray(rows["id"])
        self._arrays.append((ids, rows))
        if self._rows * _MARKS > len(self._marks):
            self._mark((self._rows * _MARKS).bit_length())
        else:
            self._marks[ids >> self._shift] = True

    def find(self, ids: Ids) -> list[Rows]:
        """Return the rows with one of these sorted ids, as sorted arrays, the oldest first."""
        ids = ids[self._marks[ids >> self._shift]]
        if not len(ids):
            return []
        return [matching(rows, row_ids, ids) for row_ids, rows in self._arrays]

    def rows(self) -> Rows:
        """Return all rows in the order of their ids; there must be some."""
        arrays = [rows for _, rows in self._arrays]
        return by_id(concatenated(arrays, arrays[0].dtype))

    def _mark(self, log2: int) -> None:
        """Mark all ids anew, with ``2**log2`` marks."""
        self._marks = np.zeros(1 << log2, bool)
        self._shift = np.uint64(64 - log2)
        for ids, _ in self._arrays:
            self._marks[ids >> self._shift] = True
