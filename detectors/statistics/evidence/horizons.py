"""Horizons: how many windows are judged together, and the tallies of the last ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.statistics.evidence.dependence import stream_factor
from detectors.statistics.evidence.first_windows import first_factor
from detectors.statistics.evidence.seasonal import SeasonalTallies
from detectors.statistics.evidence.tallies import TallyLayout

HORIZONS: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
"""The numbers of consecutive windows that are judged together, the newest included."""
LONGEST: Final = HORIZONS[-1]
OF_ANY_SIZE: Final = 64
"""The longest horizon of windows of any number of rows; longer ones are for windows of few rows."""
FIRST_WINDOWS: Final = 63
"""The number of windows from which on each feature shows by itself how far its rows depend."""
FEW_ROWS: Final = 10_000
"""The number of rows from which on the last windows are enough: a shift of a tenth of a deviation
shows in them at any budget."""


class PastWindow(NamedTuple):
    """One judged window: its span, and its tallies."""

    start_ms: int
    end_ms: int
    tallies: Ints

    @property
    def rows(self) -> int:
        """The rows of the window, as its first feature counts them; 0 without a feature."""
        return int(self.tallies[0]) if len(self.tallies) else 0


class History:
    """The last windows of one model and variant that do not overlap, in order of time.

    A window is judged together with up to ``OF_ANY_SIZE - 1`` of them, and with up to
    ``LONGEST - 1`` while the newer of them have fewer than :data:`FEW_ROWS` rows: thirty rows a
    window say little in 64 windows, and large windows need not be kept for longer. While a window
    may be judged again, as many windows before it are kept: late events change the window, but not
    what it is judged together with.
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
        return History(_pooled([past for past in self._windows if past.end_ms <= start_ms]))

    def continues(self, start_ms: int) -> bool:
        """Whether a window that starts here lies after all of them."""
        return not self._windows or self._windows[-1].end_ms <= start_ms

    def add(self, window: PastWindow, final_ms: int | None = None) -> bool:
        """Add a window; one that overlaps the newest, or is older, is left out.

        Windows that start at or before ``final_ms`` are not judged again; without it, none is that
        starts before the end of this one.
        Returns whether it was added.
        """
        if not self.continues(window.start_ms):
            return False
        self._windows.append(window)
        before = [w for w in self._windows if final_ms is None or w.end_ms <= final_ms]
        for _ in range(len(before) - len(_pooled(before))):
            self._windows.popleft()
        return True

    def factor(
        self,
        layout: TallyLayout,
        start_ms: int,
        seasonal: SeasonalTallies | None = None,
        tallies: Ints | None = None,
    ) -> Floats:
        """The design effect of dependent rows that the windows before ``start_ms`` show.

        See :func:`factor_of_windows`.
        """
        return factor_of_windows(
            layout, self.before(start_ms).windows(), start_ms, seasonal, tallies
        )

    def rows(self, layout: TallyLayout, start_ms: int) -> list[tuple[int, Ints]]:
        """The start and the rows of each feature of the windows before, the newest first."""
        before = reversed(self.before(start_ms).windows())
        return [(past.start_ms, layout.named(past.tallies, "rows")) for past in before]

    def sums(self, start_ms: int, tallies: Ints) -> Ints:
        """The tallies of a window that starts at ``start_ms``, alone and with the windows before.

        ``int64[horizons, size]``, one row for each of :data:`HORIZONS` for which there are enough
        windows before.
        """
        past = [past.tallies for past in reversed(self.before(start_ms).windows())]
        lengths = [h for h in HORIZONS if h <= len(past) + 1]
        sums = np.empty((len(lengths), len(tallies)), np.int64)
        running, before = tallies.copy(), 1
        for row, length in enumerate(lengths):
            for earlier in past[before - 1 : length - 1]:
                running += earlier
            sums[row], before = running, length
        return sums


def factor_of_windows(
    layout: TallyLayout,
    before: Sequence[PastWindow],
    start_ms: int,
    seasonal: SeasonalTallies | None,
    tallies: Ints | None,
) -> Floats:
    """The design effect of dependent rows that windows show, for the one that starts at a time.

    Of the last ``OF_ANY_SIZE - 1`` windows ``before`` it: see :func:`_of_each`. With fewer than
    :data:`FIRST_WINDOWS` of them, at least what all features together show in them and in
    ``tallies``, those of the window itself: see :func:`_of_all`.
    """
    last = before[-(OF_ANY_SIZE - 1) :]
    factor = _of_each(layout, last, seasonal)
    if len(last) >= FIRST_WINDOWS or tallies is None or not layout.features:
        return factor
    return np.maximum(factor, _of_all(layout, last, start_ms, seasonal, tallies))


def _of_each(
    layout: TallyLayout, windows: Sequence[PastWindow], seasonal: SeasonalTallies | None
) -> Floats:
    """What windows show of each feature: :func:`~.dependence.stream_factor`.

    Measured against what they are compared with where the baseline has seasons. It is then the
    smaller one of those beside the seasons as they are, and beside the line between hours: what
    either expects is no dependence.
    """
    tallies = [past.tallies for past in windows]
    if seasonal is None or not tallies:
        return stream_factor(layout, tallies)
    steps = seasonal.expected([(past.start_ms, None) for past in windows])
    factor = stream_factor(layout, tallies, steps)
    if (factor <= 1.0).all():
        return factor
    spans = [(past.start_ms, past.end_ms - past.start_ms) for past in windows]
    return np.minimum(factor, stream_factor(layout, tallies, seasonal.expected(spans)))


def _of_all(
    layout: TallyLayout,
    before: Sequence[PastWindow],
    start_ms: int,
    seasonal: SeasonalTallies | None,
    tallies: Ints,
) -> Floats:
    """What all features show together in these windows and the judged one.

    See :func:`~.first_windows.first_factor`.
    """
    windows = [*(past.tallies for past in before), tallies]
    if seasonal is None:
        return first_factor(layout, windows)
    starts = [*(past.start_ms for past in before), start_ms]
    expected = seasonal.expected([(start, None) for start in starts])
    return first_factor(layout, windows, expected, seasonal.at(starts[0]))


def is_pooled(newer: int, rows: int) -> bool:
    """Whether a window is judged together with the next one, after so many newer ones with so many
    rows together.
    """
    return newer < LONGEST - 1 and (newer < OF_ANY_SIZE - 1 or rows < FEW_ROWS)


def _pooled(windows: Sequence[PastWindow]) -> Sequence[PastWindow]:
    """Of consecutive windows the newest ones, which the next window is judged together with.

    The later a window is, the later the first of these is.
    """
    rows, first = 0, len(windows)
    while first and is_pooled(len(windows) - first, rows):
        first -= 1
        rows += windows[first].rows
    return windows[first:]
