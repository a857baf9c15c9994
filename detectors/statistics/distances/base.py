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

SMALL_CELL: Final = 5.0
"""Expected count below which a coarse cell is merged with the other small ones (Cochran 1954)."""
LARGEST_GAP: Final = 0.999999
"""The largest gap for which a shift is computed: that of a gap of 1 would be infinite."""

AppliesTo = Literal["numbers", "text", "both"]


class MergedCells(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The coarse cells of each feature once those of small expected counts are merged into one.

    * ``kept``: ``bool[cells]``, the coarse cells that stay as they are.
    * ``rest_before``, ``rest_after``: counts of the merged cell of each feature, 0 without one.
    * ``left``: cells of each feature that are left, the merged one among them.
    * ``merged``: cells with counts that went into the merged one.
    """

    kept: NDArray[np.bool_]
    rest_before: Floats
    rest_after: Floats
    left: Floats
    merged: Floats


class Pair:
    """A baseline and a window under one layout, in the forms that distances need.

    Each form is computed once, when it is first used.

    *Coarse cells* (``p``, ``q``: shares; ``before``, ``after``: counts) are those of
    :meth:`~detectors.profiles.layout.Layout.coarse`: the merged bins of a feature, then its missing
    values, then its unreadable ones. ``m`` and ``n`` are the totals of each feature over its coarse
    cells, which are all its rows. Shares are NaN where a side of the feature has no rows.
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
        """Baseline rows of each feature."""
        return self.total(self.before)

    @cached_property
    def n(self) -> Floats:
        """Window rows of each feature."""
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
        """The coarse cells, those with an expected count ``p * n * m / (n + m)`` under 5 merged.

        ``p`` is pooled over both sides: the expectation holds for the smaller of the two.
        """
        both = self.before + self.after
        with np.errstate(invalid="ignore", divide="ignore"):
            weight = self.spread(self.m * self.n / (self.m + self.n) ** 2)
        small = both * weight < SMALL_CELL
        kept = (both > 0) & ~small
        rest_before = self.total(self.before * small)
        rest_after = self.total(self.after * small)
        return MergedCells(
            kept=kept,
            rest_before=rest_before,
            rest_after=rest_after,
            left=self.total(kept) + (rest_before + rest_after > 0),
            merged=self.total(small & (both > 0)),
        )

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

    def spread(self, features: Floats) -> Floats:
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
        """The values, with NaN for features that have no rows on one of the two sides."""
        return np.where((self.m > 0) & (self.n > 0), values, np.nan)


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
