"""All numbers of a window against its baseline, for all features at once."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Floats, Ints
from detectors.profiles.baseline import Baseline
from detectors.profiles.layout import (
    BOOLEAN,
    FRACTIONAL,
    HEAD,
    INTEGRAL,
    MISSING,
    NEG_INF,
    STRING,
    TAIL,
)
from detectors.profiles.profile import Profile
from detectors.statistics.distances import base, psi
from detectors.statistics.distances.base import Pair

TYPES = {"integral": INTEGRAL, "fractional": FRACTIONAL, "boolean": BOOLEAN, "string": STRING}
DISTANCES = base.find()


class Measures:
    """The numbers of one window: each attribute has one entry a feature of the layout, in its
    order.

    ``n`` counts rows; ``missing``, ``nan``, ``inf`` cells of that kind. ``completeness`` is ``1 -
    missing / n``, NaN without rows. ``mean``, ``std`` (population), ``sum``, ``low``, ``high`` are
    over finite numbers, NaN without any; for text features NaN. ``outliers`` is the share of finite
    numbers beyond the baseline's smallest and largest. ``distances`` maps each name to its values.
    ``types[t]`` counts values by written type.
    """

    def __init__(self, baseline: Profile, window: Profile) -> None:
        self.pair = Pair(baseline, window)
        self.layout, self._window = window.layout, window
        self._starts, self._ends = window.layout.starts[:-1], window.layout.starts[1:]

    def _slot(self, offset: int) -> Ints:
        return self._window.counts[self._starts + offset]

    @cached_property
    def n(self) -> Floats:
        return self.pair.n

    @cached_property
    def missing(self) -> Ints:
        return self._slot(MISSING)

    @cached_property
    def nan(self) -> Ints:
        return self._window.counts[self._ends - 1]

    @cached_property
    def inf(self) -> Ints:
        return self._slot(NEG_INF) + self._window.counts[self._ends - 2]

    @cached_property
    def present(self) -> Floats:
        return self.n - self.missing

    @cached_property
    def completeness(self) -> Floats:
        return _ratio(self.present, self.n)

    @cached_property
    def types(self) -> dict[str, Ints]:
        return {name: self._slot(offset) for name, offset in TYPES.items()}

    def type_share(self, name: str) -> Floats:
        """Share of a written type among the present values; NaN without any."""
        return _ratio(self.types[name], self.present)

    @cached_property
    def finite(self) -> Ints:
        return np.where(self.pair.numeric, self._window.finite, 0)

    @cached_property
    def mean(self) -> Floats:
        return self._centers + _ratio(self._window.sums[:, 0], self.finite)

    @cached_property
    def sum(self) -> Floats:
        return np.where(
            self.finite > 0, self._window.sums[:, 0] + self.finite * self._centers, np.nan
        )

    @cached_property
    def std(self) -> Floats:
        away = _ratio(self._window.sums[:, 0], self.finite)
        with np.errstate(invalid="ignore", over="ignore"):
            variance = _ratio(self._window.sums[:, 1], self.finite) - away * away
        return np.sqrt(np.maximum(variance, 0.0))

    @cached_property
    def low(self) -> Floats:
        return np.where(self.finite > 0, self._window.low, np.nan)

    @cached_property
    def high(self) -> Floats:
        return np.where(self.finite > 0, self._window.high, np.nan)

    @cached_property
    def outliers(self) -> Floats:
        ladders = np.array([feature.ladder for feature in self.layout.features], dtype=np.int64)
        below = self._running[self._starts + HEAD + ladders] - self._running[self._starts + HEAD]
        above = self._running[self._ends - TAIL] - self._running[self._ends - TAIL - ladders]
        return _ratio(below + above + self._unknown_codes, self.finite)

    @cached_property
    def _unknown_codes(self) -> Ints:
        """Values of codes that the baseline does not have."""
        out = np.zeros(len(self.layout.features), np.int64)
        for i, feature in enumerate(self.layout.features):
            if feature.kind == "codes":
                out[i] = self.pair.after[self.layout.cell_starts[i] + feature.bin_cells - 1]
        return out

    @cached_property
    def _running(self) -> Ints:
        """Counts of all slots before each slot."""
        return np.concatenate(([0], np.cumsum(self._window.counts)))

    @cached_property
    def distances(self) -> dict[str, Floats]:
        return {name: distance.distances(self.pair) for name, distance in sorted(DISTANCES.items())}

    @cached_property
    def psi_cells(self) -> Floats:
        """How many cells PSI was summed over."""
        return self._smoothed.cells

    @cached_property
    def small_cells(self) -> Floats:
        """How many cells with counts PSI merged into one, because so few values were expected in
        them.
        """
        return self._smoothed.merged

    @cached_property
    def _smoothed(self) -> psi.SmoothedPsi:
        return psi.smoothed(self.pair)

    @cached_property
    def _centers(self) -> Floats:
        return np.array([feature.center for feature in self.layout.features])


def measure(baseline: Baseline, window: Profile) -> Measures:
    """The numbers of a window; computed when they are asked for. An empty window gives NaN, not an
    error.
    """
    return Measures(baseline.profile, window)


def _ratio(a: NDArray[Any], b: NDArray[Any]) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        ratio: Floats = np.where(b > 0, a / np.where(b > 0, b, 1), np.nan)
    return ratio
