"""Rows as the state file keeps them, and the rows of a sorted array that have some ids."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stream.labels.rows import LABEL, PREDICTION, Rows, taken
from stream.labels.store import Kind, Slice

Ids = NDArray[np.uint64]
"""Hashes of ids."""
FULL: Final[dict[Kind, np.dtype[Any]]] = {"predictions": PREDICTION, "labels": LABEL}
"""The rows of each kind in memory."""
SHORT_MS: Final = 1 << 32
"""The longest slice in which the offset of a time has four bytes: 49 days."""


def packed_type(slice_: Slice) -> np.dtype[Any]:
    """Return the rows of a slice on disk: times are offsets from its start, nothing is padded.

    >>> packed_type(Slice("predictions", 0, 86_400_000)).itemsize
    28
    >>> packed_type(Slice("labels", 0, 86_400_000)).itemsize
    36
    """
    full = FULL[slice_.kind]
    offset = "<u4" if slice_.length_ms <= SHORT_MS else "<u8"
    return np.dtype([(name, offset if name == "time_ms" else full[name]) for name in _names(full)])


def packed(slice_: Slice, rows: Rows) -> Rows:
    """Return rows as the file keeps them, in the same order."""
    small = np.empty(len(rows), packed_type(slice_))
    for name in _names(small.dtype):
        small[name] = rows[name] - slice_.start_ms if name == "time_ms" else rows[name]
    return small


def unpacked(slice_: Slice, small: Rows) -> Rows:
    """Return the rows that :func:`packed` made smaller."""
    rows = np.empty(len(small), FULL[slice_.kind])
    for name in _names(small.dtype):
        rows[name] = small[name]
    rows["time_ms"] += slice_.start_ms
    return rows


def by_id(rows: Rows) -> Rows:
    """Return rows in the order of their ids; those of one id stay in the order given."""
    order: NDArray[np.intp] = np.argsort(rows["id"], kind="stable")
    return taken(rows, order)


def matching(rows: Rows, row_ids: Ids, ids: Ids) -> Rows:
    """Return the rows with one of ``ids``; both are sorted, and ``row_ids`` are those of the rows.

    >>> rows = np.array([(2,), (3,), (3,), (7,)], [("id", "<u8")])
    >>> matching(rows, rows["id"], np.array([1, 3, 7, 9], "<u8"))["id"].tolist()
    [3, 3, 7]
    """
    first = np.searchsorted(row_ids, ids)
    inside = first < len(rows)
    first, ids = first[inside], ids[inside]
    held = row_ids[first] == ids
    first, ids = first[held], ids[held]
    lengths = np.searchsorted(row_ids, ids, "right") - first
    before = np.cumsum(lengths) - lengths
    places: NDArray[np.intp] = np.repeat(first - before, lengths) + np.arange(lengths.sum())
    return taken(rows, places)


def _names(type_: np.dtype[Any]) -> tuple[str, ...]:
    return type_.names or ()
