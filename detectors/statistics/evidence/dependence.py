"""The design effect of rows that depend on each other, as windows and the baseline show it."""

from __future__ import annotations

from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.profiles.dependence import Dependence
from detectors.statistics.evidence.horizons import History
from detectors.statistics.evidence.scores import SCALE
from detectors.statistics.evidence.tallies import TallyLayout
from detectors.statistics.laws import upper_quantile, upper_tails

QUANTITIES: Final = ("location", "spread", "missing", "words")
"""What is compared: mean scores of numbers, the share of missing rows, shares of frequent words."""
FREQUENT: Final = 0.05
"""The share of the baseline from which on a value of text is compared."""
CERTAIN: Final = 1e-4
"""The chance of taking independent rows of a feature for dependent ones."""
LEAST_WINDOWS: Final = 8
"""The number of windows from which on the stream is asked."""
KEPT: Final = 0.9
"""The share of the gaps between windows, the smallest ones, that count: a jump is no dependence."""


def factor_of(
    layout: TallyLayout, dependence: Dependence | None, history: History, sums: Ints
) -> Floats:
    """The factor of :class:`~detectors.statistics.evidence.base.Pooled`, ``[horizons, features]``.

    Pass the layout and the ``dependence`` of the baseline, the windows before the one that is
    judged, and their sums: ``sums = history.sums(start_ms, tallies)``. The larger of what the
    baseline's file and of what the stream says.
    """
    factor = np.broadcast_to(stream_factor(history, layout), (len(sums), layout.features))
    if dependence is None or not dependence.factors:
        return factor
    names = [feature.name for feature in layout.layout.features]
    rows = layout.named(sums, "rows").astype(np.float64)
    return np.maximum(factor, dependence.factor(names, rows))


def stream_factor(history: History, layout: TallyLayout) -> Floats:
    """The design effect that the last windows show, of each feature; 1 where none is certain.

    The squared gaps of consecutive windows have the mean 1 where rows are independent. The mean of
    the smallest :data:`KEPT` of them, over its expectation, is the factor: neither a jump nor a
    slow drift is taken for dependence, and neither is a cycle of many windows. It counts where its
    chance is at most :data:`CERTAIN`, for any of :data:`QUANTITIES`.

    All 1 with fewer than :data:`LEAST_WINDOWS` windows. Source: von Neumann 1941 for successive
    differences; Kish 1965 for the design effect.
    """
    windows = history.windows()
    if len(windows) < LEAST_WINDOWS or not layout.features:
        return np.ones(layout.features)
    tallies = np.stack([window.tallies for window in windows])
    gaps = squared_gaps(layout, tallies[1:], tallies[:-1])
    factors = [_certain(gaps[q], dof) for q, dof in enumerate(freedom(layout))]
    factor: Floats = np.max(factors, axis=0)
    return factor


def _certain(gaps: Floats, dof: Floats) -> Floats:
    """The factor by gaps ``[pairs, features]`` of ``dof`` degrees of freedom; 1 if uncertain."""
    known = np.isfinite(gaps).all(axis=0) & (dof > 0.0)
    kept = int(KEPT * len(gaps))
    smallest = np.sort(np.where(known, gaps, 0.0), axis=0)[:kept].mean(axis=0)
    freedom = np.where(known, dof, 1.0)
    end = upper_quantile(1.0 - kept / len(gaps), freedom)
    inside = 1.0 - upper_tails(end, freedom + 2.0)
    factor = smallest / (freedom * inside * len(gaps) / kept)
    pairs = freedom * len(gaps) / 2.0
    certain = upper_tails(factor * pairs, pairs) <= CERTAIN / len(QUANTITIES)
    return np.where(known & certain, np.maximum(factor, 1.0), 1.0)


def squared_gaps(layout: TallyLayout, one: Ints, other: Ints, *, within: bool = False) -> Floats:
    """Squared differences of two sides in each of :data:`QUANTITIES`, ``[quantities, ...,
    features]`` for tallies ``[..., size]``.

    Each is over its variance for independent rows of the baseline's distribution, so that its mean
    is :func:`freedom`. With ``within``, the rows of ``one`` are some of those of ``other``. NaN
    where a side has no value.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        values = _inverse(layout, one, other, "values", within)
        rows = _inverse(layout, one, other, "rows", within)
        scores = _means(layout, one) - _means(layout, other)
        scores = scores**2 / (_along(layout.variances[:2], scores.ndim) * values)
        lost = _share(layout, one, "missing", "rows") - _share(layout, other, "missing", "rows")
        missing = lost**2 / (missing_variance(layout) * rows)
        words = _word_gaps(layout, one, other) / values
    return np.concatenate([scores, missing[None], words[None]])


def freedom(layout: TallyLayout) -> Floats:
    """The expectation of each squared gap of independent rows, ``[quantities, features]``.

    0 where a quantity is not compared: scores of text, words of numbers, and missing rows where
    almost none, or almost all, are.
    """
    freedom = np.zeros((len(QUANTITIES), layout.features))
    freedom[:2] = np.isfinite(layout.variances[:2])
    freedom[2] = missing_variance(layout) >= 0.01
    _, shares, of = _frequent(layout)
    freedom[3] = np.bincount(of, weights=1.0 - shares, minlength=layout.features)
    return freedom


def missing_variance(layout: TallyLayout) -> Floats:
    """``q * (1 - q)`` for the share q of missing rows in the baseline; NaN without rows."""
    with np.errstate(invalid="ignore"):
        share = _share(layout, layout.baseline, "missing", "rows")
    return share * (1.0 - share)


def _frequent(layout: TallyLayout) -> tuple[Ints, Floats, Ints]:
    """The cells of frequent words, their shares in the baseline, and the feature of each."""
    of = layout.cell_feature
    with np.errstate(invalid="ignore"):
        shares = layout.cells(layout.baseline) / layout.named(layout.baseline, "values")[of]
    text = np.array([not feature.numeric for feature in layout.layout.features], bool)
    cells = np.flatnonzero((shares >= FREQUENT) & text[of])
    return cells, shares[cells], of[cells]


def _word_gaps(layout: TallyLayout, one: Ints, other: Ints) -> Floats:
    """Squared gaps of the shares of frequent words, each over the share, ``[..., features]``."""
    cells, shares, of = _frequent(layout)
    sides = [
        layout.cells(side)[..., cells] / layout.named(side, "values")[..., of]
        for side in (one, other)
    ]
    parts = (sides[0] - sides[1]) ** 2 / shares
    gaps = np.zeros((*parts.shape[:-1], layout.features))
    for i in np.unique(of).tolist():
        gaps[..., i] = parts[..., of == i].sum(axis=-1)
    return gaps


def _means(layout: TallyLayout, tallies: Ints) -> Floats:
    """The mean scores of location and spread, ``[2, ..., features]``."""
    means: Floats = (
        layout.several(tallies, QUANTITIES[:2]) / SCALE / layout.named(tallies, "values")
    )
    return means


def _share(layout: TallyLayout, tallies: Ints, part: str, whole: str) -> Floats:
    share: Floats = layout.named(tallies, part) / layout.named(tallies, whole)
    return share


def _inverse(layout: TallyLayout, one: Ints, other: Ints, whole: str, within: bool) -> Floats:
    """``1/n + 1/m`` of two sides; ``1/n - 1/m`` for a part and the whole that it belongs to."""
    sign = -1.0 if within else 1.0
    inverse: Floats = 1.0 / layout.named(one, whole) + sign / layout.named(other, whole)
    return inverse


def _along(variances: Floats, dimensions: int) -> Floats:
    """Variances ``[scores, features]`` in the shape of ``[scores, ..., features]``."""
    return variances.reshape(len(variances), *([1] * (dimensions - 2)), -1)
