"""Horizons: how many windows are judged together, and the tallies of the last ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.statistics.evidence.dependence import stream_factor
from detectors.statistics.evidence.tallies import TallyLayout

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

    ``LONGEST - 1`` windows: with the window that is judged these are the longest horizon. While a
    window may be judged again, as many windows before it are kept: late events change the window,
    but not what it is judged together with.
    """

    def __init__(self, windows: Iterable[PastWindow] = ()) -> None:
        self._windows = deque(windows)

    def __len__(self) -> int:
        return len(self._windows)

    def windows(self) -> tuple[PastWindow, ...]:
        """The windows, oldest first."""
        return tuple(self._windows)

    def before(self, start_ms: int) -> History:
        """The windows that end at or before ``start_ms``, of those that are pooled with a window
        that starts there: what it was judged together with, also if it is judged again.
        """
        before = [past for past in self._windows if past.end_ms <= start_ms]
        return History(before[-(LONGEST - 1) :])

    def continues(self, start_ms: int) -> bool:
        """Whether a window that starts here lies after all of them."""
        return not self._windows or self._windows[-1].end_ms <= start_ms

    def add(self, window: PastWindow, final_ms: int | None = None) -> bool:
        """Add a window; one that overlaps the newest, or is older, is left out.

        Windows that start at or before ``final_ms`` are not judged again; without it none is.
        Returns whether it was added.
        """
        if not self.continues(window.start_ms):
            return False
        self._windows.append(window)
        before = len(self._windows)
        if final_ms is not None:
            before = sum(past.end_ms <= final_ms for past in self._windows)
        for _ in range(before - (LONGEST - 1)):
            self._windows.popleft()
        return True

    def factor(self, layout: TallyLayout, start_ms: int) -> Floats:
        """The design effect of dependent rows that the windows before ``start_ms`` show.

        See :func:`~detectors.statistics.evidence.dependence.stream_factor`.
        """
        return stream_factor(layout, [past.tallies for past in self.before(start_ms).windows()])

    def sums(self, start_ms: int, tallies: Ints) -> Ints:
        """The tallies of a window that starts at ``start_ms``, alone and with the windows before.

        ``int64[horizons, size]``, one row for each of :data:`HORIZONS` for which there are enough
        windows that end at or before ``start_ms``.
        """
        past = [w.tallies for w in reversed(self._windows) if w.end_ms <= start_ms]
        most = min(len(past) + 1, LONGEST)
        lengths = [h for h in HORIZONS if h <= most]
        sums = np.empty((len(lengths), len(tallies)), np.int64)
        running, before = tallies.copy(), 1
        for row, length in enumerate(lengths):
            for earlier in past[before - 1 : length - 1]:
                running += earlier
            sums[row], before = running, length
        return sums
