"""The numbers of a feature in a profile, each with a count; the counts add up to its rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.profiles.layout import Feature
from detectors.profiles.profile import Profile


class WeightedValues(NamedTuple):
    """Different numbers in rising order with their counts.

    ``exact``: these are all numbers of the rows, with their own counts.
    """

    values: Floats
    counts: Ints
    exact: bool


def weighted_values(profile: Profile, i: int) -> WeightedValues:
    """Return the finite numbers of numeric feature ``i``, with counts that add up to their rows.

    They are exact where the profile keeps all different values. Where it keeps a sample of them,
    the counts in each bin are scaled to that of the bin, so that the sample decides nothing but the
    place of values within a bin: its weight would depend on whether a frequent value is in it. A
    bin without a sampled value has one number: its single value, or the middle of what it spans.
    Empty without a finite number.
    """
    kept = profile.values.get(i)
    if kept is not None and kept.complete:
        numbers = np.asarray(kept.values, np.float64)
        order = np.argsort(numbers)
        return WeightedValues(numbers[order], kept.counts[order], True)
    feature = profile.layout.features[i]
    in_bins = profile.counts[profile.layout.bins(i)]
    sampled = np.empty(0) if kept is None else np.asarray(kept.values, np.float64)
    counts = np.empty(0) if kept is None else kept.counts.astype(np.float64)
    bins = np.searchsorted(np.array(feature.edges), sampled, side="right")
    empty = np.flatnonzero((in_bins > 0) & (np.bincount(bins, minlength=feature.bins) == 0))
    middles = _middles(feature, float(profile.low[i]), float(profile.high[i]))[empty]
    numbers = np.concatenate((sampled, middles))
    weights = np.concatenate((counts, np.ones(len(empty))))
    return _scaled(numbers, weights, np.concatenate((bins, empty)), in_bins)


def _scaled(numbers: Floats, weights: Floats, bins: Ints, in_bins: Ints) -> WeightedValues:
    """The weights of each bin scaled to its count, and rounded so that the sums stay."""
    totals = np.bincount(bins, weights=weights, minlength=len(in_bins))
    order = np.lexsort((numbers, bins))
    shares = weights[order] * in_bins[bins[order]] / totals[bins[order]]
    counts = np.diff(np.rint(np.cumsum(shares)), prepend=0.0).astype(np.int64)
    counted = counts > 0
    return WeightedValues(numbers[order][counted], counts[counted], False)


def _middles(feature: Feature, low: float, high: float) -> Floats:
    """A number of each bin: the single value in it, or the middle of what it spans."""
    edges = np.array(feature.edges)
    lower = np.clip(np.concatenate(([low], edges)), low, high)
    upper = np.clip(np.concatenate((edges, [high])), low, high)
    middles: Floats = lower / 2.0 + upper / 2.0
    for position, value in feature.single_values.items():
        middles[position] = value
    return middles
