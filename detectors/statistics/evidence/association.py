"""The test of the dependence of two features: whether a window pairs their levels as before."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Floats, Ints
from detectors.statistics.evidence.base import unbiased_effect
from detectors.statistics.laws import excess, upper_tails

MOST_ROUNDS: Final = 200
"""The largest number of rounds of the fit; levels of a correlation of 0.99 take 30."""
CLOSE: Final = 1e-7
"""The fit ends when no row of the pooled table is off by a larger part."""


class Association(msgspec.Struct, frozen=True, eq=False):
    """What is known of each pair of features: arrays with one entry a pair.

    ``n`` and ``m``: rows of the window and of the baseline in which both features have a level.
    ``p_value``: 1 where a feature has a single level or a side has no row. ``effect``: the
    Hellinger distance of the window's table from the one that the baseline's dependence gives with
    the window's own shares of levels, less what chance adds.
    """

    n: Ints
    m: Ints
    p_value: Floats
    effect: Floats


def association(after: Ints, before: Ints, factor: Floats) -> Association:
    """Compare tables ``int64[pairs, levels, levels]`` of a window and of its baseline.

    The G test of homogeneous association: expected counts keep the shares of levels of each side,
    and the odds ratios of both sides together. So neither a feature that drifted alone nor the
    baseline's own sampling error is taken for a change of dependence. ``G / factor / q`` is
    chi-squared with ``(a - 1) * (b - 1)`` degrees of freedom for ``a`` and ``b`` levels that occur:
    ``q`` is how much larger G is on average in a table with small expected counts. ``factor`` is
    the design effect of dependent rows, ``float64[pairs]``.

    Source: Bartlett 1935, and 1937 for the correction by the mean; the fit is that of Deming and
    Stephan 1940.
    """
    observed = np.stack((after, before), axis=1).astype(np.float64)
    expected = _homogeneous(observed)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(observed > 0.0, observed * np.log(observed / expected), 0.0)
    g = np.maximum(2.0 * terms.sum(axis=(1, 2, 3)), 0.0)
    n, m = after.sum(axis=(1, 2)), before.sum(axis=(1, 2))
    pooled = observed.sum(axis=1)
    levels = [(pooled.sum(axis=axis) > 0.0).sum(axis=1) - 1.0 for axis in (1, 2)]
    dof = np.where((n > 0) & (m > 0), levels[0] * levels[1], 0.0)
    with np.errstate(divide="ignore"):
        scale = factor * (1.0 / n + 1.0 / m)
    statistic = g / factor
    independent = expected / factor[:, None, None, None]
    mean = dof + excess(independent).sum(axis=(1, 2, 3))
    effect: Floats = np.where(dof > 0.0, unbiased_effect(statistic, mean, scale), 0.0)
    corrected = np.where(dof > 0.0, statistic * dof / np.maximum(mean, 1.0), 0.0)
    return Association(n=n, m=m, p_value=upper_tails(corrected, dof), effect=effect)


def _homogeneous(observed: Floats) -> Floats:
    """The fit without an interaction of three, ``[pairs, sides, levels, levels]``.

    It has the levels of each side and the pooled table of the observed counts; 0 where these are.
    """
    pooled, rows, columns = observed.sum(axis=1), observed.sum(axis=3), observed.sum(axis=2)
    sides = observed.sum(axis=(2, 3))
    total = sides.sum(axis=1, keepdims=True)
    fit: Floats = pooled[:, None] * _ratio(sides, total)[:, :, None, None]
    for _ in range(MOST_ROUNDS):
        fit *= _ratio(rows, fit.sum(axis=3))[:, :, :, None]
        fit *= _ratio(columns, fit.sum(axis=2))[:, :, None, :]
        off = _ratio(pooled, fit.sum(axis=1))
        fit *= off[:, None]
        if np.abs(off[pooled > 0.0] - 1.0).max(initial=0.0) <= CLOSE:
            break
    return fit


def _ratio(wanted: Floats, found: Floats) -> Floats:
    """``wanted / found``; 0 where nothing is found."""
    ratio: Floats = np.divide(wanted, found, out=np.zeros_like(wanted), where=found > 0.0)
    return ratio


def rank_correlations(tables: Ints) -> Floats:
    """The correlation of the middle ranks of the levels, of each table; NaN where a level is all.

    >>> rank_correlations(np.array([[[5, 0], [0, 5]], [[0, 5], [5, 0]], [[5, 5], [5, 5]]]))
    array([ 1., -1.,  0.])
    """
    counts = tables.astype(np.float64)
    first, second = counts.sum(axis=2), counts.sum(axis=1)
    x, y = (np.cumsum(side, axis=1) - side / 2.0 for side in (first, second))
    half = counts.sum(axis=(1, 2)) / 2.0
    x, y = x - half[:, None], y - half[:, None]
    product = np.einsum("pab,pa,pb->p", counts, x, y)
    squares = (first * x * x).sum(axis=1) * (second * y * y).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation: Floats = product / np.sqrt(squares)
    return correlation


def cramers_v(tables: Ints) -> Floats:
    """Cramer's V of each table, 0 (independent) to 1; NaN where a feature has a single level.

    >>> cramers_v(np.array([[[5, 0], [0, 5]], [[5, 5], [5, 5]]]))
    array([1., 0.])
    """
    counts = tables.astype(np.float64)
    first, second = counts.sum(axis=2), counts.sum(axis=1)
    total = counts.sum(axis=(1, 2))
    levels = np.minimum(_occurring(first), _occurring(second)) - 1.0
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = first[:, :, None] * second[:, None, :] / total[:, None, None]
        parts = np.where(expected > 0.0, (counts - expected) ** 2 / expected, 0.0)
        v: Floats = np.sqrt(parts.sum(axis=(1, 2)) / (total * levels))
    v[levels <= 0.0] = np.nan
    return v


def _occurring(counts: Floats) -> Floats:
    number: Floats = (counts > 0.0).sum(axis=1).astype(np.float64)
    return number
