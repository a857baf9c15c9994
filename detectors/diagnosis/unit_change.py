"""Diagnosis of numeric features: a change of unit, which scales and shifts all values."""

from __future__ import annotations

from math import nan, sqrt
from typing import Final, NamedTuple

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.phrases import number
from detectors.profiles.layout import FRACTIONAL, INTEGRAL
from detectors.profiles.profile import Profile
from detectors.statistics.distances.base import Pair


class Conversion(NamedTuple):
    """A change from ``x`` to ``factor * x + offset``, and an ``example`` of where it occurs."""

    factor: float
    offset: float
    example: str


CONVERSIONS: Final = (
    Conversion(60.0, 0.0, "as from minutes to seconds"),
    Conversion(1 / 60.0, 0.0, "as from seconds to minutes"),
    Conversion(3600.0, 0.0, "as from hours to seconds"),
    Conversion(1000.0, 0.0, "as from kilo to units"),
    Conversion(0.001, 0.0, "as from units to kilo"),
    Conversion(100.0, 0.0, "as from shares to percent"),
    Conversion(0.01, 0.0, "as from percent to shares"),
    Conversion(5 / 9.0, -160 / 9.0, "as from Fahrenheit to Celsius"),
    Conversion(1.8, 32.0, "as from Celsius to Fahrenheit"),
    Conversion(1.609344, 0.0, "as from miles to kilometres"),
    Conversion(1 / 1.609344, 0.0, "as from kilometres to miles"),
    Conversion(-1.0, 0.0, "with the sign changed"),
)
UNCHANGED: Final = Conversion(1.0, 0.0, "")
"""The last candidate, no change: a conversion must fit at least twice as well."""

_CANDIDATES: Final = (*CONVERSIONS, UNCHANGED)
_FACTORS: Final = np.array([conversion.factor for conversion in _CANDIDATES])
_OFFSETS: Final = np.array([conversion.offset for conversion in _CANDIDATES])
_QUANTILES: Final = np.array([0.1, 0.25, 0.5, 0.75, 0.9])


def unit_change(pair: Pair, i: int) -> str:
    """The change of unit that explains the drift of numeric feature ``i``; empty if none does."""
    conversion = _by_moments(pair, i) or _by_quantiles(pair, i)
    return f"unit change: {_in_words(conversion)}" if conversion else ""


def _in_words(conversion: Conversion) -> str:
    """``values are about 0.556 x - 17.8, as from Fahrenheit to Celsius``."""
    scaled = f"values are about {number(conversion.factor, 3)} x"
    if conversion.offset:
        sign = "+" if conversion.offset > 0 else "-"
        scaled += f" {sign} {number(abs(conversion.offset), 3)}"
    return f"{scaled}, {conversion.example}"


def _by_moments(pair: Pair, i: int) -> Conversion | None:
    """The conversion that the exact means and deviations fit within a quarter of a deviation.

    A single outlier prevents a match.
    """
    mean, std = _moments(pair.baseline, i)
    window_mean, window_std = _moments(pair.window, i)
    if not (std > 0 and window_std > 0):
        return None
    scaled = np.abs(_FACTORS) * std
    mean_errors = np.abs(_FACTORS * mean + _OFFSETS - window_mean) / scaled
    spread_errors = np.abs(np.log(window_std / scaled))
    return _best(np.maximum(mean_errors, spread_errors), 0.25)


def _moments(side: Profile, i: int) -> tuple[float, float]:
    """Mean and standard deviation of the finite numbers of feature ``i``, NaN without any."""
    start = int(side.layout.starts[i])
    n = int(side.counts[start + INTEGRAL] + side.counts[start + FRACTIONAL])
    if not n:
        return nan, nan
    offset = float(side.sums[i, 0]) / n
    variance = float(side.sums[i, 1]) / n - offset * offset
    return side.layout.features[i].center + offset, sqrt(max(variance, 0.0))


def _by_quantiles(pair: Pair, i: int) -> Conversion | None:
    """The conversion that five quantiles fit, estimated from the bins.

    Robust against outliers, but imprecise where bins are wide.
    """
    before = _quantiles(pair, i, pair.baseline.counts)
    after = _quantiles(pair, i, pair.window.counts)
    if before is None or after is None:
        return None
    expected = np.sort(_FACTORS[:, None] * before + _OFFSETS[:, None], axis=1)
    spread = np.maximum(max(float(after[-1] - after[0]), 1e-12), expected[:, -1] - expected[:, 0])
    return _best(np.abs(expected - after).max(axis=1) / spread, 0.15)


def _best(errors: Floats, largest: float) -> Conversion | None:
    """The conversion with the smallest error.

    ``errors`` has one entry per candidate. ``None`` if the error is not below ``largest``, or not
    below half the error of no conversion.
    """
    k = int(np.argmin(errors[:-1]))
    if errors[k] < largest and errors[-1] > 2.0 * errors[k]:
        return CONVERSIONS[k]
    return None


def _quantiles(pair: Pair, i: int, counts: Ints) -> Floats | None:
    """Five quantiles of feature ``i``, linear within its bins; ``None`` without a finite number."""
    feature = pair.layout.features[i]
    inside = counts[pair.layout.bins(i)].astype(float)
    if inside.sum() == 0:
        return None
    low = min(pair.window.low[i], pair.baseline.low[i], feature.edges[0])
    high = max(pair.window.high[i], pair.baseline.high[i], feature.edges[-1])
    bounds = np.array([low, *feature.edges, high])
    running = np.concatenate(([0.0], np.cumsum(inside)))
    quantiles: Floats = np.interp(_QUANTILES * inside.sum(), running, bounds)
    return quantiles
