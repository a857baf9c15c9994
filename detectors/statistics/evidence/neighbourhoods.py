"""The fine bins of numeric features, each with the bins on both of its sides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from detectors.arrays import Floats, Ints
from detectors.profiles.layout import HEAD, Layout

SIDE_SHARE: Final = 1.0 / 16.0
"""The share of the baseline's values that a side holds at least, if there are as many."""


class BinSide(NamedTuple):
    """What lies on one side of each bin.

    The bins ``[start, stop)``, the baseline's values in them, and their width (infinite with an
    open bin, or without any).
    """

    start: Ints
    stop: Ints
    before: Floats
    width: Floats

    def after(self, running: Ints) -> Floats:
        """The values of a window, from the running sums of its bins, which begin with 0."""
        return (running[self.stop] - running[self.start]).astype(np.float64)

    def of(self, bins: Ints) -> BinSide:
        """The sides of some of the bins."""
        return BinSide(self.start[bins], self.stop[bins], self.before[bins], self.width[bins])


class Neighbourhoods(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The fine bins of all features of kind ``grid`` that are compared, feature after feature.

    * ``slots``: their slots in the vector of counts; ``feature``: the feature of each.
    * ``before``: the baseline's count of each; ``width``: of each, infinite for the open ones.
    * ``sides``: the nearest bins below and above it that hold :data:`SIDE_SHARE` of the values.
    * ``bins``: the number of these bins of each feature of the layout, 0 for other kinds.
    """

    slots: Ints
    feature: Ints
    before: Floats
    width: Floats
    sides: tuple[BinSide, BinSide]
    bins: Ints


def neighbourhoods(layout: Layout, counts: Ints) -> Neighbourhoods:
    """The fine bins of a layout with the counts of its baseline."""
    grids = [
        i
        for i, feature in enumerate(layout.features)
        if feature.kind == "grid" and feature.compared
    ]
    number = np.zeros(len(layout.features), np.int64)
    number[grids] = [layout.features[i].bins for i in grids]
    first = np.cumsum(number) - number
    slots = np.arange(int(number.sum())) + np.repeat(layout.starts[:-1] + HEAD - first, number)
    sides = [_sides(counts[layout.bins(i)], _ends(layout.edges[i]), int(first[i])) for i in grids]
    return Neighbourhoods(
        slots=slots,
        feature=np.repeat(np.arange(len(number)), number),
        before=counts[slots].astype(np.float64),
        width=np.concatenate([np.empty(0), *(np.diff(_ends(layout.edges[i])) for i in grids)]),
        sides=(_joined([below for below, _ in sides]), _joined([above for _, above in sides])),
        bins=number,
    )


def _ends(edges: Floats) -> Floats:
    """Where the bins between some edges start, and where the last one ends."""
    return np.concatenate(([-np.inf], edges, [np.inf]))


def _sides(counts: Ints, ends: Floats, first: int) -> tuple[BinSide, BinSide]:
    """The sides of the bins of one feature, of which ``first`` come before it."""
    running = np.concatenate(([0], np.cumsum(counts)))
    need = running[-1] * SIDE_SHARE
    bins = np.arange(len(counts))
    low = np.searchsorted(running, running[:-1] - need, side="right") - 1
    high = np.searchsorted(running, running[1:] + need, side="left")

    def side(start: Ints, stop: Ints) -> BinSide:
        with np.errstate(invalid="ignore"):
            width = np.where(start < stop, ends[stop] - ends[start], np.inf)
        before = (running[stop] - running[start]).astype(np.float64)
        return BinSide(first + start, first + stop, before, width)

    below = side(np.clip(low, 0, bins), bins)
    above = side(bins + 1, np.clip(high, bins + 1, len(counts)))
    return below, above


def _joined(sides: Sequence[BinSide]) -> BinSide:
    """The sides of several features as one; none without a feature."""
    none = np.empty(0, np.int64)
    return BinSide(
        start=np.concatenate([none, *(side.start for side in sides)]),
        stop=np.concatenate([none, *(side.stop for side in sides)]),
        before=np.concatenate([np.empty(0), *(side.before for side in sides)]),
        width=np.concatenate([np.empty(0), *(side.width for side in sides)]),
    )
