"""The contract of a distance, and the pair of counts that it is computed from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from statistics import NormalDist
from typing import Any, ClassVar, Final, Literal

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from detectors.arrays import Floats, Ints
from detectors.profiles.fine_bins import cumulative_shares, fine_bins
from detectors.profiles.layout import Layout
from detectors.profiles.profile import Profile
from detectors.profiles.vocabulary_choice import LEAST_COUNT

SMALL_CELL: Final = 5.0
"""Expected count below which a coarse cell is merged with the other small ones (Cochran 1954)."""
LARGEST_GAP: Final = 0.999999
"""The largest gap for which a shift is computed: that of a gap of 1 would be infinite."""

AppliesTo = Literal["numbers", "text", "both"]


class MergedCells(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The cells that distances compare: coarse cells, those of small expected counts merged.

    The arrays have one entry per coarse cell, 0 for those that were merged; then the *rest* of each
    feature, into which small cells of known values and all rare values are merged; then the *unseen
    rest*, for small cells of values that the baseline does not know. Known and unseen values are
    never merged.

    * ``feature``: the feature of each cell.
    * ``before``, ``after``: counts. A value that the baseline has once says as much about the
      values that it does not have (Good 1953): such counts are taken as unseen ones, as far as that
      makes both sides alike.
    * ``filled``: whether a cell has counts.
    * ``left``: filled cells of each feature; ``merged``: coarse cells with counts that went into
      its rests; ``small_rests``: rests that still have a small expected count.
    """

    feature: Ints
    before: Floats
    after: Floats
    filled: NDArray[np.bool_]
    left: Floats
    merged: Floats
    small_rests: Floats

    def total(self, cells: NDArray[Any]) -> Floats:
        """The sum over the cells of each feature."""
        total = np.bincount(self.feature, weights=cells, minlength=len(self.left))
        return total.astype(np.float64)


class Pair:
    """A baseline and a window under one layout, in the forms that distances need.

    Each form is computed once, when it is first used.

    *Coarse cells* (``p``, ``q``: shares; ``before``, ``after``: counts) are those of
    :meth:`~detectors.profiles.layout.Layout.coarse`: the merged bins of a feature. They hold its
    finite numbers or its texts: missing and unreadable values are judged by checks of their own.
    ``m`` and ``n`` are the totals of each feature over its coarse cells. Shares are NaN where a
    side of the feature has no value.
    """

    def __init__(self, baseline: Profile, window: Profile) -> None:
        self.layout: Layout = window.layout
        self.baseline = baseline
        self.window = window

    @cached_property
    def before(self) -> Ints:
        """Baseline counts of all coarse cells."""
        return self.layout.coarse(self.baseline.counts)

    @cached_property
    def after(self) -> Ints:
        """Window counts of all coarse cells."""
        return self.layout.coarse(self.window.counts)

    @cached_property
    def starts(self) -> Ints:
        """First coarse cell of each feature."""
        return self.layout.cell_starts[:-1]

    @cached_property
    def widths(self) -> Ints:
        """Number of coarse cells of each feature."""
        return np.diff(self.layout.cell_starts)

    @cached_property
    def m(self) -> Floats:
        """Baseline values of each feature, without missing and unreadable ones."""
        return self.total(self.before)

    @cached_property
    def n(self) -> Floats:
        """Window values of each feature, without missing and unreadable ones."""
        return self.total(self.after)

    @cached_property
    def p(self) -> Floats:
        """Baseline shares of the coarse cells."""
        return self._shares(self.before, self.m)

    @cached_property
    def q(self) -> Floats:
        """Window shares of the coarse cells."""
        return self._shares(self.after, self.n)

    @cached_property
    def merged_cells(self) -> MergedCells:
        """The cells that distances compare.

        Cells with an expected count ``p * n * m / (n + m)`` under 5 are merged. ``p`` is pooled
        over both sides: the expectation holds for the smaller of the two.
        """
        return merged_cells(self)

    @cached_property
    def compared_p(self) -> Floats:
        """Baseline shares of the merged cells."""
        return self._compared(self.merged_cells.before, self.m)

    @cached_property
    def compared_q(self) -> Floats:
        """Window shares of the merged cells."""
        return self._compared(self.merged_cells.after, self.n)

    @cached_property
    def unseen_gain(self) -> Floats:
        """The gain of the share of values that the baseline does not know; NaN without values."""
        unseen = self.layout.unseen
        moved = taken_as_unseen(self, np.ones(len(unseen), bool))
        before = self.total(self.before * unseen) + moved
        with np.errstate(invalid="ignore", divide="ignore"):
            gain: Floats = self.total(self.after * unseen) / self.n - before / self.m
        return gain

    def _compared(self, counts: Floats, total: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            shares: Floats = counts / total[self.merged_cells.feature]
        return shares

    @cached_property
    def rank_variance(self) -> Floats:
        """The variance of the baseline's distribution function that is due to its sketch.

        0 for exact counts, see :class:`~detectors.profiles.sketch_error.SketchError`.
        """
        return self.sketch_errors[:, 0] ** 2

    @cached_property
    def cell_variance(self) -> Floats:
        """What the sketch of the baseline adds to ``1/m`` in statistics over the merged cells.

        Their law is that of ``sum((p - q)**2 / p)``, to which a cell adds ``min(rank**2 / p,
        weight)``: the mean over the degrees of freedom, or half of the largest one if that is more,
        since the tail of a single one is wider. 0 for exact counts.
        """
        if not self.sketch_errors.any():
            return np.zeros(len(self.layout.features))
        cells = self.merged_cells
        variance, weight = self.rank_variance[cells.feature], self.sketch_errors[cells.feature, 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            added = np.fmin(variance / self.compared_p, weight) * cells.filled
        largest = np.zeros(len(self.layout.features))
        np.maximum.at(largest, cells.feature, added)
        mean: Floats = cells.total(added) / np.maximum(cells.left - 1.0, 1.0)
        return np.maximum(mean, largest / 2.0)

    @cached_property
    def sketch_errors(self) -> Floats:
        """``rank`` and ``weight`` of each feature's sketch, 0 for exact counts."""
        errors = [feature.sketch for feature in self.layout.features]
        known = [
            (0.0, 0.0) if isinstance(e, msgspec.UnsetType) else (e.rank, e.weight) for e in errors
        ]
        return np.array(known).reshape(len(errors), 2)

    @cached_property
    def f(self) -> Floats:
        """The baseline's distribution function at the upper end of each fine bin.

        See :func:`detectors.profiles.fine_bins.cumulative_shares`.
        """
        return cumulative_shares(self.baseline.counts, fine_bins(self.layout))

    @cached_property
    def g(self) -> Floats:
        """The window's distribution function at the upper end of each fine bin."""
        return cumulative_shares(self.window.counts, fine_bins(self.layout))

    def total(self, cells: NDArray[Any]) -> Floats:
        """The sum over the coarse cells of each feature."""
        if not len(self.starts):
            return np.empty(0)
        return np.add.reduceat(cells.astype(np.float64), self.starts)

    def spread(self, features: NDArray[Any]) -> NDArray[Any]:
        """The value of each feature, repeated for each of its coarse cells."""
        return np.repeat(features, self.widths)

    def _shares(self, counts: Ints, total: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            shares: Floats = counts / self.spread(total)
        return shares

    @cached_property
    def numeric(self) -> NDArray[np.bool_]:
        """A mask of the numeric features, ``bool[features]``."""
        return np.array([feature.numeric for feature in self.layout.features], dtype=bool)

    def where_both(self, values: Floats) -> Floats:
        """The values, with NaN for features that have no value on one of the two sides."""
        return np.where((self.m > 0) & (self.n > 0), values, np.nan)


def merged_cells(pair: Pair) -> MergedCells:
    """Merge the coarse cells of small expected counts, see :class:`MergedCells`."""
    features = len(pair.layout.features)
    both = pair.before + pair.after
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = pair.m * pair.n / (pair.m + pair.n) ** 2
    small = (both * pair.spread(weight) < SMALL_CELL) | pair.layout.rare
    unseen = pair.layout.unseen
    moved = taken_as_unseen(pair, small)
    before = pair.before + _spread_over_unseen(pair, moved)
    sides = []
    for side, lost in ((before, moved), (pair.after, np.zeros(features))):
        known_rest = pair.total(side * (small & ~unseen)) - lost
        sides.append(
            np.concatenate((side * ~small, known_rest, pair.total(side * (small & unseen))))
        )
    feature = np.concatenate((pair.spread(np.arange(features)), *[np.arange(features)] * 2))
    filled = sides[0] + sides[1] > 0
    is_rest = np.arange(len(filled)) >= len(both)
    is_small = (sides[0] + sides[1]) * weight[feature] < SMALL_CELL
    return MergedCells(
        feature=feature,
        before=sides[0],
        after=sides[1],
        filled=filled,
        left=np.bincount(feature, filled, features).astype(np.float64),
        merged=pair.total(small & (both > 0)),
        small_rests=np.bincount(feature, filled & is_rest & is_small, features).astype(np.float64),
    )


def taken_as_unseen(pair: Pair, small: NDArray[np.bool_]) -> Floats:
    """Baseline counts in ``small`` cells of each feature that are taken as counts of unseen values.

    At most those of known values that the baseline has once, and as many as bring the share of
    unseen values closest to that of the window. Of rare values, a part that their filter states.
    Where a vocabulary of 0.1.0 is cut and there is no filter of the other values, its rarest values
    were chosen among others by luck: then those of the two lowest counts in it. By the estimate of
    Good and Turing, all values of more than ``r`` rows have as many rows in other data as those of
    more than ``r + 1`` have in the baseline.
    """
    if not len(pair.starts):
        return np.empty(0)
    unseen = pair.layout.unseen
    rare = pair.layout.rare
    known = np.where(unseen | rare | (pair.before == 0), np.inf, pair.before)
    before, after = pair.total(pair.before * unseen), pair.total(pair.after * unseen)
    is_cut = (before > 0) & (pair.total(rare) == 0)
    rarest = np.minimum.reduceat(known, pair.starts)
    rarest = np.where(is_cut & (rarest < LEAST_COUNT), rarest, 0.0)
    lucky = small & np.isfinite(known) & (known <= pair.spread(rarest) + 1.0)
    most = pair.total(np.where(lucky, pair.before, 0.0))
    most += pair.total(pair.before * rare) * pair.layout.rare_new_share
    with np.errstate(invalid="ignore", divide="ignore"):
        wanted = after / pair.n * pair.m - before
    return np.clip(np.nan_to_num(wanted, posinf=0.0), 0.0, most)


def _spread_over_unseen(pair: Pair, counts: Floats) -> Floats:
    """Counts of each feature, spread over its unseen cells like the counts of the window."""
    after = pair.after * pair.layout.unseen
    total = pair.total(after)
    spread: Floats = after * pair.spread(
        np.where(total > 0, counts / np.where(total > 0, total, 1.0), 0.0)
    )
    return spread


def of_counts(before: Mapping[Any, int], after: Mapping[Any, int]) -> Pair:
    """A pair of one feature from counts by value, on bins that are made from ``before``.

    Every value has a bin of its own; ``before`` may hold at most 32 different numbers. For examples
    and for trying a distance.

    >>> of_counts({"a": 3, "b": 1}, {"a": 2}).q[:2]
    array([1., 0.])
    """
    from detectors.profiles.binning import codes_feature, text_feature
    from detectors.profiles.columns import Column, Numbers, Texts
    from detectors.profiles.fold import fold

    is_text = all(isinstance(value, str) for value in (*before, *after))
    if is_text:
        feature = text_feature("x", "feature", before)
    else:
        feature = codes_feature("x", "feature", "Fractional", before)

    def column(counts: Mapping[Any, int]) -> Column:
        values = [value for value, count in counts.items() for _ in range(count)]
        if is_text:
            return Texts(pa.array(values, pa.string()))
        return Numbers(np.array(values, dtype=np.float64))

    layout = Layout((feature,))
    return Pair(fold(layout, {"x": column(before)}), fold(layout, {"x": column(after)}))


class Distance:
    """One statistic of how far a window is from its baseline, for all features of a layout at once.

    Base of the distances: one subclass per file. The file's name, or the name of an entry point of
    ``driftline.distances``, is its name in reports, in ``statistic`` and ``series`` of the
    configuration, and in ``per_feature`` of the Prometheus sink. A distance has no state and no
    threshold.

    * ``applies_to``: the kind of features that it is defined on.
    * ``title``: its name in sentences.
    * ``formula``: its formula in a line of plain text, for ``driftline explain``.
    * ``decides``: whether it may be the deciding statistic of a feature. Such a distance grows with
      the drift, and implements :meth:`noise` and :meth:`equivalent`. A distance that does not
      decide is reported and nothing else.

    Its docstring states the formula, the convention where there are several, the trap and the
    source, and has an example that runs. ``docs/statistics.md`` has all of them on one page.
    """

    applies_to: ClassVar[AppliesTo]
    title: ClassVar[str]
    formula: ClassVar[str]
    decides: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        """Raise ``TypeError`` for a subclass that lacks a part of the contract."""
        needed = ["applies_to", "title", "formula", "distances"]
        needed += ["noise", "equivalent"] if cls.decides else []
        lacking = [
            name for name in needed if getattr(cls, name, None) is getattr(Distance, name, None)
        ]
        if lacking:
            raise TypeError(f"the distance {cls.__name__} does not define {', '.join(lacking)}")

    def distances(self, pair: Pair) -> Floats:
        """Return the statistic of each feature, ``float64[features]`` in the order of the layout.

        It is 0 where both sides have the same shares, and never negative. It is NaN where it is
        undefined: without rows on one side, and for features of a kind that it does not apply to.
        It depends on the counts alone. Must not raise for any counts (an empty layout, empty cells,
        a single row), and must not change the pair.
        """
        raise NotImplementedError

    def noise(self, pair: Pair, alpha: float) -> Floats:
        """Return the value that each feature exceeds by chance in a share ``alpha`` of windows.

        This is the sampling law of the statistic without drift, ``float64[features]``; an upper
        bound is allowed. It falls as rows are added and rises as ``alpha`` (0 to 1) falls. NaN
        without rows on one side, for features of a kind that the distance does not apply to, and
        for every feature of a distance that does not decide. Must not raise for any counts.
        """
        return np.full(len(pair.layout.features), np.nan)

    def equivalent(self, gap: float) -> float:
        """Return the value for a drift whose distribution functions are at most ``gap`` apart.

        ``comparison_threshold`` of the baseline is such a gap (0 to 1): with this conversion, one
        threshold means the same drift for every deciding distance. The drift is that of a normal
        distribution that moves by :func:`normal_shift` standard deviations. NaN for a distance that
        does not decide.
        """
        return float("nan")

    def fits(self, numeric: bool) -> bool:
        """Return whether the distance is defined on numeric features, or on text features."""
        return self.applies_to in ("both", "numbers" if numeric else "text")


def normal_shift(gap: float) -> float:
    """The shift, in standard deviations, of a normal law whose CDFs are ``gap`` apart.

    ``d`` with ``gap = 2 * Phi(d / 2) - 1``; a gap above 0.999999 is taken as 0.999999.

    >>> normal_shift(0.1)
    0.2513
    """
    return 2.0 * NormalDist().inv_cdf((1.0 + min(gap, LARGEST_GAP)) / 2.0)
