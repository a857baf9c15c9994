"""The design effect of rows that depend on each other, as windows and the baseline show it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints, Mask
from detectors.profiles.dependence import Dependence
from detectors.statistics.evidence.references import Expected, TallyReference
from detectors.statistics.evidence.scores import SCALE
from detectors.statistics.evidence.tallies import MOST_LAYOUTS, SHARES, Tallies, TallyLayout
from detectors.statistics.laws import upper_quantile, upper_tails

QUANTITIES: Final = ("location", "spread", "missing", "words")
"""What is compared: mean scores of numbers, the share of missing rows, shares of frequent words."""
FREQUENT: Final = 0.05
"""The share of the baseline from which on a value of text is compared."""
CERTAIN: Final = 1e-3
"""The chance of taking independent rows of a feature for dependent ones, in windows."""
LEAST_WINDOWS: Final = 8
"""The number of windows from which on the stream is asked."""
ROUNDING: Final = 1e-9
"""How much earlier than needed a factor is looked at: quantiles and sums are rounded."""
LEAST_VARIANCE: Final = 0.01
"""The variance of a share, ``q * (1 - q)``, from which on it shows whether its rows depend."""
FAULTS: Final = SHARES.index("mistyped") + 1
"""The number of tested shares, the first ones, of rows without a proper value."""
MOST_OF_FAULTS: Final = 4.0
"""The largest factor of a share of rows without a proper value that the baseline hardly has."""
KEPT: Final = 0.9
"""The share of the gaps between windows, the smallest ones, that count: a jump is no dependence."""


def factor_of(layout: TallyLayout, dependence: Dependence, of_stream: Floats, sums: Ints) -> Floats:
    """The factor of :class:`~detectors.statistics.evidence.base.Pooled`, ``[horizons, features]``.

    The larger of what the baseline's file and of what the stream says. Pass the layout and the
    ``dependence`` of the baseline, ``history.factor(layout, start_ms)`` of the windows before the
    one that is judged, and ``history.sums(start_ms, tallies)``.
    """
    factor = np.broadcast_to(of_stream, (len(sums), layout.features))
    if not dependence.factors:
        return factor
    names = [feature.name for feature in layout.layout.features]
    rows = layout.named(sums, "rows").astype(np.float64)
    return np.maximum(factor, dependence.factor(names, rows))


def factor_of_shares(layout: TallyLayout, factor: Floats) -> Floats:
    """The factor of each of the tested shares, ``[shares, horizons, features]``.

    ``factor[horizons, features]`` is that of the rows. That values depend on their neighbours does
    not say that faults do: where a baseline has almost no missing, mistyped or other improper
    values, or almost only such ones, at most :data:`MOST_OF_FAULTS` of it count for their share.
    """
    if factor.max(initial=1.0) <= MOST_OF_FAULTS:
        return np.broadcast_to(factor, (len(SHARES), *factor.shape))
    capped = np.minimum(factor, MOST_OF_FAULTS)
    return np.where(_rare_faults(layout)[:, None], capped, factor)


@lru_cache(maxsize=MOST_LAYOUTS)
def _rare_faults(layout: TallyLayout) -> Mask:
    """The shares of which the baseline says nothing on dependence, ``[shares, features]``."""
    parts, totals = layout.shares_before
    share = parts[:FAULTS] / np.maximum(totals[:FAULTS], 1.0)
    rare = np.zeros(parts.shape, bool)
    rare[:FAULTS] = share * (1.0 - share) < LEAST_VARIANCE
    return rare


def stream_factor(
    layout: TallyLayout,
    windows: Sequence[Ints],
    expected: Expected | None = None,
) -> Floats:
    """The design effect that the last windows show, of each feature; 1 where none is certain.

    ``windows`` are their tallies, one after the other. ``expected``: what each should look like,
    where that differs by season; what they are expected to differ by is then no dependence.

    The squared gaps of consecutive windows have the mean 1 where rows are independent. The mean of
    the smallest :data:`KEPT` of them, over its expectation, is the factor: neither a jump nor a
    slow drift is taken for dependence, and neither is a cycle of many windows. It counts where its
    chance, or that of the median of all features, is at most :data:`CERTAIN`, for any of
    :data:`QUANTITIES`. A factor below a certain median is drawn halfway to it, in logarithms,
    unless it is so small that it is certainly another one.

    All 1 with fewer than :data:`LEAST_WINDOWS` windows. Source: von Neumann 1941 for successive
    differences; Kish 1965 for the design effect.
    """
    if len(windows) < LEAST_WINDOWS or not layout.features:
        return np.ones(layout.features)
    tallies = np.stack(windows)
    if expected is None:
        return factor_of_gaps(layout, squared_gaps(layout, tallies[1:], tallies[:-1]))
    return factor_of_gaps(layout, seasonal_gaps(layout, tallies, expected))


def factor_of_gaps(layout: TallyLayout, gaps: Floats) -> Floats:
    """The factor of :func:`stream_factor`, from the gaps of its windows: see :func:`squared_gaps`.

    A pair of which a side has no value has the gap that is expected.
    """
    dof = freedom(layout)[:, None]
    gaps = np.where(np.isfinite(gaps) & (dof > 0.0), gaps, dof)
    if not _may_depend(layout, gaps):
        return np.ones(layout.features)
    largest: Floats = _factors(layout, gaps).max(axis=0)
    return largest


def _may_depend(layout: TallyLayout, gaps: Floats) -> bool:
    """Whether a feature, or the median of all, may be certain: a tenth of the work of telling.

    The mean of all gaps is at least that of the smallest ones. Only where it is too large for
    independent rows, those are looked for.
    """
    expected, least, least_of_median = _least_certain(layout, gaps.shape[1])
    bound = gaps.mean(axis=1) / expected
    many = np.sum(bound >= least_of_median[:, None], axis=1)
    if (2 * many >= np.isfinite(expected).sum(axis=1))[many > 0].any():
        return True
    quantity, feature = np.nonzero(bound >= least)
    smallest = _smallest(gaps[quantity, :, feature])
    return bool((smallest / expected[quantity, feature] >= least[quantity, feature]).any())


@lru_cache(maxsize=MOST_LAYOUTS)
def _least_certain(layout: TallyLayout, gaps: int) -> tuple[Floats, Floats, Floats]:
    """What the smallest gaps are divided by, and the factors from which on they may be certain.

    ``[quantities, features]``, NaN and infinite where a quantity is not compared; the last ones,
    ``[quantities]``, are for the median of all features.
    """
    pairs = freedom(layout) * (gaps - 2.0) / 2.0
    compared = pairs > 0.0
    largest = upper_quantile(CERTAIN / len(QUANTITIES), pairs) * (1.0 - ROUNDING)
    least = np.where(compared, largest / np.where(compared, pairs, 1.0), np.inf)
    expected = np.where(compared, _mean_of_smallest(layout, gaps), np.nan)
    return expected, least, np.max(least, axis=1, where=compared, initial=0.0)


def _smallest(gaps: Floats) -> Floats:
    """The means of those gaps that count; the second axis is that of the pairs."""
    kept = _kept(gaps.shape[1])
    means: Floats = np.partition(gaps, kept - 1, axis=1)[:, :kept].mean(axis=1)
    return means


def _factors(layout: TallyLayout, gaps: Floats) -> Floats:
    """The factors by gaps ``[quantities, pairs, features]``: ``[quantities, features]``."""
    dof, count = freedom(layout), gaps.shape[1]
    compared = dof > 0.0
    factor = np.where(compared, _smallest(gaps) / _mean_of_smallest(layout, count), np.nan)
    pairs = dof * (count - 2.0) / 2.0
    common = np.array([_common(*row) for row in zip(factor, pairs, strict=True)])[:, None]
    alike = (common > 1.0) & (upper_tails(factor / common * pairs, pairs) <= 1.0 - CERTAIN)
    used = _is_certain(factor, pairs) | alike
    drawn_in = np.sqrt(factor * np.where(alike, np.maximum(factor, common), factor))
    return np.where(used & compared, np.maximum(drawn_in, 1.0), 1.0)


def _common(factor: Floats, pairs: Floats) -> float:
    """The median factor of the features, 1 if it is not certain as that of one.

    Rows depend on each other by their order, which is that of all columns.
    """
    compared = pairs > 0.0
    if not compared.any():
        return 1.0
    median = np.median(factor[compared], keepdims=True)
    return float(median[0]) if _is_certain(median, pairs[compared].min(keepdims=True))[0] else 1.0


def _is_certain(factor: Floats, pairs: Floats) -> Mask:
    certain: Mask = upper_tails(factor * pairs, pairs) <= CERTAIN / len(QUANTITIES)
    return certain


def _kept(gaps: int) -> int:
    return int(KEPT * gaps)


@lru_cache(maxsize=MOST_LAYOUTS)
def _mean_of_smallest(layout: TallyLayout, gaps: int) -> Floats:
    """The mean of the gaps that count, for independent rows: of a chi-squared law without its end.

    ``[quantities, features]``, 1 where a quantity is not compared.
    """
    dof = np.maximum(freedom(layout), 1e-3)
    share = _kept(gaps) / gaps
    inside = 1.0 - upper_tails(upper_quantile(1.0 - share, dof), dof + 2.0)
    return np.where(freedom(layout) > 0.0, dof * inside / share, 1.0)


def squared_gaps(layout: TallyLayout, one: Ints, other: Ints, *, within: bool = False) -> Floats:
    """Squared differences of two sides: ``[quantities, windows, features]``, see
    :data:`QUANTITIES`, for tallies ``[windows, size]`` of as many windows, or one, on each side.

    Each is over its variance for independent rows of the baseline's distribution, so that its mean
    is :func:`freedom`. With ``within``, the rows of ``one`` are some of those of ``other``. NaN
    where a side has no value.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        values = _inverse(layout, one, other, "values", within)
        rows = _inverse(layout, one, other, "rows", within)
        scores = _means(layout, one) - _means(layout, other)
        scores = scores**2 / (layout.variances[:2, None] * values)
        lost = _share(layout, one, "missing", "rows") - _share(layout, other, "missing", "rows")
        missing = lost**2 / (missing_variance(layout) * rows)
        words = _word_gaps(layout, one, other) / values
    return np.concatenate([scores, missing[None], words[None]])


def seasonal_gaps(layout: TallyLayout, tallies: Ints, expected: Expected) -> Floats:
    """Squared differences of consecutive windows, less what their seasons differ by.

    ``[quantities, pairs, features]``, each over its variance for independent rows of both seasons,
    so that its mean is :func:`freedom`; the error of two different references is part of that. NaN
    where a side has no value.
    """
    known, own = expected.tallies, expected.variances
    sides = (tallies.astype(np.float64), known)
    cells, shares, of = _frequent(layout)
    with np.errstate(invalid="ignore", divide="ignore"):
        values, rows = (
            2.0 * _midpoints(1.0 / layout.named(tallies, whole)) + error
            for whole, error in zip(("values", "rows"), expected.errors, strict=True)
        )
        scores = np.diff(_means(layout, tallies) - _means(layout, known), axis=1)
        scores = scores**2 / (_midpoints(own, 1) * values)
        lost, usual = (_share(layout, side, "missing", "rows") for side in sides)
        missing = np.diff(lost - usual, axis=0) ** 2 / (_midpoints(usual * (1.0 - usual)) * rows)
        after, before = (
            layout.cells(side)[:, cells] / layout.named(side, "values")[:, of] for side in sides
        )
        parts = np.diff(after - before, axis=0) ** 2 / _midpoints(before * (1.0 - before))
        words = _by_feature(layout, parts * (1.0 - shares), of) / values
    return np.concatenate([scores, missing[None], words[None]])


def block_gaps(
    layout: TallyLayout, blocks: Ints, rows: Ints, references: Sequence[TallyReference]
) -> Floats:
    """Squared differences of blocks of the baseline's rows and what is expected by their seasons.

    ``[quantities, blocks, features]``, each over its variance for independent rows, as those of
    :func:`squared_gaps` with ``within``. ``rows[blocks, references]`` are those of each block that
    lie in the season of each reference, whose rows they are some of.
    """
    used = np.flatnonzero(rows.any(axis=0)).tolist()
    weights = rows[:, used] / rows.sum(axis=1, keepdims=True)
    known = np.stack([references[k].tallies[0] for k in used])
    own = np.stack([references[k].variances[:2, 0] for k in used], axis=1)
    cells, shares, of = _frequent(layout)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = weights @ (known / layout.named(known, "rows")[:, :1])
        values, all_rows = (
            1.0 / layout.named(blocks, whole) - weights**2 @ (1.0 / layout.named(known, whole))
            for whole in ("values", "rows")
        )
        scores = (_means(layout, blocks) - _means(layout, expected)) ** 2 / (weights @ own * values)
        lost, usual = (_share(layout, side, "missing", "rows") for side in (blocks, expected))
        by_season = _share(layout, known, "missing", "rows")
        missing = (lost - usual) ** 2 / (weights @ (by_season * (1.0 - by_season)) * all_rows)
        after, before, seasons = (
            layout.cells(side)[:, cells] / layout.named(side, "values")[:, of]
            for side in (blocks, expected, known)
        )
        parts = (after - before) ** 2 / (weights @ (seasons * (1.0 - seasons)))
        words = _by_feature(layout, parts * (1.0 - shares), of) / values
    return np.concatenate([scores, missing[None], words[None]])


def _midpoints(numbers: Floats, axis: int = 0) -> Floats:
    """The means of consecutive entries along an axis."""
    moved = np.moveaxis(numbers, axis, 0)
    return np.moveaxis((moved[1:] + moved[:-1]) / 2.0, 0, axis)


@lru_cache(maxsize=MOST_LAYOUTS)
def freedom(layout: TallyLayout) -> Floats:
    """The expectation of each squared gap of independent rows, ``[quantities, features]``.

    0 where a quantity is not compared: scores of text, words of numbers, and missing rows where
    almost none, or almost all, are.
    """
    freedom = np.zeros((len(QUANTITIES), layout.features))
    freedom[:2] = np.isfinite(layout.variances[:2])
    freedom[2] = missing_variance(layout) >= LEAST_VARIANCE
    _, shares, of = _frequent(layout)
    words = np.bincount(of, weights=1.0 - shares, minlength=layout.features)
    freedom[3] = np.where(words >= FREQUENT, words, 0.0)
    return freedom


@lru_cache(maxsize=MOST_LAYOUTS)
def missing_variance(layout: TallyLayout) -> Floats:
    """``q * (1 - q)`` for the share q of missing rows in the baseline; NaN without rows."""
    with np.errstate(invalid="ignore"):
        share = _share(layout, layout.baseline, "missing", "rows")
    return share * (1.0 - share)


@lru_cache(maxsize=MOST_LAYOUTS)
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
    return _by_feature(layout, (sides[0] - sides[1]) ** 2 / shares, of)


def _by_feature(layout: TallyLayout, parts: Floats, of: Ints) -> Floats:
    """The sums of the parts of each feature, ``[..., features]``; 0 of one without any."""
    gaps = np.zeros((*parts.shape[:-1], layout.features))
    if len(of):
        features, firsts = np.unique(of, return_index=True)
        gaps[..., features] = np.add.reduceat(parts, firsts, axis=-1)
    return gaps


def _means(layout: TallyLayout, tallies: Tallies) -> Floats:
    """The mean scores of location and spread, ``[2, ..., features]``."""
    means: Floats = (
        layout.several(tallies, QUANTITIES[:2]) / SCALE / layout.named(tallies, "values")
    )
    return means


def _share(layout: TallyLayout, tallies: Tallies, part: str, whole: str) -> Floats:
    share: Floats = layout.named(tallies, part) / layout.named(tallies, whole)
    return share


def _inverse(layout: TallyLayout, one: Ints, other: Ints, whole: str, within: bool) -> Floats:
    """``1/n + 1/m`` of two sides; ``1/n - 1/m`` for a part and the whole that it belongs to."""
    sign = -1.0 if within else 1.0
    inverse: Floats = 1.0 / layout.named(one, whole) + sign / layout.named(other, whole)
    return inverse
