"""The distance of each feature as SageMaker Model Monitor computes it.

Numbers: the largest gap between two distribution functions, ``L = max |F - G|``. They count
*different* values and not rows: of each value in a sketch only one item counts, that of its highest
level. So ``n`` and ``m``, the totals, are numbers of different values as long as a side has at most
2,050 rows (deequ issue 392). Text: ``L = max |p - q|`` over the categories, of rows.

``Simple`` is L. ``Robust`` is ``max(0, L - 1.8 * sqrt((n + m) / (n * m)))``, and so is
``LInfinity`` of text. ``ChiSquared`` is the p-value of a chi-squared test.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Final, Literal, NamedTuple, TypeAlias
from weakref import WeakKeyDictionary

import msgspec
import numpy as np
import pyarrow as pa

from detectors.arrays import Floats, Ints
from detectors.profiles.baseline import Baseline, Thresholds
from detectors.profiles.counted_texts import counted_texts
from detectors.profiles.distinct import DistinctValues
from detectors.profiles.layout import Feature
from detectors.profiles.profile import Profile
from detectors.profiles.reference import Reference
from detectors.report import SagemakerFigures
from detectors.sagemaker.chi_squared import p_value
from detectors.sagemaker.sketch import (
    MOST_ROWS,
    Weighted,
    highest_items,
    plan,
    ranks_below,
    row_ends,
)
from detectors.sagemaker.weighted_values import in_order, sampled_rows

NOISE: Final = 1.8
"""The multiple of the sampling error that ``Robust`` subtracts: ``sqrt(-ln(0.003 / 2) / 2)``."""

WEIGHTS: Final[Floats] = np.exp2(np.arange(64.0))
"""The number of rows that an item stands for, by its level."""

STRETCH: Final = 8
"""The number of values between two bounds in :func:`largest_gap`."""

Method: TypeAlias = Literal["Robust", "Simple", "LInfinity", "ChiSquared"]
Categories: TypeAlias = Mapping[str, float]


class Steps(NamedTuple):
    """A distribution function: it rises at ``values``, which are ascending and different.

    ``shares`` has one entry more: 0 before the first value, and 1 from the last one on. ``total``
    is the weight of all values.
    """

    values: Floats
    shares: Floats
    total: float


def figures(baseline: Baseline, window: Profile) -> list[SagemakerFigures | None]:
    """The distance of each feature of the layout, in its order.

    ``None`` for a feature that the references of the baseline say nothing about; text of many
    values, which has no categories in ``statistics.json``, is one of them. A window without a value
    of a feature has the distance ``None``. ``window`` must keep its values.
    """
    thresholds = baseline.constraints.thresholds
    return [
        None if side is None else _figures(side, window, i, thresholds)
        for i, side in enumerate(_sides(baseline))
    ]


def keeps_all_values(profile: Profile) -> bool:
    """Whether the values of every row were kept; not so in windows that began before they were."""
    numeric = np.array([feature.numeric for feature in profile.layout.features], bool)
    present = np.where(numeric, profile.finite, profile.feature_rows - profile.missing)
    kept = np.zeros(len(numeric), np.int64)
    for i, found in profile.values.items():
        kept[i] = found.total
    return bool((kept == present).all())


def robust(gap: float, n: float, m: float) -> float:
    """A gap less the sampling error: ``max(0, gap - 1.8 * sqrt((n + m) / (n * m)))``.

    ``n`` and ``m`` are the totals of both sides, above 0.

    >>> robust(0.25, 4, 4), robust(0.9, 100, 100)
    (0.0, 0.6454415587728429)
    """
    return max(0.0, gap - NOISE * sqrt((n + m) / (n * m)))


def steps(items: Weighted) -> Steps:
    """The distribution function of weighted values; all NaN without any."""
    ends = np.zeros(len(items.weights) + 1)
    items.weights.cumsum(out=ends[1:])
    return Steps(items.values, ends / ends[-1] if ends[-1] else ends, float(ends[-1]))


def window_steps(found: DistinctValues) -> Steps:
    """The distribution function of the numbers of a window, by :func:`highest_items` of its sketch.

    Up to 2,050 rows each different value counts once; the sketch itself is not made.
    """
    if found.total <= MOST_ROWS:
        values = np.sort(found.values)
        return Steps(values, np.arange(len(values) + 1) / max(len(values), 1), float(len(values)))
    values, counts = in_order(found.values, found.counts)
    return _sketched(values, row_ends(counts, found.total), found.total)


def _sketched(values: Floats, ends: Floats, total: int) -> Steps:
    """The same of ``total`` rows: values in rising order, and the number of rows up to each."""
    ranks, levels = plan(total)
    starts = np.empty(len(values) + 1, np.int64)
    starts[0], starts[1:-1], starts[-1] = 0, ranks_below(ends[:-1], ranks), len(ranks)
    kept = (starts[1:] > starts[:-1]).nonzero()[0]
    highest = WEIGHTS[np.maximum.reduceat(levels, starts[kept])]
    return steps(Weighted(values if len(kept) == len(values) else values[kept], highest))


def _steps_of(window: Profile, i: int, found: DistinctValues) -> Steps:
    """The distribution function of a feature; of a sample, as its bins weigh it."""
    if found.complete:
        return window_steps(found)
    rows = sampled_rows(window, i)
    return _sketched(rows.values, rows.ends, found.total)


def largest_gap(ours: Steps, theirs: Steps) -> float:
    """The largest difference between two distribution functions, each of one value at least.

    Values of ``theirs`` bound stretches. Within a stretch both functions stay between what they are
    at its ends, so that few stretches can have the largest difference; only those are searched.
    """
    our_places, their_places = _stretches(ours, theirs)
    f, g = ours.shares[our_places], theirs.shares[their_places]
    at_bounds = float(np.abs(f - g).max())
    most = np.maximum(f[1:] - g[:-1], g[1:] - f[:-1])
    searched = np.repeat(most > at_bounds, our_places[1:] - our_places[:-1]).nonzero()[0]
    return max(at_bounds, _gap_at(searched, ours, theirs)) if len(searched) else at_bounds


def _stretches(ours: Steps, theirs: Steps) -> tuple[Ints, Ints]:
    """How many values of either side are below each bound; first none, and last all of them."""
    size = len(theirs.values)
    their_places = np.arange(-STRETCH, size + STRETCH, STRETCH)
    their_places[0], their_places[-1] = 0, size
    our_places = np.empty_like(their_places)
    our_places[0], our_places[-1] = 0, len(ours.values)
    our_places[1:-1] = ours.values.searchsorted(theirs.values[::STRETCH])
    return our_places, their_places


def _gap_at(places: Ints, ours: Steps, theirs: Steps) -> float:
    """The largest difference at these values of ``ours``, by position.

    At a value of ``ours`` the difference ``ours - theirs`` is largest, and just before one
    ``theirs - ours`` is: only there does ``ours`` rise.
    """
    values = ours.values[places]
    found = theirs.values.searchsorted(values)
    same = theirs.values[np.minimum(found, len(theirs.values) - 1)] == values
    ahead = ours.shares[places + 1] - theirs.shares[found + same]
    behind = theirs.shares[found] - ours.shares[places]
    return float(max(ahead.max(), behind.max()))


def category_gap(ours: Categories, theirs: Categories, n: float, m: float) -> float:
    """The largest difference between the shares of a category on both sides.

    ``n`` and ``m`` are the totals, above 0.

    >>> category_gap({"a": 3, "b": 1}, {"a": 1, "c": 1}, 4, 2)
    0.5
    """
    keys = ours.keys() | theirs.keys()
    return max(abs(ours.get(key, 0) / n - theirs.get(key, 0) / m) for key in keys)


_Side: TypeAlias = Steps | Categories
_SIDES: Final[WeakKeyDictionary[Baseline, list[_Side | None]]] = WeakKeyDictionary()


def _sides(baseline: Baseline) -> list[_Side | None]:
    """The baseline's side of each feature, computed once."""
    sides = _SIDES.get(baseline)
    if sides is None:
        references = baseline.references
        sides = [_side(f, references.get(f.name)) for f in baseline.layout.features]
        _SIDES[baseline] = sides
    return sides


def _side(feature: Feature, reference: Reference | None) -> _Side | None:
    if reference is None:
        return None
    if not feature.numeric:
        return _as_counted(feature, reference.categories or {}) or None
    of_baseline = steps(highest_items(reference.levels))
    return of_baseline if of_baseline.total else None


def _as_counted(feature: Feature, categories: Mapping[str, int]) -> Categories:
    """The categories as the fold counts them: in one spelling, and without missing markers."""
    counts: dict[str, float] = {}
    for value, count in zip(counted_texts(feature, categories), categories.values(), strict=True):
        if value is not None:
            counts[value] = counts.get(value, 0.0) + count
    return counts


def _figures(
    side: _Side, window: Profile, i: int, thresholds: Thresholds
) -> SagemakerFigures | None:
    found = window.values.get(i)
    if isinstance(side, Steps):
        method = _chosen(thresholds.comparison_method, "Robust")
        if found is None or isinstance(found.values, pa.Array):
            return _undefined(method, side.total, thresholds.comparison_threshold)
        ours = _steps_of(window, i, found)
        return _of_numbers(method, ours, side, thresholds.comparison_threshold)
    limit = thresholds.categorical_comparison_threshold
    limit = thresholds.comparison_threshold if limit is None else limit
    method = _chosen(thresholds.categorical_drift_method, "LInfinity")
    if found is None or not isinstance(found.values, pa.Array):
        return _undefined(method, float(sum(side.values())), limit)
    counts = _categories(found.values, found, window, i)
    return _of_text(method, counts, side, found.total, limit)


def _chosen(method: Method | msgspec.UnsetType, default: Method) -> Method:
    return default if isinstance(method, msgspec.UnsetType) else method


def _of_numbers(method: Method, ours: Steps, theirs: Steps, limit: float) -> SagemakerFigures:
    gap = largest_gap(ours, theirs)
    distance = gap if method == "Simple" else robust(gap, ours.total, theirs.total)
    return SagemakerFigures(
        method=method,
        distance=distance,
        uncorrected=gap,
        n=ours.total,
        m=theirs.total,
        threshold=limit,
        exceeds=distance > limit,
    )


def _of_text(
    method: Method, ours: Categories, theirs: Categories, rows: int, limit: float
) -> SagemakerFigures:
    n, m = float(rows), float(sum(theirs.values()))
    if method == "ChiSquared":
        p = p_value(ours, theirs)
        return SagemakerFigures(
            method=method,
            distance=p,
            uncorrected=None,
            n=n,
            m=m,
            threshold=limit,
            exceeds=p is not None and p < limit,
        )
    gap = category_gap(ours, theirs, n, m)
    distance = robust(gap, n, m)
    return SagemakerFigures(
        method=method,
        distance=distance,
        uncorrected=gap,
        n=n,
        m=m,
        threshold=limit,
        exceeds=distance > limit,
    )


def _undefined(method: Method, m: float, limit: float) -> SagemakerFigures:
    """The figures of a feature without a value in the window."""
    return SagemakerFigures(
        method=method,
        distance=None,
        uncorrected=None,
        n=0.0,
        m=m,
        threshold=limit,
        exceeds=False,
    )


def _categories(
    texts: pa.StringArray, found: DistinctValues, window: Profile, i: int
) -> Categories:
    """The counts of the texts of a window.

    Where texts were left out of the sample, those that the baseline has are counted by their bins;
    the others that were left out have no count of their own.
    """
    counts = dict(zip(texts.to_pylist(), found.counts.tolist(), strict=True))
    if not found.complete:
        vocabulary = window.layout.features[i].vocabulary
        known = window.counts[window.layout.bins(i)][: len(vocabulary)].tolist()
        counts.update((text, count) for text, count in zip(vocabulary, known, strict=True) if count)
    return counts
