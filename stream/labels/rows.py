"""Predictions and labels as rows of fixed size, as they travel and as the state keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.quality.classes import class_name as class_name  # noqa: PLC0414  # used with rows
from stream.events import DeadLetter, DiscoveredPartition, ModelKey, Position

PREDICTION: Final = np.dtype(
    [
        ("id", "<u8"),
        ("time_ms", "<i8"),
        ("key", "<u2"),
        ("row", "<u2"),
        ("rows", "<u2"),
        ("code", "<i2"),
        ("value", "<f8"),
    ]
)
"""One predicted row.

``id`` is the hash of the event's id, ``time_ms`` the start of its pane. ``key`` is an index of a
model and variant. Row ``row`` of the ``rows`` of its event. Classification: ``code`` is the
predicted class (binary: 1 positive, 0 negative; multiclass: an index of class names) and ``value``
the probability, NaN without one. Regression: ``code`` is 0 and ``value`` the predicted number.
"""
LABEL: Final = np.dtype(
    [
        ("id", "<u8"),
        ("time_ms", "<i8"),
        ("sequence", "<u8"),
        ("partition", "<u2"),
        ("row", "<u2"),
        ("rows", "<u2"),
        ("code", "<i2"),
        ("value", "<f8"),
    ]
)
"""One label of one row.

``time_ms`` is the mark of the label's partition after reading it, :data:`UNTIMED_MS` before the
first mark; ``sequence`` is the number of the record in its partition, from 0. ``code`` is an index
of texts for a label that is a text, -1 for one that is the number ``value``.
"""
MOST_ROWS: Final = 65_535
"""The largest number of rows of an event that can wait for labels."""
NUMBER: Final = -1
"""The ``code`` of a label that is a number."""
MOST_TEXTS: Final = 32_767
"""The largest number of different texts of a :class:`LabelRange`."""
UNTIMED_MS: Final = -(1 << 62)
"""The ``time_ms`` of a label without a time, plus a number of a slice of event time."""
UNTIMED_BELOW_MS: Final = -(1 << 61)
"""The ``time_ms`` of a label without a time is below this."""

Rows = NDArray[np.void]
"""An array of :data:`PREDICTION` or :data:`LABEL` rows."""


def is_untimed(time_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return a mask of the labels without a time."""
    return time_ms < UNTIMED_BELOW_MS


def taken(rows: Rows, which: NDArray[np.integer] | NDArray[np.bool_]) -> Rows:
    """Return a copy of the rows with some indices, or of those that a mask has.

    As ``rows[which]``, which copies field by field and takes ten times as long.

    >>> rows = np.array([(5,), (6,), (7,)], [("id", "<u8")])
    >>> taken(rows, np.array([2, 0]))["id"], taken(rows, rows["id"] > 5)["id"]
    (array([7, 5], dtype=uint64), array([6, 7], dtype=uint64))
    """
    return rows.take(np.flatnonzero(which) if which.dtype == np.bool_ else which)


def concatenated(parts: Sequence[Rows], dtype: np.dtype[Any]) -> Rows:
    """Return the rows of all parts, which have this type; the result may be one of them.

    >>> concatenated([], PREDICTION).shape, concatenated([np.zeros(2, LABEL)] * 2, LABEL).shape
    ((0,), (4,))
    """
    filled = [rows for rows in parts if len(rows)]
    if len(filled) == 1:
        return filled[0]
    opaque = np.dtype(("V", dtype.itemsize))  # else it is copied field by field
    return np.concatenate([np.empty(0, opaque), *(rows.view(opaque) for rows in filled)]).view(
        dtype
    )


def distinct(ids: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the distinct ids, sorted; for ids that hardly repeat faster than ``np.unique``.

    >>> distinct(np.array([7, 3, 7], np.uint64))
    array([3, 7], dtype=uint64)
    """
    ordered = np.sort(ids)
    first = np.ones(len(ordered), bool)
    first[1:] = ordered[1:] != ordered[:-1]
    return ordered[first]


class Predictions(msgspec.Struct, frozen=True, kw_only=True):
    """The predictions of a partial that may wait for labels.

    ``rows`` are :data:`PREDICTION` rows in bytes, whose ``key`` is an index into ``keys`` and whose
    ``code``, of a multiclass problem, is one into ``classes``. The rows of one event follow each
    other. ``untaken`` counts the events that cannot wait, by reason: ``without_id``,
    ``unusable_prediction``, ``unknown_class``, ``too_many_rows``, ``not_sampled``.
    """

    keys: tuple[ModelKey, ...] = ()
    classes: tuple[str, ...] = ()
    rows: bytes = b""
    untaken: dict[str, int] = {}


class LabelRange(msgspec.Struct, frozen=True, kw_only=True):
    """The range ``[first, next)`` of one partition of the label log, and what it holds.

    ``read`` is the number of records. ``rows`` are :data:`LABEL` rows in bytes whose ``partition``
    is 0 and whose ``sequence`` counts the records of this range from 0; a ``code`` is an index into
    ``texts``. The rows of one label follow each other. ``positions`` has the position of each
    record. ``rejected`` counts the records that are no label, by reason, and those that are not in
    the sample (``not_sampled``). ``mark_ms`` is the highest time of a label in the partition up to
    ``next``, ``None`` before the first time.
    """

    partition: str
    claim: int
    first: Position
    next: Position
    mark_ms: int | None
    at_end: bool
    read: int
    rows: bytes
    texts: tuple[str, ...]
    positions: list[Position]
    rejected: dict[str, int]
    letters: list[DeadLetter] = []
    arrival_ms: int | None = None
    ended: bool = False
    children: tuple[DiscoveredPartition, ...] = ()
