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

from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detectors.layout import BOOLEAN, FRACTIONAL, INTEGRAL, MISSING, STRING

NUMBER: Final = r"^[-+]?(([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?|[iI][nN][fF]([iI][nN][iI][tT][yY])?|[nN][aA][nN](\([0-9A-Za-z_]*\))?)$"
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


def numbers_from_text(array: pa.StringArray, integral: bool) -> Numbers:
    """The numbers that some text stands for, by the grammar above; null is missing, like empty text.

    ``integral``: the feature holds integers, so the written form tells integral from fractional.

    >>> numbers_from_text(pa.array(["7", " 7.0", "", "x", "true", "1e999"]), integral=True).slots.tolist()
    [3, 4, 0, 2, 1, 4]
    """
    if len(array) == 0:
        return Numbers(np.empty(0), np.empty(0, np.uint8), integral)
    text = _Bytes(array)
    odd = text.odd_rows()
    plain = text.array_without(odd)
    try:
        values = pc.cast(plain, pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return _numbers_by_pattern(array, integral)
    whole = ~text.rows_with(ord(".")) if integral else values == np.floor(values)
    slots = np.where(whole & np.isfinite(values), np.uint8(INTEGRAL), np.uint8(FRACTIONAL))
    if len(odd):
        rest = _numbers_by_pattern(array.take(pa.array(odd)), integral)
        values, slots[odd] = values.copy(), rest.slots
        values[odd] = rest.values
    return Numbers(values, slots, integral)


def _numbers_by_pattern(array: pa.StringArray, integral: bool) -> Numbers:
    """The numbers by the patterns above, a value at a time."""
    text, number = _split_numbers(array)
    values = pc.cast(text, pa.float64()).to_numpy(zero_copy_only=False)
    finite = np.isfinite(values)
    whole = _mask(pc.match_substring_regex(text, WHOLE)) if integral else values == np.floor(values)
    slots = np.where(finite & whole, np.uint8(INTEGRAL), np.uint8(FRACTIONAL))
    if not number.all():
        rest = np.flatnonzero(~number)
        slots[rest] = _slots_without_number(array.take(pa.array(rest)))
    return Numbers(values, slots, integral)


class _Bytes:
    """The bytes of a string array, looked at all together."""

    def __init__(self, array: pa.StringArray) -> None:
        self._array = array
        _, offsets, data = array.buffers()
        self._buffers = offsets, data
        ends = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
        self._data = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]] if data else np.empty(0, np.uint8)
        self._ends = ends - ends[0]

    def odd_rows(self) -> NDArray[np.int64]:
        """Rows that are null, empty, a lone sign or point, or hold a byte that is no digit, point or minus."""
        # One subtraction tests a range: bytes below the minus sign wrap around to large ones.
        strange = ((self._data - np.uint8(45)) > 12) | (self._data == ord("/"))
        odd = self._rows(strange)
        length = np.diff(self._ends)
        odd |= length == 0
        short = np.flatnonzero(length == 1)
        odd[short] |= self._data[self._ends[short]] < ord("0")
        if self._array.null_count:
            odd |= _mask(self._array.is_null())
        return np.flatnonzero(odd)

    def rows_with(self, byte: int) -> NDArray[np.bool_]:
        """Where this byte occurs."""
        return self._rows(self._data == byte)

    def array_without(self, rows: NDArray[np.int64]) -> pa.StringArray:
        """The array with these rows set to null, without a copy."""
        valid = np.ones(len(self._array) + self._array.offset, bool)
        valid[rows + self._array.offset] = False
        bitmap = pa.py_buffer(np.packbits(valid, bitorder="little"))
        buffers = [bitmap, *self._buffers]
        return pa.StringArray.from_buffers(len(self._array), buffers[1], buffers[2], bitmap, -1, self._array.offset)

    def _rows(self, bytes_of: NDArray[np.bool_]) -> NDArray[np.bool_]:
        found = np.zeros(len(self._array), bool)
        places = np.flatnonzero(bytes_of)
        found[np.searchsorted(self._ends, places, side="right") - 1] = True
        return found


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
