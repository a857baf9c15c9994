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
    sampled = sampled_rows(profile, i)
    counts = np.diff(np.rint(sampled.ends), prepend=0.0).astype(np.int64)
    counted = counts > 0
    return WeightedValues(sampled.values[counted], counts[counted], False)


class SampledRows(NamedTuple):
    """Different numbers in rising order, and how many rows are at or below each."""

    values: Floats
    ends: Floats


def sampled_rows(profile: Profile, i: int) -> SampledRows:
    """Return the rows for which a sample of numbers stands; see :func:`weighted_values`."""
    kept = profile.values.get(i)
    feature = profile.layout.features[i]
    in_bins = profile.counts[profile.layout.bins(i)]
    sampled = np.empty(0) if kept is None else np.asarray(kept.values, np.float64)
    counts = np.empty(0) if kept is None else kept.counts.astype(np.float64)
    order = np.argsort(sampled)
    numbers, counts = sampled[order], counts[order]
    places = np.searchsorted(numbers, feature.edges)
    places = np.concatenate(([0], places, [len(numbers)]))
    empty = np.flatnonzero((in_bins > 0) & (places[1:] == places[:-1]))
    if len(empty):
        middles = _middles(feature, float(profile.low[i]), float(profile.high[i]))[empty]
        numbers = np.insert(numbers, places[empty], middles)
        counts = np.insert(counts, places[empty], 1.0)
        places += np.searchsorted(empty, np.arange(len(places)))
    return SampledRows(numbers, _scaled_ends(counts, places, in_bins))


def _scaled_ends(counts: Floats, places: Ints, in_bins: Ints) -> Floats:
    """The running sum of the counts, those of each bin scaled to its rows.

    Bin ``b`` has the numbers ``[places[b], places[b + 1])``.
    """
    running = np.concatenate(([0.0], np.cumsum(counts)))
    totals = np.diff(running[places])
    factors = in_bins / np.where(totals > 0, totals, 1.0)
    ends: Floats = np.cumsum(counts * np.repeat(factors, np.diff(places)))
    return ends


def _middles(feature: Feature, low: float, high: float) -> Floats:
    """A number of each bin: the single value in it, or the middle of what it spans."""
    edges = np.array(feature.edges)
    lower = np.clip(np.concatenate(([low], edges)), low, high)
    upper = np.clip(np.concatenate((edges, [high])), low, high)
    middles: Floats = lower / 2.0 + upper / 2.0
    for position, value in feature.single_values.items():
        middles[position] = value
    return middles
