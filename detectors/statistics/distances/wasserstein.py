"""Wasserstein-1 distance."""

from __future__ import annotations

from math import log, pi, sqrt
from typing import ClassVar

import numpy as np

from detectors.arrays import Floats
from detectors.profiles.fine_bins import FineBins, fine_bins
from detectors.profiles.profile import Profile
from detectors.statistics.distances.base import AppliesTo, Distance, Pair, normal_shift


class Wasserstein(Distance):
    """``integral |F - G| dx`` of each numeric feature, in baseline standard deviations.

    F and G are over finite numbers and assumed to be linear within a fine bin; the two open bins
    end at the smallest and largest number of both sides. The error is at most the sum over the bins
    of width times share: for a normal feature that is stretched by half the result is 8 % too high,
    since the outermost bins are wide. The result is never below the gap between the two means,
    which are exact. Missing values have no position on the axis and are ignored here; PSI includes
    them. NaN for text, if a side has no finite number, and if the baseline has a standard deviation
    of 0.

    Trap: a single far outlier changes it, and wide ladder bins make it imprecise. Source:
    Vaserstein 1969; the quantile form of Vallender 1974.

    >>> from detectors.statistics.distances.base import of_counts
    >>> Wasserstein().distances(of_counts({0.0: 1, 2.0: 1}, {1.0: 1, 3.0: 1}))
    array([1.])
    """

    applies_to: ClassVar[AppliesTo] = "numbers"
    title: ClassVar[str] = "Wasserstein"
    formula: ClassVar[str] = "integral |F - G| dx in baseline standard deviations"
    decides: ClassVar[bool] = True

    def distances(self, pair: Pair) -> Floats:
        """The area between the distribution functions over the baseline's deviation."""
        layout = pair.layout
        out = np.full(len(layout.features), np.nan)
        fine = fine_bins(layout)
        if not len(fine.features):
            return out
        gap = pair.f - pair.g
        left = np.concatenate(([0.0], gap[:-1]))
        left[fine.starts] = 0.0
        scale = np.array([layout.features[i].scale for i in fine.features])
        # Areas beyond the largest float are infinite or NaN, and have no value.
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            area = np.add.reduceat(_trapezoid(left, gap) * _bin_widths(pair, fine), fine.starts)
            shift = np.abs(_means(pair.baseline, fine) - _means(pair.window, fine))
            out[fine.features] = np.where(scale > 0, np.maximum(area, shift) / scale, np.nan)
        return pair.where_both(np.where(np.isfinite(out), out, np.nan))

    def noise(self, pair: Pair, alpha: float) -> Floats:
        """``J * sqrt(1/n + 1/m) * (sqrt(2 / pi) + sqrt(2 ln(1 / alpha)))``.

        ``J = integral sqrt(F * (1 - F)) dx`` in baseline standard deviations: Gaussian
        concentration around the mean of an integrated Brownian bridge. Where the baseline comes
        from a sketch, ``J**2 * (1/n + 1/m)`` is increased by the square of the integral of its
        error, which is as large at all F: ``min(rank, sqrt(weight * min(F, 1 - F)))``.
        """
        deviations = sqrt(2.0 / pi) + sqrt(2.0 * log(1.0 / alpha))
        with np.errstate(divide="ignore", invalid="ignore"):
            sampled = _areas(pair, _bridge(pair)) ** 2 * pair.where_both(
                1.0 / pair.n + 1.0 / pair.m
            )
        if not pair.sketch_errors.any():
            return np.sqrt(sampled) * deviations
        noise: Floats = np.sqrt(sampled + _areas(pair, _sketch_error(pair)) ** 2) * deviations
        return noise

    def equivalent(self, gap: float) -> float:
        """The shift itself: how many deviations apart two normal laws are."""
        return normal_shift(gap)


def _bridge(pair: Pair) -> Floats:
    """``sqrt(F * (1 - F))`` at the upper end of each fine bin."""
    shares = np.nan_to_num(pair.f)
    bridge: Floats = np.sqrt(np.maximum(shares * (1.0 - shares), 0.0))
    return bridge


def _sketch_error(pair: Pair) -> Floats:
    """The error of F that is due to the sketch of the baseline, at the same places."""
    fine = fine_bins(pair.layout)
    rank, weight = np.repeat(pair.sketch_errors[fine.features], fine.widths, axis=0).T
    shares = np.nan_to_num(pair.f)
    rest = np.maximum(np.minimum(shares, 1.0 - shares), 0.0)
    error: Floats = np.minimum(rank, np.sqrt(weight * rest))
    return error


def _areas(pair: Pair, heights: Floats) -> Floats:
    """The integral of ``heights`` over the fine bins of each feature, over its scale.

    NaN for text.
    """
    layout = pair.layout
    out = np.full(len(layout.features), np.nan)
    fine = fine_bins(layout)
    for k, i in enumerate(fine.features.tolist()):
        feature = layout.features[i]
        inside = heights[fine.starts[k] : fine.starts[k] + fine.widths[k] - 1]
        if feature.scale > 0:
            with np.errstate(invalid="ignore", over="ignore"):
                widths = np.diff(np.array(feature.edges)) / feature.scale
                out[i] = float((inside[:-1] * widths).sum())
    return out


def _means(side: Profile, fine: FineBins) -> Floats:
    """Means of the finite numbers, relative to the layout's centers."""
    means: Floats = side.sums[fine.features, 0] / side.finite[fine.features]
    return means


def _trapezoid(left: Floats, right: Floats) -> Floats:
    """Mean of ``|linear|`` between two ends; two triangles where the sign changes."""
    size = np.abs(left) + np.abs(right)
    with np.errstate(invalid="ignore", divide="ignore"):
        crossed = (left * left + right * right) / (2.0 * size)
    return np.where(left * right < 0, crossed, size / 2.0)


def _bin_widths(pair: Pair, fine: FineBins) -> Floats:
    """The width of each fine bin.

    The open ones end at the smallest and largest number of either side, if that lies outside.
    """
    low = np.minimum(pair.baseline.low, pair.window.low)[fine.features]
    high = np.maximum(pair.baseline.high, pair.window.high)[fine.features]
    ends = fine.starts + fine.widths - 1
    upper, lower = fine.edges.copy(), np.roll(fine.edges, 1)
    lower[fine.starts] = np.minimum(low, fine.edges[fine.starts])
    upper[ends] = np.maximum(high, fine.edges[ends - 1])
    widths: Floats = upper - lower
    return widths
