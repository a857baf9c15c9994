"""The last windows of a stream that is judged once, in order of time: sums and gaps are kept."""

from __future__ import annotations

from collections import deque

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.statistics.evidence.dependence import (
    factor_of_gaps,
    squared_gaps,
)
from detectors.statistics.evidence.horizons import (
    FIRST_WINDOWS,
    HORIZONS,
    OF_ANY_SIZE,
    PastWindow,
    factor_of_windows,
    is_pooled,
)
from detectors.statistics.evidence.seasonal import SeasonalTallies
from detectors.statistics.evidence.tallies import TallyLayout


class RunningHistory:
    """What :class:`~.horizons.History` says of windows that come in order of time, sooner.

    Running totals make the sums of a horizon one difference, and the gaps of consecutive windows
    are computed once; both cost memory, so that it is for one model at a time. Windows are left out
    once one is asked about that is not judged together with them, nor is any later one.
    """

    def __init__(self, layout: TallyLayout) -> None:
        self._layout = layout
        self._windows: deque[PastWindow] = deque()
        self._totals: deque[Ints] = deque([np.zeros(layout.size, np.int64)])
        self._gaps: deque[Floats] = deque()
        self._judged: Ints | None = None

    def windows(self) -> tuple[PastWindow, ...]:
        """The windows, oldest first."""
        return tuple(self._windows)

    def add_judged(self, start_ms: int, end_ms: int) -> None:
        """Add the window that :meth:`sums` was asked for last, unless it overlaps the newest."""
        if self._judged is None or (self._windows and self._windows[-1].end_ms > start_ms):
            return
        if self._windows:
            one, other = self._judged[None], self._windows[-1].tallies[None]
            self._gaps.append(squared_gaps(self._layout, one, other)[:, 0])
        self._totals.append(self._totals[-1] + self._judged)
        self._windows.append(PastWindow(start_ms, end_ms, self._judged))

    def factor(
        self,
        layout: TallyLayout,
        start_ms: int,
        seasonal: SeasonalTallies | None = None,
        tallies: Ints | None = None,
    ) -> Floats:
        """The design effect that the windows before ``start_ms`` show, of each feature."""
        before = self._before(start_ms)
        if seasonal is not None or before < FIRST_WINDOWS or not layout.features:
            windows = self.windows()[:before]
            return factor_of_windows(layout, windows, start_ms, seasonal, tallies)
        gaps = [self._gaps[k] for k in range(max(before - OF_ANY_SIZE + 1, 0), before - 1)]
        return factor_of_gaps(layout, np.stack(gaps, axis=1))

    def sums(self, start_ms: int, tallies: Ints) -> Ints:
        """The tallies of a window, alone and with the windows before, one row a horizon."""
        self._judged = tallies
        before = self._before(start_ms)
        lengths = [h for h in HORIZONS if h <= before + 1]
        total = self._totals[before] + tallies
        sums = np.empty((len(lengths), len(tallies)), np.int64)
        for row, length in zip(sums, lengths, strict=True):
            np.subtract(total, self._totals[before + 1 - length], out=row)
        return sums

    def rows(self, layout: TallyLayout, start_ms: int) -> list[tuple[int, Ints]]:
        """The start and the rows of each feature of the windows before, the newest first."""
        before = reversed(self.windows()[: self._before(start_ms)])
        return [(past.start_ms, layout.named(past.tallies, "rows")) for past in before]

    def _before(self, start_ms: int) -> int:
        """How many windows end at or before a time, all but the newest ones; the oldest ones that
        are not judged together with a window that starts then are left out first.
        """
        count = len(self._windows)
        while count and self._windows[count - 1].end_ms > start_ms:
            count -= 1
        while count and not is_pooled(count - 1, self._rows(count)):
            self._windows.popleft()
            self._totals.popleft()
            self._gaps.popleft()
            count -= 1
        return count

    def _rows(self, count: int) -> int:
        """The rows of the first ``count`` windows but the oldest, as a window counts them."""
        return int(self._totals[count][0] - self._totals[1][0]) if self._layout.size else 0
