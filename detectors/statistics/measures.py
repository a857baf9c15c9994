"""The measures of a window: counts, moments and distances, for all features at once."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

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
from detectors.statistics.catalogue import DISTANCES
from detectors.statistics.distances.base import Pair

TYPES: Final = {
    "integral": INTEGRAL,
    "fractional": FRACTIONAL,
    "boolean": BOOLEAN,
    "string": STRING,
}
"""Slots of the written types, by the names that reports give them."""
FITTING: Final = {
    "Integral": ("integral",),
    "Fractional": ("integral", "fractional"),
    "String": ("string",),
}
"""Written types that match a feature's type: whole numbers match Fractional, numbers do not match
String."""


class Measures:
    """The numbers of one window against its baseline.

    Each attribute has one entry a feature, in the order of the layout, and is computed when it is
    first used.

    * ``n`` counts rows; ``missing``, ``nan`` and ``inf`` count cells of that kind.
    * ``completeness`` is ``1 - missing / n``, NaN without rows.
    * ``mean``, ``std`` (of the population), ``sum``, ``low`` and ``high`` are over finite numbers,
      NaN without any and for text features.
    * ``outliers`` is the share of finite numbers beyond the baseline's smallest and largest.
    * ``types[name]`` counts values by written type; ``type_match`` is the share that fits the
      feature's type.
    * ``distances[name]`` holds the values of each distance.

    An empty window gives NaN, not an error.
    """

    def __init__(self, baseline: Profile, window: Profile) -> None:
        self.pair = Pair(baseline, window)
        self.layout = window.layout
        self._window = window
        self._starts = window.layout.starts[:-1]
        self._ends = window.layout.starts[1:]

    @cached_property
    def n(self) -> Floats:
        """Rows of each feature."""
        return self._window.feature_rows.astype(np.float64)

    @cached_property
    def baseline_rows(self) -> Floats:
        """Rows of each feature in the baseline."""
        return self.pair.baseline.feature_rows.astype(np.float64)

    @cached_property
    def missing(self) -> Ints:
        """Missing values."""
        return self._slot(MISSING)

    @cached_property
    def nan(self) -> Ints:
        """Values that are NaN, in numeric features."""
        return self._window.counts[self._ends - 1]

    @cached_property
    def inf(self) -> Ints:
        """Infinite values of either sign."""
        return self._slot(NEG_INF) + self._window.counts[self._ends - 2]

    @cached_property
    def present(self) -> Floats:
        """Values that are not missing."""
        return self.n - self.missing

    @cached_property
    def completeness(self) -> Floats:
        """Share of rows with a value; NaN without rows."""
        return _ratio(self.present, self.n)

    @cached_property
    def types(self) -> dict[str, Ints]:
        """Values by written type."""
        return {name: self._slot(offset) for name, offset in TYPES.items()}

    def type_share(self, name: str) -> Floats:
        """Share of a written type among the present values; NaN without any."""
        return _ratio(self.types[name], self.present)

    @cached_property
    def type_match(self) -> Floats:
        """Share of the present values that are written as the feature's type.

        NaN without any value, and for a feature whose type is unknown.
        """
        return _type_match(self._window, self.n)

    @cached_property
    def baseline_type_match(self) -> Floats:
        """:attr:`type_match` of the baseline."""
        return _type_match(self.pair.baseline, self.baseline_rows)

    @cached_property
    def finite(self) -> Ints:
        """Finite numbers; 0 for text features."""
        return np.where(self.pair.numeric, self._window.finite, 0)

    @cached_property
    def mean(self) -> Floats:
        """Mean of the finite numbers, within their extremes; NaN where their sum is too large."""
        with np.errstate(invalid="ignore", over="ignore"):
            mean = self._centers + _ratio(self._window.sums[:, 0], self.finite)
        return np.where(np.isfinite(mean), np.clip(mean, self.low, self.high), np.nan)

    @cached_property
    def sum(self) -> Floats:
        """Sum of the finite numbers."""
        with np.errstate(invalid="ignore", over="ignore"):
            total = self._window.sums[:, 0] + self.finite * self._centers
        return np.where(self.finite > 0, total, np.nan)

    @cached_property
    def std(self) -> Floats:
        """Population standard deviation of the finite numbers, 0 where all are equal."""
        offset = _ratio(self._window.sums[:, 0], self.finite)
        with np.errstate(invalid="ignore", over="ignore"):
            variance = _ratio(self._window.sums[:, 1], self.finite) - offset * offset
        return np.where(self.low == self.high, 0.0, np.sqrt(np.maximum(variance, 0.0)))

    @cached_property
    def low(self) -> Floats:
        """Smallest finite number."""
        return np.where(self.finite > 0, self._window.low, np.nan)

    @cached_property
    def high(self) -> Floats:
        """Largest finite number."""
        return np.where(self.finite > 0, self._window.high, np.nan)

    @cached_property
    def outliers(self) -> Floats:
        """Share of finite numbers in the ladders, or of codes that the baseline does not have."""
        ladders = np.array([feature.ladder for feature in self.layout.features], dtype=np.int64)
        below = self._running[self._starts + HEAD + ladders] - self._running[self._starts + HEAD]
        above = self._running[self._ends - TAIL] - self._running[self._ends - TAIL - ladders]
        return _ratio(below + above + self._unknown_codes, self.finite)

    @cached_property
    def distances(self) -> dict[str, Floats]:
        """Values of every distance, by name."""
        return {name: distance.distances(self.pair) for name, distance in DISTANCES.items()}

    def _slot(self, offset: int) -> Ints:
        return self._window.counts[self._starts + offset]

    @cached_property
    def _unknown_codes(self) -> Ints:
        """Values in the cell ``other`` of each feature of codes; 0 for all other features."""
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
    def _centers(self) -> Floats:
        return np.array([feature.center for feature in self.layout.features])


def measure(baseline: Baseline, window: Profile) -> Measures:
    """The numbers of a window; each is computed when it is first used."""
    return Measures(baseline.profile, window)


def _type_match(side: Profile, rows: Floats) -> Floats:
    kinds = [feature.type for feature in side.layout.features]
    starts = side.layout.starts[:-1]
    fitting = np.zeros(len(kinds))
    for kind, names in FITTING.items():
        is_kind = np.array([feature_kind == kind for feature_kind in kinds], dtype=bool)
        fitting += is_kind * sum(side.counts[starts + TYPES[name]] for name in names)
    present = rows - side.missing
    known = np.array([kind in FITTING for kind in kinds], dtype=bool) & (present > 0)
    return np.where(known, fitting / np.where(known, present, 1.0), np.nan)


def _ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> Floats:
    """The quotient, NaN where the denominator is 0."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        ratio: Floats = np.where(
            denominator > 0, numerator / np.where(denominator > 0, denominator, 1), np.nan
        )
    return ratio
