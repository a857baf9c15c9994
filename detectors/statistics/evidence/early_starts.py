"""The looks into an open window from which its later rows are judged by themselves."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from detectors.arrays import Floats, Ints

OF_WHOLE_WINDOW: Final = 0.5
"""The weight of the start of the window; all later starts have equal parts of the rest."""


class Start(NamedTuple):
    """A look: its number, its time, and the tallies of the window until then."""

    number: int
    at_ms: int
    tallies: Ints


class EarlyStarts:
    """The start of a window and some of the looks into it, more of the recent ones.

    Rows before a fault hide it: after 30 quiet seconds, two seconds of a shift by half a deviation
    are one thirtieth of a deviation in the whole window. So the rows since each of these looks are
    judged too. A look is kept for three times as many further ones as the largest power of two that
    divides its number: beyond each distance there is one that is at most twice as far.

    ``most``: the number of looks that count in a window; each has the same part of half of the
    budget, whether it is kept or not.
    """

    def __init__(self, start_ms: int, size: int, most: int) -> None:
        self._most = max(most, 1)
        self._numbered = 0
        self._starts = [Start(0, start_ms, np.zeros(size, np.int64))]

    def add(self, at_ms: int, tallies: Ints) -> None:
        """Add a look with the tallies of the window until then; ignored beyond ``most``."""
        if self._numbered >= self._most:
            return
        self._numbered += 1
        kept = [start for start in self._starts if self._is_kept(start.number)]
        self._starts = [*kept, Start(self._numbered, at_ms, tallies)]

    def __len__(self) -> int:
        return len(self._starts)

    def at_ms(self, k: int) -> int:
        """The time of start ``k`` of :meth:`sums`."""
        return self._starts[k].at_ms

    def sums(self, tallies: Ints) -> Ints:
        """The tallies of the rows since each start, ``int64[starts, size]``, the window first."""
        return tallies - np.stack([start.tallies for start in self._starts])

    def log_weights(self) -> Floats:
        """The logarithm of the weight of each start, ``float64[starts]``."""
        later = (1.0 - OF_WHOLE_WINDOW) / self._most
        return np.log([OF_WHOLE_WINDOW] + [later] * (len(self._starts) - 1))

    def _is_kept(self, number: int) -> bool:
        return number == 0 or self._numbered - number <= 3 * (number & -number)
