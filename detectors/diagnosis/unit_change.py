"""What moved: the bins with the largest part in a distance, and what the change looks like."""

from __future__ import annotations

from math import nan, sqrt

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.profiles.layout import FRACTIONAL, INTEGRAL, Feature
from detectors.profiles.profile import Profile
from detectors.statistics.distances.base import Pair

UNITS = {
    "values are 60 times as large, as from minutes to seconds": (60.0, 0.0),
    "values are 60 times as small, as from seconds to minutes": (1 / 60.0, 0.0),
    "values are 3600 times as large, as from hours to seconds": (3600.0, 0.0),
    "values are 1000 times as large, as from kilo to units": (1000.0, 0.0),
    "values are 1000 times as small, as from units to kilo": (0.001, 0.0),
    "values are 100 times as large, as from shares to percent": (100.0, 0.0),
    "values are 100 times as small, as from percent to shares": (0.01, 0.0),
    "as from Fahrenheit to Celsius": (5 / 9.0, -160 / 9.0),
    "as from Celsius to Fahrenheit": (1.8, 32.0),
    "as from miles to kilometres": (1.609344, 0.0),
    "as from kilometres to miles": (1 / 1.609344, 0.0),
    "the sign has changed": (-1.0, 0.0),
}
_FACTORS, _OFFSETS = np.array([*UNITS.values(), (1.0, 0.0)]).T
_QUANTILES = np.array([0.1, 0.25, 0.5, 0.75, 0.9])


def diagnosis(pair: Pair, i: int) -> str:
    """A likely cause of a drift of feature ``i`` in a few words; empty if none of the known ones
    fits.
    """
    feature = pair.layout.features[i]
    return _numeric(pair, i) if feature.numeric else _text(pair, i, feature)


def _text(pair: Pair, i: int, feature: Feature) -> str:
    start = int(pair.layout.cell_starts[i])
    known = slice(start, start + len(feature.vocabulary))
    gone = (pair.p[known] > 0.02) & (pair.after[known] == 0)
    new = pair.q[known.stop : known.stop + 64].sum() - pair.p[known.stop : known.stop + 64].sum()
    if new > 0.02:
        return "a value that the baseline does not know"
    return "a value has vanished" if gone.any() else ""


def _numeric(pair: Pair, i: int) -> str:
    window, baseline = pair.window, pair.baseline
    if window.low[i] == window.high[i] and baseline.low[i] < baseline.high[i]:
        return "frozen: one value only"
    unit = _by_moments(pair, i) or _by_quantiles(pair, i)
    return f"unit change: {unit}" if unit else ""


def _by_moments(pair: Pair, i: int) -> str:
    """The change of unit that the exact means and deviations fit within a quarter of a deviation;
    one outlier spoils it.
    """
    (mean, std), (seen_mean, seen_std) = _moments(pair.baseline, i), _moments(pair.window, i)
    if not (std > 0 and seen_std > 0):
        return ""
    scaled = np.abs(_FACTORS) * std
    width_mismatches = np.maximum(
        np.abs(_FACTORS * mean + _OFFSETS - seen_mean) / scaled, np.abs(np.log(seen_std / scaled))
    )
    return _best(width_mismatches, 0.25)


def _moments(side: Profile, i: int) -> tuple[float, float]:
    """Mean and standard deviation of the finite numbers of feature ``i``, NaN without any."""
    start = int(side.layout.starts[i])
    n = int(side.counts[start + INTEGRAL] + side.counts[start + FRACTIONAL])
    if not n:
        return nan, nan
    away = float(side.sums[i, 0]) / n
    variance = float(side.sums[i, 1]) / n - away * away
    return side.layout.features[i].center + away, sqrt(max(variance, 0.0))


def _by_quantiles(pair: Pair, i: int) -> str:
    """The change of unit that five quantiles fit, read off the bins: no outlier spoils it, but far
    bins are wide.
    """
    before, after = (
        _quantiles(pair, i, pair.baseline.counts),
        _quantiles(pair, i, pair.window.counts),
    )
    if before is None or after is None:
        return ""
    expected = np.sort(_FACTORS[:, None] * before + _OFFSETS[:, None], axis=1)
    spread = np.maximum(max(float(after[-1] - after[0]), 1e-12), expected[:, -1] - expected[:, 0])
    return _best(np.abs(expected - after).max(axis=1) / spread, 0.15)


def _best(width_mismatches: Floats, most: float) -> str:
    """The unit that fits best, if it fits at all and at least twice as well as no change of unit
    (the last entry).
    """
    k = int(np.argmin(width_mismatches[:-1]))
    return (
        list(UNITS)[k]
        if width_mismatches[k] < most and width_mismatches[-1] > 2.0 * width_mismatches[k]
        else ""
    )


def _quantiles(pair: Pair, i: int, counts: Ints) -> Floats | None:
    feature = pair.layout.features[i]
    inside = counts[pair.layout.bins(i)].astype(float)
    if inside.sum() == 0:
        return None
    low = min(pair.window.low[i], pair.baseline.low[i], feature.edges[0])
    high = max(pair.window.high[i], pair.baseline.high[i], feature.edges[-1])
    bounds = np.array([low, *feature.edges, high])
    at: Floats = np.interp(
        _QUANTILES * inside.sum(), np.concatenate(([0.0], np.cumsum(inside))), bounds
    )
    return at
