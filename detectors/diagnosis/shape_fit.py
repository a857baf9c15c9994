"""How well a conversion of the baseline's values explains the whole shape of a window."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Floats, Ints
from detectors.profiles.layout import FRACTIONAL, INTEGRAL
from detectors.profiles.profile import Profile
from detectors.statistics.distances.base import Pair

TOLERANCE: Final = 0.01
"""The difference of two shares that is no misfit, however many rows there are."""
BODY: Final = 0.02
"""An edge with a smaller share below or above it says little about the shape."""
FEWEST: Final = 80
"""The least number of rows, apart from those with the most frequent value, that show a shape."""
ENOUGH_EDGES: Final = 3
"""The number of edges in the body of a distribution that show its shape."""
EXTREME_COUNT: Final = 7.0
"""The largest count that is expected beyond the extremes of a window: ``exp(-7)`` is 0.1 %."""
STD_RATIO: Final = 0.25
"""The largest difference of logarithms of two standard deviations that is no misfit."""
ROUNDING: Final = 1e-9
"""The relative error of a conversion in floating point."""


class Linear(NamedTuple):
    """The conversion from ``x`` to ``factor * x + offset``."""

    factor: float
    offset: float


class CountedNumbers(NamedTuple):
    """The finite numbers of one feature in the baseline or in the window.

    ``at`` are the edges of the fine bins, and ``below`` is the share of the numbers below each.
    """

    n: int
    low: float
    high: float
    mean: float
    std: float
    integral: float
    at: Floats
    below: Floats


class ShapeFit:
    """Both sides of numeric feature ``i``; :meth:`misfits` tries conversions.

    The window's distribution function is known exactly at the edges of the fine bins, and the
    baseline's at the same edges. A conversion asks for the baseline's between two edges: there it
    lies between the values at both, and only a difference beyond these is a misfit.
    """

    def __init__(self, pair: Pair, i: int) -> None:
        self.baseline = _side(pair.baseline, i)
        self.window = _side(pair.window, i)
        varied = self.window.n - _most_frequent(pair, i)
        self.comparable = self.baseline.std > 0 and varied >= FEWEST
        """Whether both sides have enough numbers that vary: many a column is mostly 0."""

    def misfits(self, conversions: Sequence[Linear]) -> Floats:
        """The largest difference of each converted baseline from the window, in standard errors.

        Compared are the shares below each edge. The window's extremes and its mean are compared
        too where no absurd value spoils them. ``inf`` where the window is too coarsely counted to
        say anything.
        """
        factors = np.array([conversion.factor for conversion in conversions])[:, None]
        offsets = np.array([conversion.offset for conversion in conversions])[:, None]
        lower, upper = self._shares_below(self.window.at, factors, offsets)
        largest = self._share_errors(lower, upper).max(axis=1)
        informative = np.count_nonzero((lower > BODY) & (upper < 1.0 - BODY), axis=1)
        plausible = self._extremes_fit(factors, offsets)
        with_mean = np.maximum(largest, self._mean_errors(factors, offsets)[:, 0])
        by_moments = plausible & self._stds_fit(factors)[:, 0]
        misfits: Floats = np.where(plausible, with_mean, largest)
        return np.where((informative >= ENOUGH_EDGES) | by_moments, misfits, np.inf)

    def _shares_below(self, at: Floats, factors: Floats, offsets: Floats) -> tuple[Floats, Floats]:
        """Bounds of the share of each converted baseline below each value."""
        before = (at - offsets) / factors
        slack = ROUNDING * (np.abs(before) + np.abs(offsets / factors) + self.baseline.std)
        lower, upper = self._baseline_below(before - slack, before + slack)
        rises = factors > 0
        return np.where(rises, lower, 1.0 - upper), np.where(rises, upper, 1.0 - lower)

    def _baseline_below(self, first: Floats, last: Floats) -> tuple[Floats, Floats]:
        """Bounds of the baseline's share below a value that lies between ``first`` and ``last``."""
        side = self.baseline
        shares = np.concatenate(([0.0], side.below, [1.0]))
        lower = shares[np.searchsorted(side.at, first, side="right")]
        upper = shares[np.searchsorted(side.at, last, side="left") + 1]
        lower = np.where(first > side.high, 1.0, np.where(first <= side.low, 0.0, lower))
        upper = np.where(last > side.high, 1.0, np.where(last <= side.low, 0.0, upper))
        return lower, upper

    @property
    def _per_row(self) -> float:
        return 1.0 / self.window.n + 1.0 / self.baseline.n

    def _share_errors(self, lower: Floats, upper: Floats) -> Floats:
        """The misfit at each edge, in standard errors of the difference of both shares."""
        found = self.window.below
        off = np.maximum(np.maximum(lower - found, found - upper) - TOLERANCE, 0.0)
        share = (lower + upper) / 2.0
        variance = np.maximum(share * (1.0 - share), 1.0 / self.window.n)
        errors: Floats = off / np.sqrt(variance * self._per_row)
        return errors

    def _mean_errors(self, factors: Floats, offsets: Floats) -> Floats:
        expected = factors * self.baseline.mean + offsets
        spread = np.abs(factors) * self.baseline.std
        errors: Floats = np.abs(self.window.mean - expected) / (spread * sqrt(self._per_row))
        return errors

    def _stds_fit(self, factors: Floats) -> NDArray[np.bool_]:
        if not self.window.std > 0:
            return np.zeros(factors.shape, dtype=bool)
        expected = np.abs(factors) * self.baseline.std
        fits: NDArray[np.bool_] = np.abs(np.log(self.window.std / expected)) < STD_RATIO
        return fits

    def _extremes_fit(self, factors: Floats, offsets: Floats) -> NDArray[np.bool_]:
        """Whether each converted baseline has about nothing beyond the extremes of the window.

        And the window nothing that is far beyond the range of the converted baseline.
        """
        ends = np.sort(factors * np.array([self.baseline.low, self.baseline.high]) + offsets)
        width = ends[:, 1] - ends[:, 0]
        near = (self.window.low >= ends[:, 0] - width) & (self.window.high <= ends[:, 1] + width)
        extremes = np.array([self.window.low, self.window.high])
        lower, upper = self._shares_below(extremes, factors, offsets)
        allowed = EXTREME_COUNT / self.window.n
        fits: NDArray[np.bool_] = near & (lower[:, 0] <= allowed) & (upper[:, 1] >= 1.0 - allowed)
        return fits


def _side(profile: Profile, i: int) -> CountedNumbers:
    layout = profile.layout
    start = int(layout.starts[i])
    counts: Ints = profile.counts[layout.bins(i)]
    n = int(counts.sum())
    integral = int(profile.counts[start + INTEGRAL])
    fractional = int(profile.counts[start + FRACTIONAL])
    offset = float(profile.sums[i, 0]) / max(n, 1)
    variance = float(profile.sums[i, 1]) / max(n, 1) - offset * offset
    return CountedNumbers(
        n=n,
        low=float(profile.low[i]),
        high=float(profile.high[i]),
        mean=layout.features[i].center + offset,
        std=sqrt(max(variance, 0.0)),
        integral=integral / max(integral + fractional, 1),
        at=np.asarray(layout.features[i].edges),
        below=np.cumsum(counts[:-1]) / max(n, 1),
    )


def _most_frequent(pair: Pair, i: int) -> int:
    """The rows of the window with its most frequent value, of those with a bin of their own."""
    return int(pair.window.counts[pair.layout.lone_bins(i)].max(initial=0))
