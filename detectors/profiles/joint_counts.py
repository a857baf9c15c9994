"""Counts rows by the levels of two features at a time, for all pairs of the chosen features.

Every chosen feature has four indicators a row: whether it has a level, and whether that is at least
1, 2, 3. How often two indicators hold together is the number of bits that both have, 64 rows to a
word; the table of two features follows from these counts by differences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detectors.arrays import Ints, Mask
from detectors.profiles.columns import Column, EncodedTexts, Numbers, Texts
from detectors.profiles.joint_levels import LEVELS, JointLevels
from detectors.profiles.layout import INTEGRAL, Layout
from detectors.profiles.profile import Profile
from detectors.profiles.vocabulary import VocabularyIndex

AT_ONCE: Final = 16_384
"""The rows whose indicators are compared at once: the bits of 20 features fit into the cache."""
FEW_WORDS: Final = 16
"""Up to so many words an indicator, all pairs of indicators are compared in one step."""


class JointPairs:
    """The chosen features of a layout, and their pairs, in the order of the layout.

    * ``features``: the positions of the chosen features, those with levels.
    * ``first``, ``second``: the two features of each pair, as positions among ``features``.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.features: Ints = np.array(layout.joint_features, np.int64)
        self.first, self.second = np.triu_indices(len(self.features), 1)

    @property
    def indicators(self) -> int:
        """The number of indicators: four a feature."""
        return LEVELS * len(self.features)

    @cached_property
    def triangle(self) -> tuple[Ints, Ints]:
        """The rows and columns of the upper triangle of the matrix of counts, as it is stored."""
        return np.triu_indices(self.indicators)

    def matrix(self, counts: Ints) -> Ints:
        """The counts of all pairs of indicators; zeros below the diagonal."""
        matrix = np.zeros((self.indicators, self.indicators), np.int64)
        matrix[self.triangle] = counts
        return matrix

    def tables(self, counts: Ints) -> Ints:
        """The table of each pair, ``int64[pairs, 4, 4]``, by the levels of its two features.

        ``counts`` are those of :class:`.Profile`: a table holds the rows in which both features
        have a level.
        """
        blocks = self.matrix(counts).reshape(len(self.features), LEVELS, len(self.features), LEVELS)
        at_least = np.pad(blocks[self.first, :, self.second, :], ((0, 0), (0, 1), (0, 1)))
        tables: Ints = np.diff(np.diff(at_least, axis=1), axis=2)
        return tables


class JointCounter:
    """Adds the counts of pairs to the profiles of one layout that chooses features."""

    def __init__(self, layout: Layout) -> None:
        self._pairs = JointPairs(layout)
        features = [layout.features[i] for i in layout.joint_features]
        self._columns = [
            (feature.name, _levels(feature.joint), None if feature.numeric else _Words(layout, i))
            for i, feature in zip(layout.joint_features, features, strict=True)
        ]

    def count(
        self,
        columns: Mapping[str, Column],
        spans: Sequence[tuple[int, int]],
        profiles: Sequence[Profile],
        encoded: EncodedTexts,
    ) -> None:
        """Add the rows ``[start, stop)`` of each span to its profile."""
        for (start, stop), profile in zip(spans, profiles, strict=True):
            for first in range(start, stop, AT_ONCE):
                held = self._indicators(columns, first, min(first + AT_ONCE, stop), encoded)
                profile.pairs += self._together(held)

    def _together(self, held: Mask) -> Ints:
        """The rows in which two indicators hold, of the upper triangle of their pairs."""
        words = -(-held.shape[1] // 64)
        bits = np.zeros((len(held), 8 * words), np.uint8)
        packed = np.packbits(held, axis=1)
        bits[:, : packed.shape[1]] = packed
        of = bits.view(np.uint64)
        if words <= FEW_WORDS:
            first, second = self._pairs.triangle
            return _shared_bits(of[first], of[second])
        shared = np.zeros((len(of), len(of)), np.int64)
        for i in range(0, len(of), LEVELS):
            shared[i : i + LEVELS, i:] = _shared_bits(of[i : i + LEVELS, None], of[None, i:])
        return shared[self._pairs.triangle]

    def _indicators(
        self,
        columns: Mapping[str, Column],
        start: int,
        stop: int,
        encoded: EncodedTexts,
    ) -> Mask:
        """The indicators of some rows, ``[indicators, rows]``; zeros where a column is absent."""
        out = np.zeros((self._pairs.indicators, stop - start), bool)
        for j, (name, levels, known) in enumerate(self._columns):
            column, own = columns.get(name), out[LEVELS * j : LEVELS * (j + 1)]
            if known is None and isinstance(column, Numbers):
                _of_numbers(own, column, levels.cuts, start, stop)
            elif known is not None and isinstance(column, Texts):
                known.indicate(own, encoded.rows(name, column, start, stop))
        return out


def _shared_bits(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> Ints:
    """The number of bits that both have, over the words of the last axis."""
    # Sums of so few rows fit into 16 bits, which are added faster than 64.
    shared: Ints = np.bitwise_count(first & second).sum(axis=-1, dtype=np.uint16).astype(np.int64)
    return shared


def _of_numbers(out: Mask, column: Numbers, cuts: Sequence[float], start: int, stop: int) -> None:
    values = column.values[start:stop]
    np.isfinite(values, out=out[0])
    if column.slots is not None:
        out[0] &= column.slots[start:stop] >= INTEGRAL
    for k, cut in enumerate(cuts, start=1):
        np.greater_equal(values, cut, out=out[k])
    if not out[0].all():
        out[1 : len(cuts) + 1] &= out[0]


class _Words:
    """The levels of the texts of one feature."""

    def __init__(self, layout: Layout, i: int) -> None:
        feature = layout.features[i]
        levels = _levels(feature.joint)
        self._index = VocabularyIndex(feature)
        others = feature.bins - len(levels.of_words)
        # A marker of missing values has the bin after the last one, and no level.
        self._level = np.array([*levels.of_words, *([levels.of_others] * others), -1], np.int64)

    def indicate(self, out: Mask, column: pa.DictionaryArray) -> None:
        bins, *_ = self._index.look_up(column.dictionary)
        # A null has the code after the last one.
        of_code = np.append(self._level[bins], -1)
        codes = pc.fill_null(column.indices, len(bins)).to_numpy(zero_copy_only=False)
        level = of_code[codes]
        for k in range(LEVELS):
            np.greater_equal(level, k, out=out[k])


def _levels(joint: JointLevels | msgspec.UnsetType) -> JointLevels:
    return JointLevels() if isinstance(joint, msgspec.UnsetType) else joint
