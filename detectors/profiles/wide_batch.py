"""A batch of many columns and few rows, read from one text and kept together until counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detectors.profiles.columns import (
    Column,
    Numbers,
    Texts,
    finite_slots,
    has_number_markers,
    read_texts,
    with_reading,
)
from detectors.profiles.layout import BOOLEAN, MISSING, STRING
from detectors.profiles.reading import CellReading


class WideBatch(Mapping[str, Column]):
    """Many columns of few rows that were read from one text; each is built when it is accessed.

    ``numbers`` names the rows of ``matrix`` and ``slots``, both ``[columns, rows]`` as in
    :class:`~detectors.profiles.columns.Numbers`; ``integral`` has one entry per column. ``words``
    holds the text columns that ``texts`` names, one after the other.
    """

    def __init__(
        self,
        order: Sequence[str],
        numbers: Sequence[str],
        matrix: NDArray[np.float64],
        slots: NDArray[np.uint8] | None,
        integral: NDArray[np.bool_],
        texts: Sequence[str],
        words: pa.StringArray,
    ) -> None:
        self.numbers = tuple(numbers)
        self.matrix = matrix
        self.slots = slots
        self.integral = integral
        self.texts = tuple(texts)
        self.words = words
        self.others: Mapping[str, Column] = {}
        self._order = order
        self._rows = matrix.shape[1] if len(numbers) else len(words) // max(len(texts), 1)

    def with_others(self, others: Mapping[str, Column]) -> WideBatch:
        """These columns and ``others`` of the same rows."""
        batch = copy(self)
        batch.others = others
        return batch

    @cached_property
    def _positions(self) -> dict[str, tuple[bool, int]]:
        """By name: whether a column is numeric, and its position among those of its kind."""
        return {
            name: (numeric, j)
            for numeric, names in ((True, self.numbers), (False, self.texts))
            for j, name in enumerate(names)
        }

    def __getitem__(self, name: str) -> Column:
        if name in self.others:
            return self.others[name]
        numeric, j = self._positions[name]
        if not numeric:
            return Texts(self.words.slice(j * self._rows, self._rows))
        slots = None if self.slots is None else self.slots[j]
        return Numbers(self.matrix[j], slots, bool(self.integral[j]))

    def __iter__(self) -> Iterator[str]:
        return chain(self._order, self.others)

    def __len__(self) -> int:
        return len(self._order) + len(self.others)


def side_by_side(parts: Sequence[Mapping[str, Column]]) -> Mapping[str, Column]:
    """The columns of several parts of the same rows, in one mapping."""
    wide = next((part for part in parts if isinstance(part, WideBatch)), None)
    others = {name: column for part in parts if part is not wide for name, column in part.items()}
    return others if wide is None else wide.with_others(others)


def cut_numbers(
    cells: pa.StringArray,
    numeric: NDArray[np.bool_],
    integral: NDArray[np.bool_],
    typed: bool,
    readings: Sequence[CellReading] = (),
) -> tuple[NDArray[np.float64], NDArray[np.uint8] | None, bool]:
    """The numbers of the numeric columns of a table, from its ``cells``, row after row.

    They are read as by :func:`detectors.profiles.columns.numbers_from_text`. ``numeric`` and
    ``integral`` have one entry per column, ``readings`` one per numeric column. Returns values and
    slots, ``[numeric columns, rows]``, and whether every cell fitted its column's type. With
    ``typed`` that is tried first: Arrow then reads all cells in two calls.
    """
    shape = len(cells) // len(numeric), len(numeric)
    filled = _lengths(cells).reshape(shape) > 0
    if typed:
        try:
            floats = _cast(cells, filled & (numeric & ~integral), pa.float64())
            values = np.where(integral, _cast(cells, filled & integral, pa.int64()), floats)
        except pa.ArrowInvalid:
            pass
        else:
            matrix, slots = _typed(values[:, numeric].T, filled[:, numeric].T, integral[numeric])
            return *_with_readings(matrix, slots, None, readings, integral[numeric]), True
    by_column = np.arange(len(cells)).reshape(shape).T[numeric]
    texts = cells.take(pa.array(by_column.ravel()))
    read, slots = read_texts(texts, np.repeat(integral[numeric], shape[0]))
    values, slots = read.reshape(by_column.shape), slots.reshape(by_column.shape)
    return *_with_readings(values, slots, texts, readings, integral[numeric]), False


def _with_readings(
    values: NDArray[np.float64],
    slots: NDArray[np.uint8] | None,
    texts: pa.StringArray | None,
    readings: Sequence[CellReading],
    integral: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.uint8] | None]:
    """The numbers of columns, each read with the markers and booleans of its feature.

    ``texts`` holds all cells, column after column.
    """
    rows = values.shape[1]
    unread = None if slots is None else ((slots == STRING) | (slots == BOOLEAN)).any(axis=1)
    for j, reading in enumerate(readings):
        by_value = has_number_markers(reading)
        if not by_value and (texts is None or unread is None or not unread[j]):
            continue
        column = Numbers(values[j], None if slots is None else slots[j], bool(integral[j]))
        written = None if texts is None else texts.slice(j * rows, rows)
        read = with_reading(column, written, reading)
        values[j] = read.values
        if read.slots is not None:
            if slots is None:
                slots = finite_slots(values, integral[:, None] | (values == np.floor(values)))
            slots[j] = read.slots
    return values, slots


def _typed(
    values: NDArray[np.float64], filled: NDArray[np.bool_], integral: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.uint8] | None]:
    """Values with NaN where a cell is empty, and slots if any cell is."""
    values = np.ascontiguousarray(values)
    if filled.all():
        return values, None
    values[~filled] = np.nan
    slots = finite_slots(values, integral[:, None] | (values == np.floor(values)))
    slots[~filled] = MISSING
    return values, slots


def _lengths(array: pa.StringArray) -> NDArray[np.int32]:
    """Bytes of each text."""
    offsets = np.frombuffer(array.buffers()[1], np.int32)
    lengths: NDArray[np.int32] = np.diff(offsets[array.offset : array.offset + len(array) + 1])
    return lengths


def _cast(array: pa.StringArray, chosen: NDArray[np.bool_], kind: pa.DataType) -> NDArray[Any]:
    """The chosen cells read as this type, by rows; arbitrary values where a cell is not chosen.

    Raises ``pa.ArrowInvalid`` if a chosen cell does not fit.
    """
    _, offsets, data = array.buffers()
    bitmap = pa.py_buffer(np.packbits(chosen.ravel(), bitorder="little"))
    read = pc.cast(pa.StringArray.from_buffers(len(array), offsets, data, bitmap), kind)
    dtype = np.float64 if pa.types.is_floating(kind) else np.int64
    values = np.frombuffer(read.buffers()[1], dtype)[: len(array)]
    return values.reshape(chosen.shape)
