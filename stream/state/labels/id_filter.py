"""A filter of ids in memory, which spares most reads for ids that are not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stream.state.labels.packed import Ids

BITS: Final = 16
"""Bits of the filter for each row."""
_MOST_BITS: Final = (1 << 32) - 8
_HALF: Final = np.uint64(32)
_LOW: Final = np.uint64(0xFFFF_FFFF)
_ODD: Final = (np.uint64(0x9E37_79B9_7F4A_7C15), np.uint64(0xC2B2_AE3D_27D4_EB4F))
_EIGHT: Final = np.uint64(3)
_SEVEN: Final = np.uint64(7)


class IdFilter:
    """A Bloom filter of 64-bit hashes: four bits of ``bits`` are set for each.

    An id that was added is always found. One that was not is found with a chance of
    ``(1 - exp(-4 / b)) ** 4`` with ``b`` bits a row: 0.24 % with 16 (B. H. Bloom, 1970, Space/time
    trade-offs in hash coding with allowable errors). The first bit follows the order of the ids, so
    sorted ids are looked up in the order of the memory.
    """

    def __init__(self, bits: NDArray[np.uint8]) -> None:
        if not len(bits):
            raise ValueError("a filter without bits")
        self.bits = bits

    def possible(self, ids: Ids) -> Ids:
        """Return those of ``ids`` that may have been added, in the same order."""
        for words in _WORDS:
            places = _places(words(ids), 8 * len(self.bits))
            held = self.bits[places >> _EIGHT] >> (places & _SEVEN).astype(np.uint8) & 1
            ids = ids[held != 0]
        return ids


class FilterInMaking:
    """A filter for a known number of rows, before all of them are added."""

    def __init__(self, rows: int) -> None:
        size = min(-(-rows * BITS // 8) * 8, _MOST_BITS)
        self._flags = np.zeros(max(size, 8), bool)

    def add(self, ids: Ids) -> None:
        """Add ids."""
        for words in _WORDS:
            self._flags[_places(words(ids), len(self._flags))] = True

    def finished(self) -> IdFilter:
        """Return the filter."""
        return IdFilter(np.packbits(self._flags, bitorder="little"))


def _high(ids: Ids) -> Ids:
    return ids >> _HALF


def _low(ids: Ids) -> Ids:
    return ids & _LOW


def _mixed(ids: Ids) -> Ids:
    return ids * _ODD[0] >> _HALF


def _mixed_again(ids: Ids) -> Ids:
    return ids * _ODD[1] >> _HALF


_WORDS: Final[tuple[Callable[[Ids], Ids], ...]] = (_high, _low, _mixed, _mixed_again)
"""Four numbers of 32 bits for each id."""


def _places(words: Ids, size: int) -> Ids:
    """Scale numbers of 32 bits to ``[0, size)``, without a division."""
    return words * np.uint64(size) >> _HALF
