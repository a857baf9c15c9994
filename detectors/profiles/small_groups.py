"""Counting few rows of many models, or of many columns: no column is sorted, every cell finds its
bin at once.
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

    A cell is one value: column ``j``, row ``r``. Tables have one entry a (layout, column);
    ``place[m, j]`` is the position of the column's feature in layout ``m``, -1 where it has none.
    """

    def __init__(self, layouts: Sequence[Layout], names: Sequence[str]) -> None:
        self.layouts = tuple(layouts)
        place = np.array([[layout.index.get(name, -1) for name in names] for layout in layouts])
        numeric = [any(_is(layout, name, numeric=True) for layout in layouts) for name in names]
        self._numbers = _NumberTables(
            self.layouts, [n for n, yes in zip(names, numeric, strict=True) if yes]
        )
        texts = [not yes and bool((place[:, j] >= 0).any()) for j, yes in enumerate(numeric)]
        self._texts = _TextTables(
            self.layouts, [n for n, yes in zip(names, texts, strict=True) if yes]
        )
        self._absent = [
            np.setdiff1d(np.arange(len(m.features)), place[k]) for k, m in enumerate(layouts)
        ]

    def fold(
        self, columns: Mapping[str, Column], layout_of: Ints, starts: Ints, stops: Ints
    ) -> list[Profile]:
        """One profile a group of rows ``[starts[g], stops[g])``; groups may leave rows between them
        out.
        """
        sizes = stops - starts
        rows = np.repeat(starts - np.concatenate(([0], np.cumsum(sizes)[:-1])), sizes) + np.arange(
            int(sizes.sum())
        )
        groups = _Groups(layout_of, np.concatenate(([0], np.cumsum(sizes))).astype(np.int64), rows)
        slots = [*self._numbers.slots(columns, groups), *self._texts.slots(columns, groups)]
        profiles = [self._count(groups, g, slots) for g in range(len(layout_of))]
        self._numbers.add_moments(profiles, groups)
        self._texts.add_novel(profiles, groups)
        return profiles

    def _count(self, groups: _Groups, g: int, slots: Sequence[Ints]) -> Profile:
        which, start, stop = int(groups.layout_of[g]), groups.bounds[g], groups.bounds[g + 1]
        layout = self.layouts[which]
        profile = Profile(layout)
        profile.rows = int(stop - start)
        counted = np.concatenate(
            [part[:, start:stop].ravel() for part in slots] or [np.empty(0, np.int64)]
        )
        profile.counts = np.bincount(counted, minlength=layout.size + 1)[: layout.size]
        profile.counts[layout.starts[self._absent[which]] + MISSING] = stop - start
        return profile


class _Groups:
    """Rows of a batch put side by side, group after group."""

    def __init__(self, layout_of: Ints, bounds: Ints, rows: Ints) -> None:
        self.layout_of, self.bounds, self.rows = layout_of, bounds, rows
        self.one = int(layout_of[0]) if (layout_of == layout_of[0]).all() else -1
        self.of_row = np.repeat(layout_of, np.diff(bounds))
        self.whole = bool(len(rows)) and rows[0] == 0 and rows[-1] == len(rows) - 1

    def each_row(self, table: NDArray[Any]) -> NDArray[Any]:
        """What a table with an entry a (layout, column) says of every row, ``[columns, rows]``; one
        column where all have one layout.
        """
        return table[self.one][:, None] if self.one >= 0 else table.T[:, self.of_row]

    def lay(self, columns: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """The rows of some columns, one column behind the other."""
        if self.whole and len(columns[0]) == len(self.rows):
            return np.concatenate(columns)
        return np.concatenate([column[self.rows] for column in columns])


class _NumberTables:
    def __init__(self, layouts: Sequence[Layout], names: Sequence[str]) -> None:
        self.names, shape = list(names), (len(layouts), len(names))
        self._splits: dict[tuple[str, ...], tuple[slice | Ints | None, list[int]]] = {}
        self.starts = np.zeros(shape, np.int64)
        self.there = np.zeros(shape, bool)
        self.place = np.zeros(shape, np.int64)
        self.centers = np.zeros(shape)
        self.sizes = np.array([layout.size for layout in layouts], np.int64)
        most = max((len(f.edges) for layout in layouts for f in layout.features), default=0)
        self.width = 1 << most.bit_length()
        self.edges = np.full((*shape, self.width), np.inf)
        for m, layout in enumerate(layouts):
            for j, name in enumerate(names):
                i = layout.index.get(name, -1)
                if i >= 0:
                    feature = layout.features[i]
                    self.there[m, j], self.place[m, j], self.starts[m, j] = (
                        True,
                        i,
                        layout.starts[i],
                    )
                    self.centers[m, j] = feature.center
                    self.edges[m, j, : len(feature.edges)] = feature.edges
        self.bins = np.array(
            [
                [
                    layout.features[p].bins if t else 0
                    for p, t in zip(self.place[m], self.there[m], strict=True)
                ]
                for m, layout in enumerate(layouts)
            ],
            np.int64,
        ).reshape(shape)

    def slots(self, columns: Mapping[str, Column], groups: _Groups) -> list[Ints]:
        """Slots to count, each ``[columns, rows]``: the type of every cell, and the bin of every
        finite number.
        """
        if not self.names:
            return []
        self.values, types = self._stack(columns, groups)
        self.finite = np.isfinite(self.values) & (types >= INTEGRAL)
        start: Ints = groups.each_row(self.starts)
        bins = self._search(groups)
        bins += start + HEAD
        kind = start + types
        odd = ~self.finite & (types >= INTEGRAL)
        if odd.any():
            end = start + HEAD + groups.each_row(self.bins)
            special = np.where(
                np.isnan(self.values), end + 1, np.where(self.values > 0, end, start + NEG_INF)
            )
            kind = np.where(odd, special, kind)
        nowhere = self.sizes[groups.of_row]
        if not self.finite.all():
            bins = np.where(self.finite, bins, nowhere)
        if not self.there.all():
            there = groups.each_row(self.there)
            bins, kind = np.where(there, bins, nowhere), np.where(there, kind, nowhere)
        return [bins, kind]

    def _stack(
        self, columns: Mapping[str, Column], groups: _Groups
    ) -> tuple[Floats, NDArray[np.uint8]]:
        """Values and type slots of all cells, ``[columns, rows]``."""
        block = (
            columns
            if isinstance(columns, WideBatch)
            and groups.whole
            and columns.matrix.shape[1] == len(groups.rows)
            else None
        )
        cut, others = self._split(block.numbers if block else ())
        if block is None or cut is None:
            return self._stack_each([columns[name] for name in self.names], groups)
        values = np.empty((len(self.names), len(groups.rows)))
        types = np.empty(values.shape, np.uint8)
        values[cut] = block.matrix
        types[cut] = _types(block.matrix, block.integral) if block.slots is None else block.slots
        if len(others):
            values[others], types[others] = self._stack_each(
                [columns[self.names[j]] for j in others], groups
            )
        return values, types

    def _split(self, numbers: tuple[str, ...]) -> tuple[slice | Ints | None, list[int]]:
        """The places of these columns among ours (``None`` if one is none of ours), and all other
        places.
        """
        if numbers not in self._splits:
            known = {name: j for j, name in enumerate(self.names)}
            places = np.array([known.get(name, -1) for name in numbers], np.int64)
            risen = len(places) > 0 and bool((np.diff(places) == 1).all())
            cut = slice(int(places[0]), int(places[-1]) + 1) if risen else places
            others = sorted(set(range(len(self.names))) - set(places.tolist()))
            self._splits[numbers] = None if (places < 0).any() else cut, others
        return self._splits[numbers]

    def _stack_each(
        self, columns: Sequence[Column], groups: _Groups
    ) -> tuple[Floats, NDArray[np.uint8]]:
        mine = [column for column in columns if isinstance(column, Numbers)]
        values = groups.lay([column.values for column in mine]).reshape(len(mine), -1)
        types = _types(values, np.array([column.integral for column in mine]))
        written = [(j, column.slots) for j, column in enumerate(mine) if column.slots is not None]
        if written:
            types[[j for j, _ in written]] = groups.lay([slots for _, slots in written]).reshape(
                len(written), -1
            )
        return values, types

    def _search(self, groups: _Groups) -> Ints:
        """Number of edges at or below each value, by halving: log2(width) steps for as many cells
        as the cache holds.
        """
        rows = groups.of_row if groups.one < 0 else np.array([groups.one])
        out, most = (
            np.empty(self.values.shape, np.int64),
            max(CACHED // max(self.values.shape[1], 1), 1),
        )
        for start in range(0, len(self.names), most):
            some = np.arange(start, min(start + most, len(self.names)))
            base = (rows * len(self.names) + some[:, None]) * self.width - 1
            out[some[0] : some[-1] + 1] = edges_below(
                self.edges.ravel(), base, self.width, self.values[some[0] : some[-1] + 1]
            )
        return out

    def add_moments(self, profiles: Sequence[Profile], groups: _Groups) -> None:
        if not self.names:
            return
        begins = groups.bounds[:-1]
        away = np.where(self.finite, self.values - groups.each_row(self.centers), 0.0)
        with np.errstate(
            over="ignore"
        ):  # sums beyond the largest float are infinite, as in the sums of a sorted column
            sums = np.add.reduceat(away, begins, axis=1)
            squares = np.add.reduceat(away * away, begins, axis=1)
        low = np.minimum.reduceat(np.where(self.finite, self.values, np.inf), begins, axis=1)
        high = np.maximum.reduceat(np.where(self.finite, self.values, -np.inf), begins, axis=1)
        for g, profile in enumerate(profiles):
            there = self.there[groups.layout_of[g]]
            at = self.place[groups.layout_of[g]][there]
            profile.sums[at, 0], profile.sums[at, 1] = sums[there, g], squares[there, g]
            profile.low[at], profile.high[at] = low[there, g], high[there, g]


class _TextTables:
    def __init__(self, layouts: Sequence[Layout], names: Sequence[str]) -> None:
        self.names, shape = list(names), (len(layouts), len(names))
        self.layouts = layouts
        self.starts = np.zeros(shape, np.int64)
        self.known = np.zeros(shape, np.int64)
        self.there = np.zeros(shape, bool)
        self.sizes = np.array([layout.size for layout in layouts], np.int64)
        vocabularies: list[tuple[int, tuple[str, ...]]] = []
        for m, layout in enumerate(layouts):
            for j, name in enumerate(names):
                i = layout.index.get(name, -1)
                if i >= 0:
                    vocabulary = layout.features[i].vocabulary
                    self.there[m, j], self.starts[m, j], self.known[m, j] = (
                        True,
                        layout.starts[i],
                        len(vocabulary),
                    )
                    vocabularies.append((m * len(names) + j, vocabulary))
        self._build(vocabularies)

    def _build(self, vocabularies: Sequence[tuple[int, tuple[str, ...]]]) -> None:
        """One vocabulary of all values, and sorted keys (table, value) that lead to the bin in that
        table.
        """
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
        self.keys, self.key_bins = np.array(keys, np.int64)[order], np.array(bins, np.int64)[order]

    def slots(self, columns: Mapping[str, Column], groups: _Groups) -> list[Ints]:
        """Slots to count, each ``[columns, rows]``: the type of every cell, and the bin of every
        value.
        """
        if not self.names:
            return []
        text = _concat(columns, self.names, groups)
        shape, of_row = (len(self.names), len(groups.rows)), groups.of_row
        word, hashed, types = self._look_up(text)
        table = of_row * len(self.names) + np.arange(len(self.names))[:, None]
        bins, self.unseen = self._bins(
            table.ravel(), word, hashed, self.known.ravel()[table].ravel()
        )
        self.text = text
        start, nowhere = self.starts.T[:, of_row], self.sizes[of_row]
        there = self.there.T[:, of_row]
        types = types.reshape(shape)
        where = np.where(there & (types != MISSING), start + HEAD + bins.reshape(shape), nowhere)
        return [where, np.where(there, start + types, nowhere)]

    def _look_up(self, text: pa.StringArray) -> tuple[Ints, Ints, Ints]:
        """Number in the vocabulary of all values (-1: none), hashed bin and written type of each
        value.
        """
        found = (
            pc.index_in(text, value_set=self.words)
            .fill_null(-1)
            .to_numpy(zero_copy_only=False)
            .astype(np.int64)
        )
        hashed = np.zeros(len(text), np.int64)
        types = np.full(len(text), MISSING, np.int64)
        seen = found >= 0
        hashed[seen], types[seen] = self.word_hash[found[seen]], self.word_types[found[seen]]
        rest = np.flatnonzero(~seen & text.is_valid().to_numpy(zero_copy_only=False))
        if len(rest):
            encoded = pc.dictionary_encode(text.take(pa.array(rest)))
            codes = encoded.indices.to_numpy()
            hashed[rest] = hashed_bin(encoded.dictionary)[codes]
            types[rest] = written_types(encoded.dictionary)[codes]
        return found, hashed, types

    def _bins(
        self, table: Ints, word: Ints, hashed: Ints, known: Ints
    ) -> tuple[Ints, NDArray[np.bool_]]:
        if not len(self.keys):
            return known + hashed, np.ones(len(word), bool)
        keys = table * len(self.words) + word
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        hit = (self.keys[at] == keys) & (word >= 0)
        return np.where(hit, self.key_bins[at], known + hashed), ~hit

    def add_novel(self, profiles: Sequence[Profile], groups: _Groups) -> None:
        """Names of a few unseen values: best effort, bounded by the number of names a profile
        keeps.
        """
        if not self.names:
            return
        rows = len(groups.rows)
        fresh = np.flatnonzero(self.unseen & self.text.is_valid().to_numpy(zero_copy_only=False))
        if not len(fresh):
            return
        group = np.searchsorted(groups.bounds, fresh % rows, side="right") - 1
        some = np.unique(group * len(self.names) + fresh // rows, return_index=True)[1]
        names = self.text.take(pa.array(fresh[some])).to_pylist()
        for g, column, name in zip(
            group[some].tolist(), (fresh[some] // rows).tolist(), names, strict=True
        ):
            profiles[g].note_novel(self.names[column], {name: 1})


def _concat(columns: Mapping[str, Column], names: Sequence[str], groups: _Groups) -> pa.StringArray:
    """The texts of these columns, one column behind the other, in the order of the groups."""
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


def _is(layout: Layout, name: str, *, numeric: bool) -> bool:
    i = layout.index.get(name, -1)
    return i >= 0 and layout.features[i].numeric is numeric
