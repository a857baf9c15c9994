"""What every distance is given: the counts of all features of a layout, before and after, side by
side.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Protocol, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from detectors.arrays import Floats, Ints
from detectors.profiles.fine_bins import cumulative_shares, fine_bins
from detectors.profiles.layout import Layout
from detectors.profiles.profile import Profile


class Pair:
    """A baseline and a window under one layout, in the forms that distances need; each form is
    computed once.

    *Coarse cells* (``p``, ``q``: shares; ``before``, ``after``: counts) are those of
    :meth:`Layout.coarse`: the merged bins of a feature, then its missing and its unreadable values.
    ``m`` and ``n`` are the totals of each feature over its coarse cells: all rows. Shares are NaN
    where a side of the feature has no rows at all.
    """

    def __init__(self, baseline: Profile, window: Profile) -> None:
        self.layout: Layout = window.layout
        self.baseline, self.window = baseline, window

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
    def f(self) -> Floats:
        """The baseline's distribution function at the upper end of each fine bin, see
        :func:`detectors.profiles.fine_bins.cumulative_shares`.
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
        """A value of each feature repeated for all its coarse cells."""
        return np.repeat(features, self.widths)

    def _shares(self, counts: Ints, total: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            shares: Floats = counts / self.spread(total)
        return shares

    @cached_property
    def numeric(self) -> NDArray[np.bool_]:
        """Which features are numeric."""
        return np.array([feature.numeric for feature in self.layout.features], dtype=bool)

    def where_both(self, values: Floats) -> Floats:
        """The values, NaN for features that have no rows on one side."""
        return np.where((self.m > 0) & (self.n > 0), values, np.nan)


def of_counts(before: Mapping[Any, int], after: Mapping[Any, int]) -> Pair:
    """One feature from counts by value, on the bins that ``before`` gives it: text or, for numbers,
    a bin a number.

    At most 32 different numbers before. For examples and for trying a distance out.

    >>> of_counts({"a": 3, "b": 1}, {"a": 2}).q[:2]
    array([1., 0.])
    """
    from detectors.profiles.binning import codes_feature, text_feature
    from detectors.profiles.columns import Numbers, Texts
    from detectors.profiles.fold import fold

    text = all(isinstance(value, str) for value in (*before, *after))
    feature = (
        text_feature("x", "feature", before)
        if text
        else codes_feature("x", "feature", "Fractional", before)
    )
    layout = Layout((feature,))
    rows = [
        [value for value, count in side.items() for _ in range(count)] for side in (before, after)
    ]
    columns = [
        Texts(pa.array(one, pa.string())) if text else Numbers(np.array(one, dtype=np.float64))
        for one in rows
    ]
    return Pair(*(fold(layout, {"x": column}) for column in columns))


class Distance(Protocol):
    """A module of this folder: one statistic, computed for all features of a layout at once."""

    NAME: str
    """What reports and the configuration call it."""

    def distances(self, pair: Pair) -> Floats:
        """One value a feature; NaN where it is not defined (no rows, or the wrong kind of feature)."""


def find() -> dict[str, Distance]:
    """All distances by name: every module of this folder but this one."""
    package = import_module("detectors.statistics.distances")
    modules = [name for _, name, _ in iter_modules(package.__path__) if name != "base"]
    found: dict[str, Distance] = {}
    for name in modules:
        module = import_module(f"detectors.statistics.distances.{name}")
        found[module.NAME] = cast("Distance", module)
    return found
