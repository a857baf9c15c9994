r"""The columns that a profile counts, and how the text of a cell is read.

Text in a **numeric** feature, in this order:

* empty text is *missing*;
* exactly ``true`` or ``false`` is *boolean*;
* a number, with blanks and tabs around it or not, is a number: an optional sign, then digits with
  or without one decimal point (``7``, ``007``, ``7.``, ``.5``), with or without an exponent
  (``1e3``); or ``inf``, ``infinity``, ``nan``, ``nan(...)`` in upper or lower case (letters, digits
  and underscores between the brackets). Too large a number is infinite, too small a one is 0. Only
  ASCII digits count; ``1_000``, ``1,000``, ``0x1F`` and ``- 7`` are not numbers;
* anything else, a single blank too, is a *string*.

A finite number is *integral* or *fractional*. In a feature of integers the written form decides: a
sign and digits alone are integral, ``7.0`` and ``1e3`` are fractional. In a feature of fractions
the value decides: whole numbers are integral.

A text that is not a number is then looked up in the feature's *reading*
(:mod:`detectors.profiles.reading`): a marker is missing, and in a feature of booleans the spellings
of true and false are 1 and 0.

Text in a **text** feature is a value without the blanks around it; empty text and the feature's
markers are missing, see :mod:`detectors.profiles.vocabulary`. Its written
type follows the patterns of SageMaker Model Monitor (:func:`written_types`), see
``docs/sagemaker-compatibility.md``.

JSON cells: ``null`` and an absent key are missing; a string is read like text; ``true`` and
``false`` are boolean; ``7`` is written as an integer, ``7.0`` and ``7e0`` are not. In a text
feature a number is its shortest text (``7``, ``7.0``).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detectors.profiles.layout import BOOLEAN, FRACTIONAL, INTEGRAL, MISSING, STRING
from detectors.profiles.reading import PLAIN, CellReading, MarkedNumbers

NUMBER: Final = (
    r"^[-+]?(([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?"
    r"|[iI][nN][fF]([iI][nN][iI][tT][yY])?|[nN][aA][nN](\([0-9A-Za-z_]*\))?)$"
)
"""A number in a numeric feature, without the blanks around it."""
WHOLE: Final = r"^[-+]?[0-9]+$"
"""The written form of an integer in a numeric feature."""
SAGEMAKER_INTEGRAL: Final = r"^(-|\+)? ?[0-9]+$"
SAGEMAKER_FRACTIONAL: Final = r"^(-|\+)? ?[0-9]+((\.[0-9]+)|((?:\.[0-9]+)?[Ee][-+]?[0-9]+))$"
SAGEMAKER_BOOLEAN: Final = r"^(true|false)$"


class Numbers(NamedTuple):
    """A column of a numeric feature, one value per row.

    ``values`` holds the numbers, NaN where a row has none. ``slots`` is ``None`` if every row is a
    number (NaN and the infinities included). Otherwise it holds one of ``MISSING``, ``BOOLEAN``,
    ``STRING``, ``INTEGRAL``, ``FRACTIONAL`` of :mod:`detectors.profiles.layout` for each row; a row
    that was read as NaN or infinite is ``FRACTIONAL`` there, and its value distinguishes them.
    Where ``slots`` is ``None``, ``integral`` decides: if true, all finite values were written as
    integers; if false, a finite value counts as integral if it is a whole number.
    """

    values: NDArray[np.float64]
    slots: NDArray[np.uint8] | None = None
    integral: bool = False


class Texts(NamedTuple):
    """A column of a text feature, one value per row; null means missing.

    The written type of each value (boolean, integral, fractional, string) is counted from its text,
    see :func:`written_types`.
    """

    values: pa.StringArray


Column = Numbers | Texts


class EncodedTexts:
    """The dictionaries of the text columns of a batch, each made when it is first asked for."""

    def __init__(self) -> None:
        self._encoded: dict[str, pa.DictionaryArray] = {}

    def rows(self, name: str, column: Texts, start: int, stop: int) -> pa.DictionaryArray:
        """The rows ``[start, stop)`` of a column; the dictionary is that of all of its rows."""
        if name not in self._encoded:
            self._encoded[name] = pc.dictionary_encode(column.values)
        return self._encoded[name].slice(start, stop - start)


def numbers_from_text(
    array: pa.StringArray, integral: bool, reading: CellReading = PLAIN
) -> Numbers:
    """The numbers of texts, by the grammar above; null is missing, like empty text.

    ``integral``: the feature holds integers, so the written form decides integral or fractional.
    ``reading``: the markers of the feature, and whether it holds booleans.

    >>> texts = pa.array(["7", " 7.0", "", "x", "true", "1e999"])
    >>> numbers_from_text(texts, integral=True).slots.tolist()
    [3, 4, 0, 2, 1, 4]
    """
    return with_reading(numbers_from_texts([array], [integral])[0], array, reading)


def with_reading(numbers: Numbers, texts: pa.StringArray | None, reading: CellReading) -> Numbers:
    """The numbers of a column, read with the markers and booleans of its feature.

    ``texts`` are the cells as they were written, ``None`` if none of them is a text. The arrays of
    ``numbers`` may be changed.
    """
    if reading == PLAIN:
        return numbers
    marked = _marked_numbers(reading)
    values, slots = numbers.values, numbers.slots
    if texts is not None and slots is not None:
        rest = np.flatnonzero((slots == STRING) | (slots == BOOLEAN))
        if len(rest):
            missing, read = marked.of_texts(texts.take(pa.array(rest)))
            slots[rest[missing]] = MISSING
            number = ~np.isnan(read) & ~missing
            slots[rest[number]], values[rest[number]] = INTEGRAL, read[number]
    if marked.has_values:
        return _without_markers(Numbers(values, slots, numbers.integral), marked)
    return numbers


def _without_markers(numbers: Numbers, marked: MarkedNumbers) -> Numbers:
    """The numbers, missing where a number is a marker."""
    hit = marked.of_values(numbers.values)
    if numbers.slots is not None:
        hit &= numbers.slots >= INTEGRAL
    if not hit.any():
        return numbers
    values = np.where(hit, np.nan, numbers.values)
    slots = numbers.slots
    if slots is None:
        slots = finite_slots(values, numbers.integral | (values == np.floor(values)))
    return Numbers(values, np.where(hit, np.uint8(MISSING), slots), numbers.integral)


def has_number_markers(reading: CellReading) -> bool:
    """Return whether a marker of a numeric feature is a number."""
    return reading != PLAIN and _marked_numbers(reading).has_values


@lru_cache(maxsize=4096)
def _marked_numbers(reading: CellReading) -> MarkedNumbers:
    return MarkedNumbers(reading)


def numbers_from_texts(arrays: Sequence[pa.StringArray], integral: Sequence[bool]) -> list[Numbers]:
    """:func:`numbers_from_text` of several columns, without markers and booleans.

    They are read together: for short columns, calls cost more than values.
    """
    if not arrays:
        return []
    lengths = [len(array) for array in arrays]
    together = arrays[0] if len(arrays) == 1 else pa.concat_arrays(arrays)
    values, slots = read_texts(together, np.repeat(np.asarray(integral, bool), lengths))
    bounds = np.concatenate(([0], np.cumsum(lengths))).tolist()
    return [
        Numbers(values[start:stop], slots[start:stop], whole)
        for start, stop, whole in zip(bounds[:-1], bounds[1:], integral, strict=True)
    ]


def read_texts(
    array: pa.StringArray, integral: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Values and slots of texts.

    Plain numbers (digits, perhaps a minus and a point) are read together, all others by pattern.
    """
    if len(array) == 0:
        return np.empty(0), np.empty(0, np.uint8)
    text = _Bytes(array)
    others = text.rows_not_plain()
    plain = text.array_without(others)
    values = np.array(pc.cast(plain, pa.float64()).to_numpy(zero_copy_only=False))
    slots = finite_slots(values, np.where(integral, ~text.pointed, values == np.floor(values)))
    if len(others):
        read = _read_by_pattern(array.take(pa.array(others)), integral[others])
        values[others], slots[others] = read
    return values, slots


def _read_by_pattern(
    array: pa.StringArray, integral: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    text, number = _split_numbers(array)
    values = pc.cast(text, pa.float64()).to_numpy(zero_copy_only=False)
    written = _mask(pc.match_substring_regex(text, WHOLE)) if integral.any() else integral
    slots = finite_slots(values, np.where(integral, written, values == np.floor(values)))
    rest = np.flatnonzero(~number)
    if len(rest):
        slots[rest] = _slots_without_number(array.take(pa.array(rest)))
    return values, slots


def finite_slots(values: NDArray[np.float64], whole: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """``INTEGRAL`` for finite values that are whole, ``FRACTIONAL`` for all others."""
    return np.where(whole & np.isfinite(values), np.uint8(INTEGRAL), np.uint8(FRACTIONAL))


class _Bytes:
    """The bytes of a string array, read together. ``pointed``: the rows with a decimal point."""

    def __init__(self, array: pa.StringArray) -> None:
        self._array = array
        _, self._offsets, self._bytes = array.buffers()
        ends = np.frombuffer(self._offsets, np.int32)[array.offset : array.offset + len(array) + 1]
        data = np.frombuffer(self._bytes, np.uint8) if self._bytes else np.empty(0, np.uint8)
        self._data = data[ends[0] : ends[-1]]
        self._ends = ends - ends[0]
        self._points = self._rows(np.flatnonzero(self._data == ord(".")))
        self.pointed = np.zeros(len(array), bool)
        self.pointed[self._points] = True

    def rows_not_plain(self) -> NDArray[np.int64]:
        """Rows that are anything but a plain number, null and empty ones too."""
        data, starts = self._data, self._ends[:-1]
        # The subtraction tests a range: bytes below the minus sign wrap around to large ones.
        foreign = np.flatnonzero(((data - np.uint8(ord("-"))) > 12) | (data == ord("/")))
        minus = np.flatnonzero(data == ord("-"))
        not_plain = np.diff(self._ends) == 0
        not_plain[self._rows(foreign)] = True
        minus_rows = self._rows(minus)
        not_plain[minus_rows[minus != starts[minus_rows]]] = True
        not_plain[self._points[1:][np.diff(self._points) == 0]] = True
        not_plain[self._without_digit()] = True
        if self._array.null_count:
            not_plain |= _mask(self._array.is_null())
        return np.flatnonzero(not_plain)

    def _without_digit(self) -> NDArray[np.int64]:
        """Among rows of one or two bytes, those of signs and points alone."""
        short = np.flatnonzero((np.diff(self._ends) - 1).view(np.uint32) < 2)
        first, last = self._data[self._ends[short]], self._data[self._ends[short + 1] - 1]
        without: NDArray[np.int64] = short[(first < ord("0")) & (last < ord("0"))]
        return without

    def array_without(self, rows: NDArray[np.int64]) -> pa.StringArray:
        """The array with these rows set to null; the text is not copied."""
        valid = np.ones(len(self._array) + self._array.offset, bool)
        valid[rows + self._array.offset] = False
        bitmap = pa.py_buffer(np.packbits(valid, bitorder="little"))
        return pa.StringArray.from_buffers(
            len(self._array), self._offsets, self._bytes, bitmap, -1, self._array.offset
        )

    def _rows(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row that the byte at each position belongs to."""
        rows: NDArray[np.int64] = (
            np.searchsorted(self._ends, positions.astype(np.int32), side="right") - 1
        )
        return rows


def numbers_from_array(array: pa.Array, integral: bool, reading: CellReading = PLAIN) -> Numbers:
    """The numbers of an Arrow array of integers or floats; null is missing.

    >>> numbers_from_array(pa.array([7.0, None, 0.5]), integral=False).slots.tolist()
    [3, 0, 4]
    """
    values = array.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
    if not array.null_count:
        return with_reading(Numbers(values, None, integral), None, reading)
    whole = np.isfinite(values) & (integral | (values == np.floor(values)))
    slots = np.where(whole, np.uint8(INTEGRAL), np.uint8(FRACTIONAL))
    slots[_mask(array.is_null())] = MISSING
    return with_reading(Numbers(values, slots, integral), None, reading)


def written_types(array: pa.StringArray) -> NDArray[np.uint8]:
    """The written type of each value by the patterns of SageMaker Model Monitor.

    ``BOOLEAN``, ``INTEGRAL``, ``FRACTIONAL`` or ``STRING``; null is ``MISSING``.

    >>> written_types(pa.array(["true", "- 7", "7.0", ".5", None])).tolist()
    [1, 3, 4, 2, 0]
    """
    slots = np.full(len(array), STRING, dtype=np.uint8)
    slots[_mask(pc.match_substring_regex(array, SAGEMAKER_INTEGRAL))] = INTEGRAL
    slots[_mask(pc.match_substring_regex(array, SAGEMAKER_FRACTIONAL))] = FRACTIONAL
    slots[_mask(pc.match_substring_regex(array, SAGEMAKER_BOOLEAN))] = BOOLEAN
    if array.null_count:
        slots[_mask(array.is_null())] = MISSING
    return slots


def _split_numbers(array: pa.StringArray) -> tuple[pa.StringArray, NDArray[np.bool_]]:
    """Text that can be cast, null where it is not a number; and which texts are numbers."""
    is_number = _mask(pc.match_substring_regex(array, NUMBER))
    if is_number.all():
        return array, is_number
    rest = pa.array(~is_number)
    trimmed = pc.utf8_trim(array.filter(rest), characters=" \t")
    matched = pc.match_substring_regex(trimmed, NUMBER)
    numbers = pc.if_else(matched, trimmed, pa.scalar(None, pa.string()))
    text = pc.replace_with_mask(array, rest, numbers)
    is_number[~is_number] = _mask(matched)
    return text, is_number


def _slots_without_number(array: pa.StringArray) -> NDArray[np.uint8]:
    slots = np.full(len(array), STRING, dtype=np.uint8)
    slots[_mask(pc.match_substring_regex(array, SAGEMAKER_BOOLEAN))] = BOOLEAN
    slots[_mask(pc.equal(array, "")) | _mask(array.is_null())] = MISSING
    return slots


def _mask(array: pa.BooleanArray) -> NDArray[np.bool_]:
    """A writable mask; null is false."""
    mask: NDArray[np.bool_] = np.array(pc.fill_null(array, False))
    return mask
