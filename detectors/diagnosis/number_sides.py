"""The finite numbers of one feature on both sides, in the forms that causes are fitted to."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from math import isfinite, nextafter, sqrt
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.profiles.layout import FRACTIONAL, INTEGRAL
from detectors.profiles.profile import Profile
from detectors.statistics.distances.base import Pair

Found = TypeVar("Found")

STANDARD_ERRORS: Final = 4.0
"""Half the width of the band around each share of the window, in standard errors."""
TOLERANCE: Final = 0.004
"""The difference of two shares that is no misfit, however many rows there are."""
FEWEST: Final = 80
"""The least number of rows, apart from those with the most frequent value, that show a shape."""
BODY: Final = 0.02
"""An edge with a smaller share below or above it says little about the shape."""
MOMENT_ERRORS: Final = 3.5
"""The difference of a moment that chance explains, in standard errors."""
BINNING: Final = 0.02
"""The error of a moment that is computed from bins, in deviations."""
FEW: Final = 5.0
"""The rows at an end whose distance shows how far beyond the range a further one may be."""
ROUNDED: Final = 0.004
"""The rounding of converted values that is no misfit, in half widths of the baseline's middle."""


class NumberSide(NamedTuple):
    """The finite numbers of one feature in the baseline, or in the window.

    ``at`` are rising numbers: the edges of the fine bins, the smallest number, and the next one
    after the largest. ``below`` is the share of the numbers below each of them. ``mean`` and
    ``std`` are exact. ``integral`` is the share that is written as whole numbers.
    """

    n: int
    low: float
    high: float
    mean: float
    std: float
    integral: float
    at: Floats
    below: Floats

    def quantile(self, share: float) -> float:
        """The value with this share of the numbers below it, by straight lines between the bins."""
        return float(np.interp(share, self.below, self.at))

    def spacing(self, rows: float) -> float:
        """How far below the smallest number one of this many rows may lie: a few rows' distance."""
        return self.quantile(min(FEW / rows, 1.0)) - self.low

    def mirrored(self) -> NumberSide:
        """The same numbers with the opposite sign."""
        return self._replace(
            low=-self.high,
            high=-self.low,
            mean=-self.mean,
            at=-self.at[::-1],
            below=1.0 - self.below[::-1],
        )


class NumberSides:
    """Both sides of numeric feature ``i``, with the bands that a conversion must stay within.

    ``expose_values``: whether a cause may name feature values.
    """

    def __init__(self, pair: Pair, i: int, expose_values: bool = False) -> None:
        self.pair, self.i = pair, i
        self.expose_values = expose_values
        self.feature = pair.layout.features[i]
        self.before: Ints = pair.baseline.counts[pair.layout.bins(i)]
        self.after: Ints = pair.window.counts[pair.layout.bins(i)]
        self.edges: Floats = pair.layout.edges[i]
        self.baseline = number_side(pair.baseline, i)
        self.window = number_side(pair.window, i)
        self._found: dict[object, Any] = {}

    def once(self, key: object, find: Callable[[], Found]) -> Found:
        """What ``find`` returns, computed once for each key: several causes ask the same."""
        if key not in self._found:
            self._found[key] = find()
        found: Found = self._found[key]
        return found

    @cached_property
    def comparable(self) -> bool:
        """Whether both sides have enough numbers that vary: many a column is mostly 0."""
        singles = self.pair.window.counts[self.pair.layout.lone_bins(self.i)]
        # A feature of few codes has nothing but single values: they show its shape.
        most = 0 if self.feature.kind == "codes" else int(singles.max(initial=0))
        return self.baseline.std > 0 and self.window.n - most >= FEWEST

    @cached_property
    def is_whole(self) -> bool:
        """Whether the baseline consists of whole numbers, or of few different ones."""
        return self.baseline.integral > 0.5 or self.feature.kind == "codes"

    @cached_property
    def per_row(self) -> float:
        """``1/n + 1/m``: the variance of a difference of shares, over that of one row.

        With the error of a baseline that comes from a sketch.
        """
        sketch = 4.0 * float(self.pair.rank_variance[self.i])
        return 1.0 / max(self.window.n, 1) + 1.0 / max(self.baseline.n, 1) + sketch

    @cached_property
    def points(self) -> tuple[Floats, Floats, Floats]:
        """Numbers within the window's range, and the bounds of the share below each.

        By the score interval of a share (Wilson 1927), widened by what is no misfit.
        """
        window = self.window
        inside = (window.at >= window.low) & (window.at <= nextafter(window.high, np.inf))
        at, share = window.at[inside], window.below[inside]
        n, z2 = 1.0 / self.per_row, STANDARD_ERRORS**2
        center = (share + z2 / (2.0 * n)) / (1.0 + z2 / n)
        half = np.sqrt(z2 * share * (1.0 - share) / n + (z2 / (2.0 * n)) ** 2) / (1.0 + z2 / n)
        return at, center - half - TOLERANCE, center + half + TOLERANCE

    @cached_property
    def informative(self) -> int:
        """The number of edges in the body of the window: with few of them, moments decide."""
        at, below = self.window.at, self.window.below
        known = (below > BODY) & (below < 1.0 - BODY)
        return len(np.unique(at[known]))

    @cached_property
    def beyond(self) -> tuple[bool, bool]:
        """Whether the window has numbers below, and above, what the baseline's range explains."""
        below = self.window.low < self.baseline.low - self.baseline.spacing(self.window.n)
        mirrored = self.baseline.mirrored()
        above = -self.window.high < mirrored.low - mirrored.spacing(self.window.n)
        return below, above

    @cached_property
    def half_width(self) -> float:
        """Half the distance of the 16th and the 84th percentile of the baseline."""
        return (self.baseline.quantile(0.84) - self.baseline.quantile(0.16)) / 2.0

    @cached_property
    def kurtosis(self) -> float:
        """The kurtosis of the baseline by the middles of its bins, at least 2."""
        weights = self.weights
        off = self.middles - self.baseline.mean
        variance = float((weights * off**2).sum())
        if not variance > 0 or not isfinite(variance):
            return 2.0
        return max(float((weights * off**4).sum()) / variance**2, 2.0)

    def moments_of(self, changed: Callable[[Floats], Floats], keep: Floats) -> tuple[float, float]:
        """Mean and deviation of the changed baseline, by the middles of its bins.

        ``keep`` is the part of each bin that is kept, see :attr:`middles`.
        """
        weights = self.weights * keep
        values = changed(self.middles)
        mean = float((weights * values).sum() / weights.sum())
        variance = float((weights * (values - mean) ** 2).sum() / weights.sum())
        return mean, sqrt(max(variance, 0.0))

    @cached_property
    def middles(self) -> Floats:
        """The middles of the bins of the baseline, within its range."""
        at = np.clip(self.baseline.at, self.baseline.low, self.baseline.high)
        middles: Floats = (at[1:] + at[:-1]) / 2.0
        return middles

    @cached_property
    def weights(self) -> Floats:
        """The shares of these bins."""
        return np.maximum(np.diff(self.baseline.below), 0.0)

    def has_moments(
        self,
        mean: float,
        std: float,
        binning: float = BINNING,
        errors: float = MOMENT_ERRORS,
    ) -> bool:
        """Whether the window has this mean and this deviation, up to chance and to the bins."""
        if not (std > 0 and self.window.std > 0):
            return False
        error = errors * sqrt(self.per_row) + binning
        log_error = errors * self.std_error + binning
        near = abs(self.window.mean - mean) <= error * std
        return near and abs(float(np.log(self.window.std / std))) <= log_error

    @cached_property
    def std_error(self) -> float:
        """The standard error of the logarithm of the ratio of both standard deviations."""
        return sqrt((self.kurtosis - 1.0) / 4.0 * self.per_row)

    @cached_property
    def shift(self) -> float:
        """The difference of both means, in standard deviations of the baseline."""
        return (self.window.mean - self.baseline.mean) / self.baseline.std

    @cached_property
    def spread(self) -> float:
        """The logarithm of the ratio of both standard deviations."""
        if not (self.window.std > 0 and self.baseline.std > 0):
            return -np.inf
        return float(np.log(self.window.std / self.baseline.std))


def number_side(profile: Profile, i: int) -> NumberSide:
    """The finite numbers of feature ``i`` in a profile; ``n`` is 0 without any."""
    layout = profile.layout
    start = int(layout.starts[i])
    counts: Ints = profile.counts[layout.bins(i)]
    n = int(counts.sum())
    integral = int(profile.counts[start + INTEGRAL])
    fractional = int(profile.counts[start + FRACTIONAL])
    offset = float(profile.sums[i, 0]) / max(n, 1)
    variance = float(profile.sums[i, 1]) / max(n, 1) - offset * offset
    low, high = float(profile.low[i]), float(profile.high[i])
    at, below = _with_extremes(layout.edges[i], np.cumsum(counts[:-1]) / max(n, 1), low, high)
    return NumberSide(
        n=n,
        low=low,
        high=high,
        mean=layout.features[i].center + offset,
        std=sqrt(variance) if variance > 0 else 0.0,
        integral=integral / max(integral + fractional, 1),
        at=at,
        below=below,
    )


def _with_extremes(edges: Floats, below: Floats, low: float, high: float) -> tuple[Floats, Floats]:
    """The distribution function with both ends of the range, where it is 0 and 1."""
    if not low <= high:
        return edges, below
    end = nextafter(high, np.inf)
    first, last = np.searchsorted(edges, low), np.searchsorted(edges, end, side="right")
    at = np.concatenate((edges[:first], [low], edges[first:last], [end], edges[last:]))
    shares = np.concatenate((below[:first], [0.0], below[first:last], [1.0], below[last:]))
    return at, shares
