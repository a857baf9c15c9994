"""Counts few rows of many models, or of many columns.

No column is sorted: the bins of all cells are searched together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detectors.arrays import Floats, Ints
from detectors.profiles.columns import Column, Numbers, Texts, written_types
from detectors.profiles.edge_search import CACHED, edges_below
from detectors.profiles.hashing import hashed_bin
from detectors.profiles.layout import FRACTIONAL, HEAD, INTEGRAL, MISSING, NEG_INF, Layout
from detectors.profiles.profile import Profile
from detectors.profiles.wide_batch import WideBatch


class SmallGroups:
    """The stacked tables of several layouts for batches that have the columns ``names``.

    A cell is one value: column ``j``, row ``r``. Tables have one entry per (layout, column).
    """

    def __init__(self, layouts: Sequence[Layout], names: Sequence[str]) -> None:
        self.layouts = tuple(layouts)
        kinds = [_kinds(layouts, name) for name in names]
        numeric = [name for name, kind in zip(names, kinds, strict=True) if True in kind]
        texts = [name for name, kind in zip(names, kinds, strict=True) if kind == {False}]
        self._numbers = _NumberTables(self.layouts, numeric)
        self._texts = _TextTables(self.layouts, texts)
        self._absent = [_absent(layout, names) for layout in layouts]

    def fold(
        self, columns: Mapping[str, Column], layout_of: Ints, starts: Ints, stops: Ints
    ) -> list[Profile]:
        """Return one profile per group of rows ``[starts[g], stops[g])``, without other rows."""
        sizes = stops - starts
        bounds = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
        rows = np.repeat(starts - bounds[:-1], sizes) + np.arange(int(bounds[-1]))
        groups = _Groups(layout_of, bounds, rows)
        slots = [*self._numbers.slots(columns, groups), *self._texts.slots(columns, groups)]
        profiles = [self._count(groups, g, slots) for g in range(len(layout_of))]
        self._numbers.add_moments(profiles, groups)
        self._texts.add_novel(profiles, groups)
        return profiles

    def _count(self, groups: _Groups, g: int, slots: Sequence[Ints]) -> Profile:
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


class _Groups:
    """Rows of a batch, group after group.

    * ``layout_of[g]``: the position of a group's layout; ``layout_of_row[r]``: of a row's layout.
    * ``bounds[g]``: where a group begins among ``rows``, which are the rows of the batch.
    * ``only_layout``: the position of the layout that all groups share, -1 if they differ.
    * ``whole``: whether the groups are the batch from its first row on, without gaps.
    """

    def __init__(self, layout_of: Ints, bounds: Ints, rows: Ints) -> None:
        self.layout_of = layout_of
        self.bounds = bounds
        self.rows = rows
        self.only_layout = int(layout_of[0]) if (layout_of == layout_of[0]).all() else -1
        self.layout_of_row = np.repeat(layout_of, np.diff(bounds))
        self.whole = bool(len(rows)) and rows[0] == 0 and rows[-1] == len(rows) - 1

    def by_row(self, table: NDArray[Any]) -> NDArray[Any]:
        """The entries of a (layout, column) table for every row, ``[columns, rows]``.

        ``[columns, 1]`` where all rows have one layout.
        """
        one_layout = self.only_layout >= 0
        return table[self.only_layout][:, None] if one_layout else table.T[:, self.layout_of_row]

    def concatenate(self, columns: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """The rows of some columns, one column after the other."""
        if self.whole and len(columns[0]) == len(self.rows):
            return np.concatenate(columns)
        return np.concatenate([column[self.rows] for column in columns])


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

    def slots(self, columns: Mapping[str, Column], groups: _Groups) -> list[Ints]:
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
        self, columns: Mapping[str, Column], groups: _Groups
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
        self, columns: Sequence[Column], groups: _Groups
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

    def _search(self, groups: _Groups) -> Ints:
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

    def add_moments(self, profiles: Sequence[Profile], groups: _Groups) -> None:
        """Add sums, sums of squares and extremes of the finite numbers to the profiles."""
        if not self.names:
            return
        starts = groups.bounds[:-1]
        offsets = np.where(self.finite, self.values - groups.by_row(self.centers), 0.0)
        # Sums beyond the largest float are infinite, as in the sums of a sorted column.
        with np.errstate(over="ignore"):
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


class _TextTables:
    """The text columns: one vocabulary for all, and slots of every (layout, column).

    ``present`` is false where a layout has no feature for a column, ``known`` is the size of the
    feature's vocabulary.
    """

    def __init__(self, layouts: Sequence[Layout], names: Sequence[str]) -> None:
        self.names = list(names)
        shape = len(layouts), len(names)
        self.present = np.zeros(shape, bool)
        self.starts = np.zeros(shape, np.int64)
        self.known = np.zeros(shape, np.int64)
        self.sizes = np.array([layout.size for layout in layouts], np.int64)
        vocabularies: list[tuple[int, tuple[str, ...]]] = []
        for m, layout in enumerate(layouts):
            for j, name in enumerate(names):
                if name in layout.index:
                    i = layout.index[name]
                    vocabulary = layout.features[i].vocabulary
                    self.present[m, j] = True
                    self.starts[m, j] = layout.starts[i]
                    self.known[m, j] = len(vocabulary)
                    vocabularies.append((m * len(names) + j, vocabulary))
        self._build(vocabularies)

    def _build(self, vocabularies: Sequence[tuple[int, tuple[str, ...]]]) -> None:
        """Build the common vocabulary, and sorted keys (table, value) that lead to bins."""
        words = list(dict.fromkeys(word for _, vocabulary in vocabularies for word in vocabulary))
        self.words = pa.array(words, pa.string())
        self.word_types = written_types(self.words).astype(np.int64)
        self.word_hash = hashed_bin(self.words)
        number = {word: w for w, word in enumerate(words)}
        keys = [
            t * len(words) + number[word] for t, vocabulary in vocabularies for word in vocabulary
        ]
        bins = [b for _, vocabulary in vocabularies for b in range(len(vocabulary))]
        order = np.argsort(np.array(keys, np.int64))
        self.keys = np.array(keys, np.int64)[order]
        self.key_bins = np.array(bins, np.int64)[order]

    def slots(self, columns: Mapping[str, Column], groups: _Groups) -> list[Ints]:
        """Slots to count: the bin of every value, and the type of every cell.

        Each is ``[columns, rows]``. A cell that does not count gets the slot after the last one.
        """
        if not self.names:
            return []
        self.text = _concatenate(columns, self.names, groups)
        shape, layouts = (len(self.names), len(groups.rows)), groups.layout_of_row
        word, hashed, types = self._look_up(self.text)
        table = layouts * len(self.names) + np.arange(len(self.names))[:, None]
        known = self.known.ravel()[table].ravel()
        bins, self.unseen = self._bins(table.ravel(), word, hashed, known)
        start, nowhere = self.starts.T[:, layouts], self.sizes[layouts]
        present = self.present.T[:, layouts]
        types = types.reshape(shape)
        has_value = present & (types != MISSING)
        bin_slots = np.where(has_value, start + HEAD + bins.reshape(shape), nowhere)
        return [bin_slots, np.where(present, start + types, nowhere)]

    def _look_up(self, text: pa.StringArray) -> tuple[Ints, Ints, Ints]:
        """Position in the common vocabulary (-1: none), hashed bin and written type of values."""
        index = pc.index_in(text, value_set=self.words).fill_null(-1)
        word = index.to_numpy(zero_copy_only=False).astype(np.int64)
        hashed = np.zeros(len(text), np.int64)
        types = np.full(len(text), MISSING, np.int64)
        known = word >= 0
        hashed[known], types[known] = self.word_hash[word[known]], self.word_types[word[known]]
        rest = np.flatnonzero(~known & text.is_valid().to_numpy(zero_copy_only=False))
        if len(rest):
            encoded = pc.dictionary_encode(text.take(pa.array(rest)))
            codes = encoded.indices.to_numpy()
            hashed[rest] = hashed_bin(encoded.dictionary)[codes]
            types[rest] = written_types(encoded.dictionary)[codes]
        return word, hashed, types

    def _bins(
        self, table: Ints, word: Ints, hashed: Ints, known: Ints
    ) -> tuple[Ints, NDArray[np.bool_]]:
        """The bin of each value within its feature, and whether its vocabulary lacks the value."""
        if not len(self.keys):
            return known + hashed, np.ones(len(word), bool)
        keys = table * len(self.words) + word
        nearest = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        is_known = (self.keys[nearest] == keys) & (word >= 0)
        return np.where(is_known, self.key_bins[nearest], known + hashed), ~is_known

    def add_novel(self, profiles: Sequence[Profile], groups: _Groups) -> None:
        """Add the name of the first unseen value of each column and group to its profile.

        Best effort: a profile keeps a bounded number of names.
        """
        if not self.names:
            return
        rows = len(groups.rows)
        novel = np.flatnonzero(self.unseen & self.text.is_valid().to_numpy(zero_copy_only=False))
        if not len(novel):
            return
        group = np.searchsorted(groups.bounds, novel % rows, side="right") - 1
        column = novel // rows
        first = np.unique(group * len(self.names) + column, return_index=True)[1]
        values = self.text.take(pa.array(novel[first])).to_pylist()
        for g, j, value in zip(group[first].tolist(), column[first].tolist(), values, strict=True):
            profiles[g].note_novel(self.names[j], {value: 1})


def _concatenate(
    columns: Mapping[str, Column], names: Sequence[str], groups: _Groups
) -> pa.StringArray:
    """The texts of these columns, one column after the other, in the order of the groups."""
    if (
        isinstance(columns, WideBatch)
        and groups.whole
        and columns.texts == tuple(names)
        and len(columns.words) == len(names) * len(groups.rows)
    ):
        return columns.words
    arrays = [
        column.values for column in map(columns.__getitem__, names) if isinstance(column, Texts)
    ]
    rows = pa.array(groups.rows)
    arrays = [array.slice(0, len(rows)) if groups.whole else array.take(rows) for array in arrays]
    return arrays[0] if len(arrays) == 1 else pa.concat_arrays(arrays)


def _types(values: Floats, integral: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The type slots of columns of numbers alone, ``[columns, rows]``."""
    return np.where(
        integral[:, None] | (values == np.floor(values)), np.uint8(INTEGRAL), np.uint8(FRACTIONAL)
    )


def _whole_wide_batch(columns: Mapping[str, Column], groups: _Groups) -> WideBatch | None:
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
