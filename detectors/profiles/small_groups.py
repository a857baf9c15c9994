"""Counts few rows of many models, or of many columns.

No column is sorted: the bins of all cells are searched together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Floats, Ints
from detectors.profiles import distinct
from detectors.profiles.columns import Column, Numbers
from detectors.profiles.edge_search import CACHED, edges_below
from detectors.profiles.layout import FRACTIONAL, HEAD, INTEGRAL, MISSING, NEG_INF, Layout
from detectors.profiles.profile import Profile
from detectors.profiles.row_selection import RowSelection
from detectors.profiles.segment_fold import SegmentRows
from detectors.profiles.segments import slot_tables
from detectors.profiles.text_tables import TextTables
from detectors.profiles.wide_batch import WideBatch


class SmallGroups:
    """The stacked tables of several layouts for batches that have the columns ``names``.

    A cell is one value: column ``j``, row ``r``. Tables have one entry per (layout, column).
    """

    def __init__(
        self, layouts: Sequence[Layout], names: Sequence[str], keep_values: bool = False
    ) -> None:
        self.layouts = tuple(layouts)
        self.keep_values = keep_values
        kinds = [_kinds(layouts, name) for name in names]
        numeric = [name for name, kind in zip(names, kinds, strict=True) if True in kind]
        texts = [name for name, kind in zip(names, kinds, strict=True) if kind == {False}]
        self._numbers = _NumberTables(self.layouts, numeric)
        self._texts = TextTables(self.layouts, texts)
        self._absent = [_absent(layout, names) for layout in layouts]

    def fold(
        self, columns: Mapping[str, Column], layout_of: Ints, starts: Ints, stops: Ints
    ) -> list[Profile]:
        """Return one profile per group of rows ``[starts[g], stops[g])``, without other rows."""
        sizes = stops - starts
        bounds = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
        rows = np.repeat(starts - bounds[:-1], sizes) + np.arange(int(bounds[-1]))
        groups = RowSelection(layout_of, bounds, rows)
        slots = [*self._numbers.slots(columns, groups), *self._texts.slots(columns, groups)]
        profiles = [self._count(groups, g, slots) for g in range(len(layout_of))]
        by_segment = self._count_segments(profiles, groups, slots)
        self._numbers.add_moments(profiles, groups, by_segment)
        self._texts.add_novel(profiles, groups)
        if self.keep_values:
            self._numbers.add_values(profiles, groups)
            self._texts.add_values(profiles, groups)
        return profiles

    def _count(self, groups: RowSelection, g: int, slots: Sequence[Ints]) -> Profile:
        which = int(groups.layout_of[g])
        start, stop = groups.bounds[g], groups.bounds[g + 1]
        layout = self.layouts[which]
        profile = Profile(layout)
        profile.rows = int(stop - start)
        blocks = [block[:, start:stop].ravel() for block in slots] or [np.empty(0, np.int64)]
        # One slot more than the layout has collects the cells that count nowhere.
        counts = np.bincount(np.concatenate(blocks), minlength=layout.size + 1)
        profile.counts = counts[: layout.size]
        profile.counts[layout.starts[self._absent[which]] + MISSING] = stop - start
        return profile

    def _count_segments(
        self, profiles: Sequence[Profile], groups: RowSelection, slots: Sequence[Ints]
    ) -> dict[int, SegmentRows]:
        """Count the groups whose layout has segments by these, and return them by group."""
        found = {}
        for g, profile in enumerate(profiles):
            if not profile.layout.segmentations:
                continue
            rows = slice(int(groups.bounds[g]), int(groups.bounds[g + 1]))
            codes = self._codes(profile.layout, [block[:, rows] for block in slots], rows)
            found[g] = SegmentRows(profile, codes)
            found[g].add_slots([block[:, rows] for block in slots])
            for i in self._absent[int(groups.layout_of[g])].tolist():
                found[g].add_missing(i)
        return found

    def _codes(self, layout: Layout, slots: Sequence[Ints], rows: slice) -> Ints:
        """The segment of each row by each segmentation, from the slots of its cells."""
        codes = []
        for table in slot_tables(layout):
            block = self._bins_of(layout.features[table.feature].name, slots)
            size = rows.stop - rows.start
            codes.append(np.full(size, table.others) if block is None else table.of_slot[block])
        return np.stack(codes)

    def _bins_of(self, name: str, slots: Sequence[Ints]) -> Ints | None:
        """The slots of the bins of a column, ``None`` for a column that there is not."""
        first = 2 * bool(self._numbers.names)
        for names, at in ((self._numbers.names, 0), (self._texts.names, first)):
            if name in names:
                bins: Ints = slots[at][names.index(name)]
                return bins
        return None


class _NumberTables:
    """The numeric columns: edges, slots and centers of every (layout, column).

    ``present`` is false where a layout has no feature for a column, ``position`` is that of the
    feature. ``width`` is that of all tables of edges, a power of two.
    """

    def __init__(self, layouts: Sequence[Layout], names: Sequence[str]) -> None:
        self.names = list(names)
        shape = len(layouts), len(names)
        self._splits: dict[tuple[str, ...], tuple[slice | Ints | None, list[int]]] = {}
        self.present = np.zeros(shape, bool)
        self.position = np.zeros(shape, np.int64)
        self.starts = np.zeros(shape, np.int64)
        self.bins = np.zeros(shape, np.int64)
        self.centers = np.zeros(shape)
        self.sizes = np.array([layout.size for layout in layouts], np.int64)
        longest = max((len(f.edges) for layout in layouts for f in layout.features), default=0)
        self.width = 1 << longest.bit_length()
        self.edges = np.full((*shape, self.width), np.inf)
        for m, layout in enumerate(layouts):
            for j, name in enumerate(names):
                if name in layout.index:
                    self._set(m, j, layout, layout.index[name])

    def _set(self, m: int, j: int, layout: Layout, i: int) -> None:
        feature = layout.features[i]
        self.present[m, j] = True
        self.position[m, j] = i
        self.starts[m, j] = layout.starts[i]
        self.bins[m, j] = feature.bins
        self.centers[m, j] = feature.center
        self.edges[m, j, : len(feature.edges)] = feature.edges

    def slots(self, columns: Mapping[str, Column], groups: RowSelection) -> list[Ints]:
        """Slots to count: the bin of every finite number, and the type of every cell.

        Each is ``[columns, rows]``. A cell that does not count gets the slot after the last one.
        """
        if not self.names:
            return []
        self.values, types = self._stack(columns, groups)
        self.finite = np.isfinite(self.values) & (types >= INTEGRAL)
        start: Ints = groups.by_row(self.starts)
        bins = self._search(groups)
        bins += start + HEAD
        kind = start + types
        special = ~self.finite & (types >= INTEGRAL)
        if special.any():
            end = start + HEAD + groups.by_row(self.bins)
            infinite = np.where(self.values > 0, end, start + NEG_INF)
            kind = np.where(special, np.where(np.isnan(self.values), end + 1, infinite), kind)
        nowhere = self.sizes[groups.layout_of_row]
        if not self.finite.all():
            bins = np.where(self.finite, bins, nowhere)
        if not self.present.all():
            present = groups.by_row(self.present)
            bins, kind = np.where(present, bins, nowhere), np.where(present, kind, nowhere)
        return [bins, kind]

    def _stack(
        self, columns: Mapping[str, Column], groups: RowSelection
    ) -> tuple[Floats, NDArray[np.uint8]]:
        """Values and type slots of all cells, ``[columns, rows]``."""
        wide = _whole_wide_batch(columns, groups)
        block, others = self._split(wide.numbers if wide else ())
        if wide is None or block is None:
            return self._stack_each([columns[name] for name in self.names], groups)
        values = np.empty((len(self.names), len(groups.rows)))
        types = np.empty(values.shape, np.uint8)
        values[block] = wide.matrix
        types[block] = _types(wide.matrix, wide.integral) if wide.slots is None else wide.slots
        if len(others):
            rest = self._stack_each([columns[self.names[j]] for j in others], groups)
            values[others], types[others] = rest
        return values, types

    def _split(self, numbers: tuple[str, ...]) -> tuple[slice | Ints | None, list[int]]:
        """The positions of these columns in the tables, and all other positions.

        ``None`` for the first if the tables lack one of the columns.
        """
        if numbers not in self._splits:
            known = {name: j for j, name in enumerate(self.names)}
            positions = np.array([known.get(name, -1) for name in numbers], np.int64)
            consecutive = len(positions) > 0 and bool((np.diff(positions) == 1).all())
            block = slice(int(positions[0]), int(positions[-1]) + 1) if consecutive else positions
            others = sorted(set(range(len(self.names))) - set(positions.tolist()))
            self._splits[numbers] = None if (positions < 0).any() else block, others
        return self._splits[numbers]

    def _stack_each(
        self, columns: Sequence[Column], groups: RowSelection
    ) -> tuple[Floats, NDArray[np.uint8]]:
        numbers = [column for column in columns if isinstance(column, Numbers)]
        stacked = groups.concatenate([column.values for column in numbers])
        values = stacked.reshape(len(numbers), -1)
        types = _types(values, np.array([column.integral for column in numbers]))
        written = {j: column.slots for j, column in enumerate(numbers) if column.slots is not None}
        if written:
            slots = groups.concatenate(list(written.values()))
            types[list(written)] = slots.reshape(len(written), -1)
        return values, types

    def _search(self, groups: RowSelection) -> Ints:
        """Number of edges at or below each value, as many columns at a time as the cache holds."""
        layouts = groups.layout_of_row if groups.only_layout < 0 else np.array([groups.only_layout])
        below = np.empty(self.values.shape, np.int64)
        at_once = max(CACHED // max(self.values.shape[1], 1), 1)
        for start in range(0, len(self.names), at_once):
            stop = min(start + at_once, len(self.names))
            tables = layouts * len(self.names) + np.arange(start, stop)[:, None]
            below[start:stop] = edges_below(
                self.edges.ravel(), tables * self.width - 1, self.width, self.values[start:stop]
            )
        return below

    def add_moments(
        self,
        profiles: Sequence[Profile],
        groups: RowSelection,
        by_segment: Mapping[int, SegmentRows],
    ) -> None:
        """Add sums, sums of squares and extremes of the finite numbers to the profiles."""
        if not self.names:
            return
        starts = groups.bounds[:-1]
        # Sums beyond the largest float are infinite, as in the sums of a sorted column.
        with np.errstate(over="ignore", invalid="ignore"):
            offsets = np.where(self.finite, self.values - groups.by_row(self.centers), 0.0)
            sums = np.add.reduceat(offsets, starts, axis=1)
            squares = np.add.reduceat(offsets * offsets, starts, axis=1)
        low = np.minimum.reduceat(np.where(self.finite, self.values, np.inf), starts, axis=1)
        high = np.maximum.reduceat(np.where(self.finite, self.values, -np.inf), starts, axis=1)
        for g, profile in enumerate(profiles):
            present = self.present[groups.layout_of[g]]
            features = self.position[groups.layout_of[g]][present]
            profile.sums[features, 0] = sums[present, g]
            profile.sums[features, 1] = squares[present, g]
            profile.low[features] = low[present, g]
            profile.high[features] = high[present, g]
            if g in by_segment:
                rows = slice(int(groups.bounds[g]), int(groups.bounds[g + 1]))
                finite = self.finite[present, rows]
                numbers = np.where(finite, self.values[present, rows], np.nan)
                by_segment[g].add_unsorted_moments(features, offsets[present, rows], numbers)

    def add_values(self, profiles: Sequence[Profile], groups: RowSelection) -> None:
        """Add the distinct finite numbers of each column and group to its profile."""
        if not self.names:
            return
        places = groups.places(self.values.shape[0])[self.finite]
        for place, found in distinct.numbers_by_place(places, self.values[self.finite]):
            j, g = divmod(place, len(profiles))
            which = groups.layout_of[g]
            if self.present[which, j]:
                profiles[g].values[int(self.position[which, j])] = found


def _types(values: Floats, integral: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The type slots of columns of numbers alone, ``[columns, rows]``."""
    return np.where(
        integral[:, None] | (values == np.floor(values)), np.uint8(INTEGRAL), np.uint8(FRACTIONAL)
    )


def _whole_wide_batch(columns: Mapping[str, Column], groups: RowSelection) -> WideBatch | None:
    """The columns as a wide batch, if they are one and the groups are all its rows."""
    if isinstance(columns, WideBatch) and groups.whole:
        return columns if columns.matrix.shape[1] == len(groups.rows) else None
    return None


def _kinds(layouts: Sequence[Layout], name: str) -> set[bool]:
    """The kinds of the feature ``name`` in the layouts that have it: true where it is numeric."""
    return {
        layout.features[layout.index[name]].numeric for layout in layouts if name in layout.index
    }


def _absent(layout: Layout, names: Sequence[str]) -> Ints:
    """Positions of the features that have no column."""
    known = set(names)
    absent = [i for i, feature in enumerate(layout.features) if feature.name not in known]
    return np.array(absent, np.int64)
