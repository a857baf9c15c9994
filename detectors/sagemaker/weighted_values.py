"""The numbers of a feature in a profile, each with a count; the counts add up to its rows."""

from __future__ import annotations

from typing import Final, NamedTuple, TypeVar

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.profiles.layout import Feature
from detectors.profiles.profile import Profile

FEW: Final = 8
"""One in so many numbers may occur more than once for :func:`in_order` to sort them alone."""

Counts = TypeVar("Counts", Floats, Ints)


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
        return WeightedValues(*in_order(np.asarray(kept.values, np.float64), kept.counts), True)
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
    edges = profile.layout.edges[i]
    sampled = np.empty(0) if kept is None else np.asarray(kept.values, np.float64)
    unsorted = np.empty(0) if kept is None else kept.counts.astype(np.float64)
    numbers, counts = in_order(sampled, unsorted)
    places = np.empty(len(edges) + 2, np.int64)
    places[0], places[1:-1], places[-1] = 0, numbers.searchsorted(edges), len(numbers)
    empty = ((in_bins > 0) & (places[1:] == places[:-1])).nonzero()[0]
    if len(empty):
        middles = _middles(feature, edges, empty, float(profile.low[i]), float(profile.high[i]))
        numbers = np.insert(numbers, places[empty], middles)
        counts = np.insert(counts, places[empty], 1.0)
        places += empty.searchsorted(np.arange(len(places)))
    return SampledRows(numbers, _scaled_ends(counts, places, in_bins))


def in_order(values: Floats, counts: Counts) -> tuple[Floats, Counts]:
    """Different numbers in rising order with their counts, which are at least 1.

    Where most of them occur once, the numbers are sorted alone, which takes a third of the time.

    >>> in_order(np.array([3.0, 1.0, 2.0]), np.array([1, 4, 1]))
    (array([1., 2., 3.]), array([4, 1, 1]))
    """
    often = (counts > 1).nonzero()[0]
    if len(often) * FEW > len(values):
        order = values.argsort()
        return values[order], counts[order]
    numbers = np.sort(values)
    ordered = np.ones_like(counts)
    ordered[numbers.searchsorted(values[often])] = counts[often]
    return numbers, ordered


def _scaled_ends(counts: Floats, places: Ints, in_bins: Ints) -> Floats:
    """The running sum of the counts, those of each bin scaled to its rows.

    Bin ``b`` has the numbers ``[places[b], places[b + 1])``.
    """
    running = np.zeros(len(counts) + 1)
    counts.cumsum(out=running[1:])
    at_places = running[places]
    factors = in_bins / np.maximum(at_places[1:] - at_places[:-1], 1.0)
    ends: Floats = (counts * factors.repeat(places[1:] - places[:-1])).cumsum()
    return ends


def _middles(feature: Feature, edges: Floats, bins: Ints, low: float, high: float) -> Floats:
    """A number of each of these bins: the single value in it, or the middle of what it spans."""
    bounds = np.minimum(np.maximum(np.concatenate(([low], edges, [high])), low), high)
    middles: Floats = bounds[bins] / 2.0 + bounds[bins + 1] / 2.0
    single_values = feature.single_values
    for k, position in enumerate(bins.tolist()):
        if position in single_values:
            middles[k] = single_values[position]
    return middles
