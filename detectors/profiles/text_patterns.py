"""How identifiers and times that are texts are written: the pattern of a value, not the value."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detectors.arrays import Ints

MOST_PATTERNS: Final = 32
"""The largest number of patterns of a feature that have a bin of their own."""
MOST_SEPARATORS: Final = 8
"""The number of separators of an identifier that its pattern has, the first ones."""
ALPHANUMERIC: Final = r"[0-9A-Za-z\x{80}-\x{10FFFF}]+"
WORDS_AND_NUMBERS: Final = r"^([A-Za-z]*[0-9]*[^0-9A-Za-z]+)*[A-Za-z]*[0-9]*$"
"""Identifiers that may be counted, such as ``order-99``: they get longer as the count grows."""
CLASSES: Final = (("9", "[0-9]"), ("a", "[a-z]"), ("A", "[A-Z]"), ("~", r"[\x{80}-\x{10FFFF}]"))


class TextPatterns(msgspec.Struct, frozen=True):
    """The patterns of a text feature whose values do not return.

    ``known`` are those of a certain frequency, each with one of the 64 bins beyond the vocabulary;
    all others share the remaining ones by their hash. ``lengths`` are the usual lengths of
    identifiers, the smallest and the largest; ``None`` for times, whose patterns have no length.
    """

    known: tuple[str, ...]
    lengths: tuple[int, int] | None = None

    def of(self, values: pa.StringArray) -> tuple[pa.StringArray, Ints]:
        """Some patterns, and which of them each value has; ``values`` must have no nulls.

        Patterns are found of one value for all that are alike: expressions would take longer than
        all else that is counted.
        """
        alike, first = _alike(values, self.lengths)
        several = values.take(pa.array(first))
        if self.lengths is None:
            return time_patterns(several), alike
        return identifier_patterns(several, self.lengths), alike

    @property
    def problem(self) -> str:
        """What is wrong with the patterns; empty for valid ones."""
        if len(set(self.known)) < len(self.known) or len(self.known) > MOST_PATTERNS:
            return f"patterns must be at most {MOST_PATTERNS} different ones"
        return ""


def time_patterns(values: pa.StringArray) -> pa.StringArray:
    """Times without their numbers and names: ``2026-01-05T07:30:00Z`` is ``9999-#-#a#:#:#a``.

    One or two digits are the same, as are all words: days, months and zones change by themselves.
    """
    words = pc.replace_substring_regex(values, r"[A-Za-z\x{80}-\x{10FFFF}]+", "a")
    digits = pc.replace_substring_regex(words, "[0-9]", "9")
    # A long run is a group, and its sign is taken away again: RE2 has no look-around.
    marked = pc.replace_substring_regex(digits, "(9{3,})|9{1,2}", r"\1#")
    return pc.replace_substring_regex(marked, "(9{3,})#", r"\1")


def identifier_patterns(values: pa.StringArray, lengths: tuple[int, int]) -> pa.StringArray:
    """Separators, kinds of characters, and the length of identifiers where it is not usual.

    A length between the usual ones, or one more, is usual; so is any larger one of words and
    numbers, which grow.
    """
    separators = pc.utf8_slice_codeunits(
        pc.replace_substring_regex(values, ALPHANUMERIC, ""), 0, MOST_SEPARATORS
    )
    classes = [
        pc.if_else(pc.match_substring_regex(values, pattern), name, "") for name, pattern in CLASSES
    ]
    length = pc.utf8_length(values)
    longer = pc.greater(length, lengths[1] + 1)
    if pc.any(longer).as_py():
        grows = pc.match_substring_regex(values, WORDS_AND_NUMBERS)
        longer = pc.and_not(longer, grows)
    unusual = pc.or_(pc.less(length, lengths[0]), longer)
    size = pc.if_else(unusual, length.cast(pa.string()), "")
    return pc.binary_join_element_wise(separators, *classes, size, "")


def _alike(values: pa.StringArray, lengths: tuple[int, int] | None) -> tuple[Ints, Ints]:
    """The group of each value, and the first value of each; those of a group have one pattern.

    Times are alike that differ in digits and letters alone; identifiers that have the same
    separators in the same places, the same kinds of characters, and may grow if they are long.
    """
    offsets = np.frombuffer(values.buffers()[1], np.int32)[
        values.offset : values.offset + len(values) + 1
    ]
    data = np.frombuffer(values.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
    if len(data) == 0 or int(data.max()) >= 0x80:
        keys = pc.dictionary_encode(values).indices.to_numpy()
    elif lengths is None:
        keys = _masked(data, offsets, _TIME_MASK)
    else:
        kinds = np.zeros(len(values), np.int64)
        filled = np.diff(offsets) > 0
        starts = (offsets[:-1] - offsets[0])[filled].astype(np.int64)
        kinds[filled] = np.bitwise_or.reduceat(_KINDS[data], starts)
        long = np.flatnonzero(np.diff(offsets) > lengths[1] + 1)
        grows = pc.match_substring_regex(values.take(pa.array(long)), WORDS_AND_NUMBERS)
        kinds[long] += 8 * grows.to_numpy(zero_copy_only=False)
        keys = 16 * _masked(data, offsets, _IDENTIFIER_MASK).astype(np.int64) + kinds
    _, first, alike = np.unique(keys, return_index=True, return_inverse=True)
    return alike.reshape(-1), first


def _masked(data: NDArray[np.uint8], offsets: NDArray[np.int32], mask: bytes) -> Ints:
    """A number for each value that is the same for those that a mask of the bytes makes equal."""
    masked = pa.py_buffer(data.tobytes().translate(mask))
    moved = pa.py_buffer(np.ascontiguousarray(offsets - offsets[0]))
    texts = pa.StringArray.from_buffers(len(offsets) - 1, moved, masked)
    codes: Ints = pc.dictionary_encode(texts).indices.to_numpy()
    return codes


_DIGITS: Final = b"0123456789"
_SMALL: Final = b"abcdefghijklmnopqrstuvwxyz"
_CAPITAL: Final = _SMALL.upper()
_TIME_MASK: Final = bytes.maketrans(_DIGITS + _SMALL + _CAPITAL, b"9" * 10 + b"a" * 52)
_IDENTIFIER_MASK: Final = bytes.maketrans(_DIGITS + _SMALL + _CAPITAL, b"9" * 62)
_KINDS: Final = np.zeros(256, np.uint8)
_KINDS[list(_DIGITS)], _KINDS[list(_SMALL)], _KINDS[list(_CAPITAL)] = 1, 2, 4
