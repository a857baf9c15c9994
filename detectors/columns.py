r"""Columns as the profile takes them, and what the text of a cell means.

Text in a **numeric** feature, in this order:

* nothing at all is *missing*;
* exactly ``true`` or ``false`` is *boolean*;
* a number, with blanks and tabs around it or not, is a number: an optional sign, then digits with or without one decimal
  point (``7``, ``007``, ``7.``, ``.5``), with or without an exponent (``1e3``); or ``inf``, ``infinity``, ``nan``,
  ``nan(...)`` in upper or lower case (letters, digits and underscores between the brackets). Too large a number is
  infinite, too small a one is 0. Only ASCII digits count; ``1_000``, ``1,000``, ``0x1F`` and ``- 7`` are no numbers;
* anything else, a single blank too, is a *string*.

A finite number is *integral* or *fractional*. In a feature of integers the written form decides: a sign and digits alone
are integral, ``7.0`` and ``1e3`` are fractional. In a feature of fractions the value decides: whole numbers are integral.

Text in a **text** feature is a value as it stands, never trimmed; nothing at all is missing. Its written type follows the
patterns of the SageMaker contract, section 2: :func:`written_types`.

JSON cells: ``null`` and an absent key are missing; a string is read like text; ``true`` and ``false`` are boolean; ``7`` is
written as an integer, ``7.0`` and ``7e0`` are not. In a text feature a number stands for its shortest text (``7``, ``7.0``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from functools import cached_property
from itertools import chain
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detectors.layout import BOOLEAN, FRACTIONAL, INTEGRAL, MISSING, STRING

NUMBER: Final = (
    r"^[-+]?(([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?"
    r"|[iI][nN][fF]([iI][nN][iI][tT][yY])?|[nN][aA][nN](\([0-9A-Za-z_]*\))?)$"
)
"""A number in a numeric feature, without the blanks around it."""
WHOLE: Final = r"^[-+]?[0-9]+$"
"""The written form of an integer in a numeric feature."""
CONTRACT_INTEGRAL: Final = r"^(-|\+)? ?[0-9]+$"
CONTRACT_FRACTIONAL: Final = r"^(-|\+)? ?[0-9]+((\.[0-9]+)|((?:\.[0-9]+)?[Ee][-+]?[0-9]+))$"
CONTRACT_BOOLEAN: Final = r"^(true|false)$"


class Numbers(NamedTuple):
    """A column of a numeric feature, a value a row.

    ``values`` holds the numbers, NaN where a row has none. ``slots`` is ``None`` if every row is a number (NaN and the
    infinities included); otherwise it holds one of ``MISSING``, ``BOOLEAN``, ``STRING``, ``INTEGRAL``, ``FRACTIONAL`` of
    :mod:`detectors.layout` for each row; a row that was read as NaN or infinite stands there as ``FRACTIONAL``, and the
    value tells. Where ``slots`` is ``None``, ``integral`` decides: true, all finite values were written as integers;
    false, a finite value counts as integral if it is a whole number.
    """

    values: NDArray[np.float64]
    slots: NDArray[np.uint8] | None = None
    integral: bool = False


class Texts(NamedTuple):
    """A column of a text feature, a value a row; null means missing.

    The written type of each value (boolean, integral, fractional, string) is counted from its text by the rules of the
    SageMaker contract, section 2.
    """

    values: pa.StringArray


Column = Numbers | Texts


class Cut(Mapping[str, Column]):
    """Many columns of few rows that were cut out of one text together; each is made when it is asked for.

    ``numbers`` names the rows of ``matrix`` and ``slots``, both ``[columns, rows]`` as in :class:`Numbers`, ``integral`` is an entry a
    column. ``words`` holds the text columns of ``texts``, one behind the other.
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
        self.numbers, self.matrix, self.slots, self.integral = tuple(numbers), matrix, slots, integral
        self.texts, self.words = tuple(texts), words
        self.others: Mapping[str, Column] = {}
        self._order, self._rows = order, matrix.shape[1] if len(numbers) else len(words) // max(len(texts), 1)

    def beside(self, others: Mapping[str, Column]) -> Cut:
        """These columns and ``others`` of the same rows."""
        out = copy(self)
        out.others = others
        return out

    @cached_property
    def _places(self) -> dict[str, tuple[bool, int]]:
        return {name: (kind, j) for kind, names in ((True, self.numbers), (False, self.texts)) for j, name in enumerate(names)}

    def __getitem__(self, name: str) -> Column:
        if name in self.others:
            return self.others[name]
        numeric, j = self._places[name]
        if not numeric:
            return Texts(self.words.slice(j * self._rows, self._rows))
        return Numbers(self.matrix[j], None if self.slots is None else self.slots[j], bool(self.integral[j]))

    def __iter__(self) -> Iterator[str]:
        return chain(self._order, self.others)

    def __len__(self) -> int:
        return len(self._order) + len(self.others)


def side_by_side(parts: Sequence[Mapping[str, Column]]) -> Mapping[str, Column]:
    """The columns of several parts of the same rows."""
    cut = next((part for part in parts if isinstance(part, Cut)), None)
    others = {name: column for part in parts if part is not cut for name, column in part.items()}
    return others if cut is None else cut.beside(others)


def numbers_from_text(array: pa.StringArray, integral: bool) -> Numbers:
    """The numbers that some text stands for, by the grammar above; null is missing, like empty text.

    ``integral``: the feature holds integers, so the written form tells integral from fractional.

    >>> numbers_from_text(pa.array(["7", " 7.0", "", "x", "true", "1e999"]), integral=True).slots.tolist()
    [3, 4, 0, 2, 1, 4]
    """
    return numbers_from_texts([array], [integral])[0]


def numbers_from_texts(arrays: Sequence[pa.StringArray], integral: Sequence[bool]) -> list[Numbers]:
    """:func:`numbers_from_text` of several columns: read together, since most of the time goes into calls, not into values."""
    if not arrays:
        return []
    lengths = [len(array) for array in arrays]
    together = arrays[0] if len(arrays) == 1 else pa.concat_arrays(arrays)
    values, slots = _read(together, np.repeat(np.asarray(integral, bool), lengths))
    bounds = np.concatenate(([0], np.cumsum(lengths))).tolist()
    return [
        Numbers(values[start:stop], slots[start:stop], whole) for start, stop, whole in zip(bounds[:-1], bounds[1:], integral, strict=True)
    ]


def cut_numbers(
    cells: pa.StringArray, numeric: NDArray[np.bool_], integral: NDArray[np.bool_], typed: bool
) -> tuple[NDArray[np.float64], NDArray[np.uint8] | None, bool]:
    """:func:`numbers_from_text` of the numeric columns of a table whose ``cells`` lie row after row.

    ``numeric`` and ``integral`` have an entry a column. Returns values and slots, ``[numeric columns, rows]``, and whether every cell
    fitted its column's type. With ``typed`` that is tried first: then Arrow reads all of them in two calls.
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
            return _typed(values[:, numeric].T, filled[:, numeric].T, integral[numeric])
    by_column = np.arange(len(cells)).reshape(shape).T[numeric]
    read, slots = _read(cells.take(pa.array(by_column.ravel())), np.repeat(integral[numeric], shape[0]))
    return read.reshape(by_column.shape), slots.reshape(by_column.shape), False


def _typed(
    values: NDArray[np.float64], filled: NDArray[np.bool_], integral: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.uint8] | None, bool]:
    """Values with NaN where a cell is empty, and slots if there are such cells."""
    values = np.ascontiguousarray(values)
    if filled.all():
        return values, None, True
    values[~filled] = np.nan
    slots = _finite_slots(values, integral[:, None] | (values == np.floor(values)))
    slots[~filled] = MISSING
    return values, slots, True


def _lengths(array: pa.StringArray) -> NDArray[np.int32]:
    lengths: NDArray[np.int32] = np.diff(np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1])
    return lengths


def _cast(array: pa.StringArray, chosen: NDArray[np.bool_], kind: pa.DataType) -> NDArray[Any]:
    """The chosen cells read as this type, by rows; anything where none is chosen. Raises ``pa.ArrowInvalid`` if one does not fit."""
    _, offsets, data = array.buffers()
    bitmap = pa.py_buffer(np.packbits(chosen.ravel(), bitorder="little"))
    read = pc.cast(pa.StringArray.from_buffers(len(array), offsets, data, bitmap), kind)
    raw = np.frombuffer(read.buffers()[1], np.float64 if pa.types.is_floating(kind) else np.int64)[: len(array)]
    return raw.reshape(chosen.shape)


def _read(array: pa.StringArray, integral: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Values and slots: plain numbers (an optional minus, digits, perhaps a point) at once, all others by pattern."""
    if len(array) == 0:
        return np.empty(0), np.empty(0, np.uint8)
    text = _Bytes(array)
    odd = text.odd_rows()
    plain = text.array_without(odd)
    values = np.array(pc.cast(plain, pa.float64()).to_numpy(zero_copy_only=False))
    slots = _finite_slots(values, np.where(integral, ~text.pointed, values == np.floor(values)))
    if len(odd):
        values[odd], slots[odd] = _read_by_pattern(array.take(pa.array(odd)), integral[odd])
    return values, slots


def _read_by_pattern(array: pa.StringArray, integral: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    text, number = _split_numbers(array)
    values = pc.cast(text, pa.float64()).to_numpy(zero_copy_only=False)
    written = _mask(pc.match_substring_regex(text, WHOLE)) if integral.any() else integral
    slots = _finite_slots(values, np.where(integral, written, values == np.floor(values)))
    rest = np.flatnonzero(~number)
    if len(rest):
        slots[rest] = _slots_without_number(array.take(pa.array(rest)))
    return values, slots


def _finite_slots(values: NDArray[np.float64], whole: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.where(whole & np.isfinite(values), np.uint8(INTEGRAL), np.uint8(FRACTIONAL))


class _Bytes:
    """The bytes of a string array, looked at all together. ``pointed``: the rows with a decimal point."""

    def __init__(self, array: pa.StringArray) -> None:
        self._array = array
        _, self._offsets, self._bytes = array.buffers()
        ends = np.frombuffer(self._offsets, np.int32)[array.offset : array.offset + len(array) + 1]
        data = np.frombuffer(self._bytes, np.uint8) if self._bytes else np.empty(0, np.uint8)
        self._data, self._ends = data[ends[0] : ends[-1]], ends - ends[0]
        self._points = self._rows(np.flatnonzero(self._data == ord(".")))
        self.pointed = np.zeros(len(array), bool)
        self.pointed[self._points] = True

    def odd_rows(self) -> NDArray[np.int64]:
        """Rows that are anything but a plain number, null and empty ones too."""
        data, starts = self._data, self._ends[:-1]
        # The subtraction tests a range: bytes below the minus sign wrap around to large ones.
        strange = np.flatnonzero(((data - np.uint8(ord("-"))) > 12) | (data == ord("/")))
        minus = np.flatnonzero(data == ord("-"))
        odd = np.diff(self._ends) == 0
        odd[self._rows(strange)] = True
        minus_of = self._rows(minus)
        odd[minus_of[minus != starts[minus_of]]] = True
        odd[self._points[1:][np.diff(self._points) == 0]] = True
        odd[self._without_digit()] = True
        if self._array.null_count:
            odd |= _mask(self._array.is_null())
        return np.flatnonzero(odd)

    def _without_digit(self) -> NDArray[np.int64]:
        """Among rows of at most two bytes, those that are signs and points alone."""
        short = np.flatnonzero((np.diff(self._ends) - 1).view(np.uint32) < 2)
        first, last = self._data[self._ends[short]], self._data[self._ends[short + 1] - 1]
        lone: NDArray[np.int64] = short[(first < ord("0")) & (last < ord("0"))]
        return lone

    def array_without(self, rows: NDArray[np.int64]) -> pa.StringArray:
        """The array with these rows set to null; the text is not copied."""
        valid = np.ones(len(self._array) + self._array.offset, bool)
        valid[rows + self._array.offset] = False
        bitmap = pa.py_buffer(np.packbits(valid, bitorder="little"))
        return pa.StringArray.from_buffers(len(self._array), self._offsets, self._bytes, bitmap, -1, self._array.offset)

    def _rows(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row of each byte, by its place."""
        rows: NDArray[np.int64] = np.searchsorted(self._ends, places.astype(np.int32), side="right") - 1
        return rows


def numbers_from_array(array: pa.Array, integral: bool) -> Numbers:
    """The numbers of an Arrow array of integers or floats that was read as its type; null is missing.

    >>> numbers_from_array(pa.array([7.0, None, 0.5]), integral=False).slots.tolist()
    [3, 0, 4]
    """
    values = array.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
    if not array.null_count:
        return Numbers(values, None, integral)
    whole = np.isfinite(values) & (integral | (values == np.floor(values)))
    slots = np.where(whole, np.uint8(INTEGRAL), np.uint8(FRACTIONAL))
    slots[_mask(array.is_null())] = MISSING
    return Numbers(values, slots, integral)


def written_types(array: pa.StringArray) -> NDArray[np.uint8]:
    """The written type of each value by the contract's patterns: ``BOOLEAN``, ``INTEGRAL``, ``FRACTIONAL`` or ``STRING``.

    Null is ``MISSING``.

    >>> written_types(pa.array(["true", "- 7", "7.0", ".5", None])).tolist()
    [1, 3, 4, 2, 0]
    """
    slots = np.full(len(array), STRING, dtype=np.uint8)
    slots[_mask(pc.match_substring_regex(array, CONTRACT_INTEGRAL))] = INTEGRAL
    slots[_mask(pc.match_substring_regex(array, CONTRACT_FRACTIONAL))] = FRACTIONAL
    slots[_mask(pc.match_substring_regex(array, CONTRACT_BOOLEAN))] = BOOLEAN
    if array.null_count:
        slots[_mask(array.is_null())] = MISSING
    return slots


def _split_numbers(array: pa.StringArray) -> tuple[pa.StringArray, NDArray[np.bool_]]:
    """Text that can be cast, null where it is no number; and where it is one."""
    found = pc.match_substring_regex(array, NUMBER)
    number = _mask(found)
    if number.all():
        return array, number
    rest = pa.array(~number)
    trimmed = pc.utf8_trim(array.filter(rest), characters=" \t")
    late = pc.match_substring_regex(trimmed, NUMBER)
    text = pc.replace_with_mask(array, rest, pc.if_else(late, trimmed, pa.scalar(None, pa.string())))
    number[~number] = _mask(late)
    return text, number


def _slots_without_number(array: pa.StringArray) -> NDArray[np.uint8]:
    slots = np.full(len(array), STRING, dtype=np.uint8)
    slots[_mask(pc.match_substring_regex(array, CONTRACT_BOOLEAN))] = BOOLEAN
    slots[_mask(pc.equal(array, "")) | _mask(array.is_null())] = MISSING
    return slots


def _mask(array: pa.BooleanArray) -> NDArray[np.bool_]:
    """A writable mask; null is false."""
    mask: NDArray[np.bool_] = np.array(pc.fill_null(array, False))
    return mask
