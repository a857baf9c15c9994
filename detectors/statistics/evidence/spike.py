"""The test of a spike: one fine bin that holds far more than its neighbours explain."""

from __future__ import annotations

from typing import ClassVar, Final

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.statistics.evidence.base import Outcome, Pooled
from detectors.statistics.evidence.neighbourhoods import BinSide, Neighbourhoods
from detectors.statistics.evidence.share_tests import rise_is_suspect, risen

SCREEN: Final = 16.0
"""The squared deviation from which on a bin is tested: below it no p-value is small, and 1 stands
for it."""


class SpikeTest:
    """The test whether a value was put in: clipped to, frozen, imputed, or a default.

    A bin with j of the m values of the baseline has k of n in the window. Its p-value is the
    largest of three, each a beta-binomial tail as in :mod:`.share_tests`: of k of n after j of m,
    and of k of the values in the bin and on one of its sides, after j of those in the baseline, for
    the side below and for the side above. The first is exact without drift. The others ask what
    growth of the neighbours explains: where values move, the bins beside a bin grow as well, at
    least those on the side that they come from or go to. A bin is no spike either if its values lie
    less dense than those of a side.

    The p-value of a feature is its smallest times the number of its bins (Bonferroni). Only the
    window alone is judged, since such faults are large, and only features of many values
    (``grid``): each value of the others is a cell of its own. 1 without the window's counts.

    The effect compares the bin's share with the largest one that the baseline or a side explains.
    Source: Wilks 1942 for the law; the largest of several p-values: Berger 1982.
    """

    names: ClassVar[tuple[str, ...]] = ("spike",)

    def outcome(self, pooled: Pooled) -> Outcome:
        shape = (1, *pooled.n.shape)
        p_value, effect, direction = np.ones(shape), np.zeros(shape), np.zeros(shape)
        if pooled.counts is not None:
            for i, p, size in _spikes(pooled, pooled.counts):
                p_value[0, 0, i], effect[0, 0, i], direction[0, 0, i] = p, size, 1.0
        return Outcome(p_value=p_value, effect=effect, direction=direction)


def _spikes(pooled: Pooled, counts: Ints) -> list[tuple[int, float, float]]:
    """The features with a bin that is tested: each with the p-value and the effect of the best."""
    fine = pooled.reference.fine
    after = counts[fine.slots]
    running = np.concatenate(([0], np.cumsum(after)))
    bins = _suspects(pooled, fine, after.astype(np.float64), running)
    of = fine.feature[bins]
    n, m, factor = pooled.n[0][of], pooled.m[0][of], pooled.factor[0][of]
    k, j = after[bins].astype(np.float64), fine.before[bins]
    p_values, explained = [risen(k, n, j, m, factor)], [j / m]
    for side in (side.of(bins) for side in fine.sides):
        beside = side.after(running)
        p_values.append(risen(k, k + beside, j, j + side.before, factor))
        growth = np.where(side.before > 0.0, beside / np.maximum(side.before, 1.0), 0.0)
        explained.append(growth * j / n)
    p_value = np.minimum(np.max(p_values, axis=0) * fine.bins[of], 1.0)
    effect = _effect(k / n, np.max(explained, axis=0), factor * (1.0 / n + 1.0 / m))
    best = {int(of[b]): int(b) for b in np.argsort(-p_value, kind="stable")}
    return [(i, float(p_value[b]), float(effect[b])) for i, b in best.items()]


def _suspects(pooled: Pooled, fine: Neighbourhoods, after: Floats, running: Ints) -> Ints:
    """The bins that may hold more than the baseline and both sides explain."""
    of = fine.feature
    all_of_them = rise_is_suspect(
        after, pooled.n[0][of], fine.before, pooled.m[0][of], pooled.factor[0][of], SCREEN
    )
    bins = np.flatnonzero(all_of_them)
    for side in fine.sides:
        bins = bins[_exceeds(pooled, fine, after, running, side.of(bins), bins)]
    return bins


def _exceeds(
    pooled: Pooled, fine: Neighbourhoods, after: Floats, running: Ints, side: BinSide, bins: Ints
) -> Ints:
    """Which of the bins, by position, may hold more than a side explains."""
    k, j, beside = after[bins], fine.before[bins], side.after(running)
    dense = k / fine.width[bins] >= beside / side.width
    factor = pooled.factor[0][fine.feature[bins]]
    grown = rise_is_suspect(k, k + beside, j, j + side.before, factor, SCREEN)
    return np.flatnonzero(dense & grown)


def _effect(share: Floats, explained: Floats, scale: Floats) -> Floats:
    rise = np.maximum(np.sqrt(share) - np.sqrt(explained), 0.0)
    effect: Floats = np.sqrt(np.maximum(rise * rise - scale / 4.0, 0.0) / 2.0)
    return effect
