"""Horizons: how many windows are judged together, and the tallies of the last ones."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

import numpy as np

from detectors.arrays import Ints

HORIZONS: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""The numbers of consecutive windows that are judged together, the newest included."""
LONGEST: Final = HORIZONS[-1]


class PastWindow(NamedTuple):
    """One judged window: its span, and its tallies."""

    start_ms: int
    end_ms: int
    tallies: Ints


class History:
    """The last windows of one model and variant that do not overlap, in order of time.

    At most ``LONGEST - 1``: with the window that is judged these are the longest horizon.
    """

    def __init__(self) -> None:
        self._windows: deque[PastWindow] = deque(maxlen=LONGEST - 1)

    def __len__(self) -> int:
        return len(self._windows)

    def windows(self) -> tuple[PastWindow, ...]:
        """The windows, oldest first."""
        return tuple(self._windows)

    def continues(self, start_ms: int) -> bool:
        """Whether a window that starts here lies after all of them."""
        return not self._windows or self._windows[-1].end_ms <= start_ms

    def add(self, window: PastWindow) -> None:
        """Add a window; one that overlaps the newest, or is older, is left out."""
        if self.continues(window.start_ms):
            self._windows.append(window)

    def sums(self, start_ms: int, tallies: Ints) -> Ints:
        """The tallies of a window that starts at ``start_ms``, alone and with the windows before.

        ``int64[horizons, size]``, one row for each of :data:`HORIZONS` for which there are enough
        windows. Only the window alone, if the history does not lie before it.
        """
        past = [w.tallies for w in reversed(self._windows)] if self.continues(start_ms) else []
        lengths = [h for h in HORIZONS if h <= len(past) + 1]
        sums = np.empty((len(lengths), len(tallies)), np.int64)
        running, before = tallies.copy(), 1
        for row, length in enumerate(lengths):
            for earlier in past[before - 1 : length - 1]:
                running += earlier
            sums[row], before = running, length
        return sums
