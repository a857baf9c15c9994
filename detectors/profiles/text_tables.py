"""The text columns of small groups: the texts of all columns and layouts are looked up together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detectors.arrays import Ints
from detectors.profiles import distinct
from detectors.profiles.columns import Column, Texts, written_types
from detectors.profiles.hashing import hashed, hashed_bin, pattern_bin
from detectors.profiles.layout import HASHED_BINS, HEAD, MISSING, Layout
from detectors.profiles.novel import samples
from detectors.profiles.profile import Profile
from detectors.profiles.rare_values import KEY_BITS, RareValues, keys_of
from detectors.profiles.reading import BLANKS, hold_blanks
from detectors.profiles.row_selection import RowSelection
from detectors.profiles.text_patterns import TextPatterns
from detectors.profiles.vocabulary import KnownTexts, known_texts, trims
from detectors.profiles.wide_batch import WideBatch


class _Words(NamedTuple):
    """Vocabularies, one after the other; ``first`` is where that of a (layout, column) begins."""

    first: Ints
    texts: pa.StringArray
    ranks: NDArray[np.uint64]


class TextTables:
    """The text columns: one vocabulary for all, and slots of every (layout, column).

    ``present`` is false where a layout has no feature for a column, ``known`` is the size of the
    feature's vocabulary, ``trims`` whether blanks around a text do not matter there. ``rare`` holds
    a key (table, value) for each rare value, ``together`` whether those of a feature share a bin.
    """

    def __init__(self, layouts: Sequence[Layout], names: Sequence[str]) -> None:
        self.names = list(names)
        self._layouts = layouts
        shape = len(layouts), len(names)
        self.present = np.zeros(shape, bool)
        self.starts = np.zeros(shape, np.int64)
        self.known = np.zeros(shape, np.int64)
        self.trims = np.zeros(shape, bool)
        self.together = np.zeros(shape, bool)
        self.sizes = np.array([layout.size for layout in layouts], np.int64)
        tables: list[tuple[int, KnownTexts]] = []
        for m, layout in enumerate(layouts):
            for j, name in enumerate(names):
                if name in layout.index:
                    i = layout.index[name]
                    feature = layout.features[i]
                    self.present[m, j] = True
                    self.starts[m, j] = layout.starts[i]
                    self.known[m, j] = len(feature.vocabulary)
                    self.trims[m, j] = trims(feature)
                    self.together[m, j] = feature.rare_bins == 1
                    tables.append((m * len(names) + j, known_texts(feature)))
        self._build(tables)
        self.rare = _rare_keys(layouts, names)
        self.patterns = _patterns(layouts, names)

    def _build(self, tables: Sequence[tuple[int, KnownTexts]]) -> None:
        """Build the common list of texts, and sorted keys (table, text) that lead to bins."""
        words = list(dict.fromkeys(text for _, known in tables for text in known.texts))
        self.words = pa.array(words, pa.string())
        self.word_types = written_types(self.words)
        self.word_hash = hashed(self.words)
        number = {word: w for w, word in enumerate(words)}
        keys = [t * len(words) + number[text] for t, known in tables for text in known.texts]
        order = np.argsort(np.array(keys, np.int64))
        empty = KnownTexts([], np.empty(0, np.int64), np.empty(0, np.uint8))
        sources = [known for _, known in tables] or [empty]
        self.keys = np.array(keys, np.int64)[order]
        self.key_bins = np.concatenate([known.bins for known in sources])[order]
        self.key_types = np.concatenate([known.types for known in sources])[order]

    def slots(self, columns: Mapping[str, Column], groups: RowSelection) -> list[Ints]:
        """Slots to count: the bin of every value, and the type of every cell.

        Each is ``[columns, rows]``. A cell that does not count gets the slot after the last one.
        """
        if not self.names:
            return []
        self.text = _concatenate(columns, self.names, groups)
        shape, layouts = (len(self.names), len(groups.rows)), groups.layout_of_row
        table = (layouts * len(self.names) + np.arange(len(self.names))[:, None]).ravel()
        bins, types = self._read(table)
        start, nowhere = self.starts.T[:, layouts], self.sizes[layouts]
        present = self.present.T[:, layouts]
        types = types.reshape(shape)
        self.bins, self.has_value = bins.reshape(shape), present & (types != MISSING)
        has_value = self.has_value
        bin_slots = np.where(has_value, start + HEAD + self.bins, nowhere)
        return [bin_slots, np.where(present, start + types, nowhere)]

    def _read(self, table: Ints) -> tuple[Ints, NDArray[np.uint8]]:
        """The bin and the type of each cell; texts that are not known lose the blanks first."""
        bins, types, self.unseen, self.hashes = self._look_up(self.text, table)
        again = np.flatnonzero(self.unseen & self.trims.ravel()[table])
        if len(again) and hold_blanks(self.text):
            raw = self.text.take(pa.array(again))
            trimmed = pc.utf8_trim(raw, characters=BLANKS)
            changed = np.array(pc.not_equal(raw, trimmed))
            again = again[changed]
            if len(again):
                trimmed = trimmed.filter(pa.array(changed))
                found = self._look_up(trimmed, table[again])
                bins[again], types[again], self.unseen[again], self.hashes[again] = found
        if self.patterns:
            self._bin_patterns(bins, table)
        self._move_rare(bins, table)
        return bins, types

    def _bin_patterns(self, bins: Ints, table: Ints) -> None:
        """Move the unseen values of features with patterns to the bins of these."""
        for which, patterns in self.patterns.items():
            cells = np.flatnonzero(self.unseen & (table == which))
            if len(cells):
                texts = pc.utf8_trim(self.text.take(pa.array(cells)), characters=BLANKS)
                bins[cells] = self.known.ravel()[which] + pattern_bin(patterns, texts)

    def _move_rare(self, bins: Ints, table: Ints) -> None:
        """Move the rare values among the unseen ones to their bins, which are after the hashed."""
        if not len(self.rare):
            return
        unseen = np.flatnonzero(self.unseen)
        keys = _table_keys(table[unseen], self.hashes[unseen])
        nearest = np.minimum(np.searchsorted(self.rare, keys), len(self.rare) - 1)
        rare = unseen[self.rare[nearest] == keys]
        bins[rare] += HASHED_BINS
        shared = rare[self.together.ravel()[table[rare]]]
        bins[shared] = self.known.ravel()[table[shared]] + HASHED_BINS
        self.unseen[rare] = False

    def _look_up(
        self, text: pa.StringArray, table: Ints
    ) -> tuple[Ints, NDArray[np.uint8], NDArray[np.bool_], NDArray[np.uint64]]:
        """Bin and written type of each cell, whether its feature does not know the text, its hash.

        A rare value is unseen here. A cell without a text has the hash 0.
        """
        index = pc.index_in(text, value_set=self.words).fill_null(-1)
        word = index.to_numpy(zero_copy_only=False).astype(np.int64)
        valid = text.is_valid().to_numpy(zero_copy_only=False)
        hashes = np.zeros(len(text), np.uint64)
        types = np.full(len(text), MISSING, np.uint8)
        named = word >= 0
        hashes[named], types[named] = self.word_hash[word[named]], self.word_types[word[named]]
        rest = np.flatnonzero(~named & valid)
        if len(rest):
            encoded = pc.dictionary_encode(text.take(pa.array(rest)))
            codes = encoded.indices.to_numpy()
            hashes[rest] = hashed(encoded.dictionary)[codes]
            types[rest] = written_types(encoded.dictionary)[codes]
        bins = self.known.ravel()[table] + hashed_bin(hashes)
        if not len(self.keys):
            return bins, types, valid, hashes
        keys = table * len(self.words) + word
        nearest = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = (self.keys[nearest] == keys) & named
        bins = np.where(known, self.key_bins[nearest], bins)
        return bins, np.where(known, self.key_types[nearest], types), valid & ~known, hashes

    def add_novel(self, profiles: Sequence[Profile], groups: RowSelection) -> None:
        """Add names of the unseen values of each column and group to its profile."""
        novel = np.flatnonzero(self.unseen) if self.names else np.empty(0, np.int64)
        column, row = np.divmod(novel, len(groups.rows))
        present = self.present[groups.layout_of_row[row], column]
        novel, column, row = novel[present], column[present], row[present]
        if not len(novel):
            return
        group = np.searchsorted(groups.bounds, row, side="right") - 1
        trims = self.trims[groups.layout_of_row[row], column]
        texts = _trimmed(self.text.take(pa.array(novel)), trims)
        places = group * len(self.names) + column
        for place, sampled in samples(places, texts, self.hashes[novel]).items():
            g, j = divmod(place, len(self.names))
            profiles[g].add_sample(self.names[j], sampled)

    def add_values(self, profiles: Sequence[Profile], groups: RowSelection) -> None:
        """Add the distinct texts of each column and group, as they count, to its profile."""
        cells = np.flatnonzero(self.has_value) if self.names else np.empty(0, np.int64)
        if not len(cells):
            return
        places = groups.places(len(self.names)).ravel()[cells]
        column, row = np.divmod(cells, len(groups.rows))
        layouts = groups.layout_of_row[row]
        bins, words = self.bins.ravel()[cells], self._words_as_counted
        codes = words.first[layouts, column] + bins
        other = np.flatnonzero(bins >= self.known[layouts, column])
        found = self.text.take(pa.array(cells[other]))
        encoded = pc.dictionary_encode(_trimmed(found, self.trims[layouts, column][other]))
        codes[other] = encoded.indices.to_numpy() + len(words.ranks)
        texts = distinct.shortened(encoded.dictionary)
        parts = [(words.texts, words.ranks), (texts, distinct.ranks_of(texts))]
        for place, values in distinct.texts_by_place(places, codes, parts):
            j, g = divmod(place, len(profiles))
            profiles[g].values[profiles[g].layout.index[self.names[j]]] = values

    @cached_property
    def _words_as_counted(self) -> _Words:
        """The vocabularies of all tables."""
        known = [
            layout.features[layout.index[name]].vocabulary if name in layout.index else ()
            for layout in self._layouts
            for name in self.names
        ]
        words = pa.array([word for vocabulary in known for word in vocabulary], pa.string())
        texts = distinct.shortened(words)
        first = np.cumsum([0, *map(len, known)])[:-1].reshape(self.present.shape)
        return _Words(first, texts, distinct.ranks_of(texts))


def _trimmed(texts: pa.StringArray, where: NDArray[np.bool_]) -> pa.StringArray:
    """The texts, without the blanks around them where these do not matter."""
    if not hold_blanks(texts):
        return texts
    return pc.if_else(pa.array(where), pc.utf8_trim(texts, characters=BLANKS), texts)


def _rare_keys(layouts: Sequence[Layout], names: Sequence[str]) -> NDArray[np.uint64]:
    """The key (table, value) of each rare value of these columns, rising."""
    keys = [np.empty(0, np.uint64)]
    for m, layout in enumerate(layouts):
        for j, name in enumerate(names):
            rare = layout.features[layout.index[name]].rare if name in layout.index else None
            if isinstance(rare, RareValues):
                table = np.uint64(m * len(names) + j) << np.uint64(KEY_BITS)
                keys.append(table | np.frombuffer(rare.keys, "<u4"))
    return np.concatenate(keys)


def _patterns(layouts: Sequence[Layout], names: Sequence[str]) -> dict[int, TextPatterns]:
    """The patterns of each table that has any."""
    return {
        m * len(names) + j: patterns
        for m, layout in enumerate(layouts)
        for j, name in enumerate(names)
        if name in layout.index and (patterns := layout.features[layout.index[name]].patterns)
    }


def _table_keys(table: Ints, hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The key (table, value) of values from their hashes."""
    return (table.astype(np.uint64) << np.uint64(KEY_BITS)) | keys_of(hashes)


def _concatenate(
    columns: Mapping[str, Column], names: Sequence[str], groups: RowSelection
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
