"""Counts the rows of columns into profiles, many rows at once.

In large groups of rows each numeric column is sorted once, and the edges are searched in it. In
small groups (many models in one batch, or few rows of many columns) the bin of each cell is
searched in the stacked edges of all layouts, see :mod:`detectors.profiles.small_groups`. Both ways
give the same integers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from detectors.arrays import Ints
from detectors.profiles import distinct
from detectors.profiles.columns import Column, EncodedTexts, Numbers
from detectors.profiles.joint_counts import JointCounter
from detectors.profiles.layout import FRACTIONAL, HEAD, INTEGRAL, MISSING, NEG_INF, Layout
from detectors.profiles.novel import sample
from detectors.profiles.ordered import in_order
from detectors.profiles.profile import Profile
from detectors.profiles.segment_fold import SegmentRows, codes_of_columns
from detectors.profiles.small_groups import SmallGroups
from detectors.profiles.vocabulary import VocabularyIndex

SORT_FROM: Final = 256
"""Groups of at least this many rows are counted by sorting."""

_LOWEST: Final = -np.finfo(np.float64).max


class Fold:
    """Counts rows of one schema for the layouts of several models.

    Groups refer to ``layouts`` by position. A feature without a column in a batch counts as missing
    in every row; a column without a feature is ignored. With ``keep_values``, profiles keep the
    distinct values of each feature (:mod:`detectors.profiles.distinct`): finite numbers, and texts
    as they count, without blanks around them and in the spelling of the vocabulary.
    """

    def __init__(self, layouts: Sequence[Layout], keep_values: bool = False) -> None:
        self.layouts = tuple(layouts)
        self.keep_values = keep_values
        self._small_groups: dict[tuple[str, ...], SmallGroups] = {}
        self._bounds = [
            [_search_bounds(layout, i) for i in range(len(layout.features))]
            for layout in self.layouts
        ]
        self._words = [
            [VocabularyIndex(feature) for feature in layout.features] for layout in self.layouts
        ]
        self._joint = {
            which: JointCounter(layout)
            for which, layout in enumerate(self.layouts)
            if layout.joint_features
        }

    def fold(
        self, columns: Mapping[str, Column], layout_of: Sequence[int], bounds: NDArray[np.int64]
    ) -> list[Profile]:
        """Return one profile per group.

        Group ``g`` holds the rows ``[bounds[g], bounds[g + 1])`` and has layout ``layout_of[g]``.
        Groups must not be empty, and their rows must lie together: order the columns first.
        """
        small = np.flatnonzero(np.diff(bounds) < SORT_FROM)
        profiles: list[Profile | None] = [None] * len(layout_of)
        if len(small):
            few = self._fold_small(columns, layout_of, bounds, small)
            for g, profile in zip(small.tolist(), few, strict=True):
                profiles[g] = profile
        encoded = EncodedTexts()
        for g in range(len(layout_of)):
            if profiles[g] is None:
                start, stop = int(bounds[g]), int(bounds[g + 1])
                profiles[g] = self._fold_large(columns, layout_of[g], start, stop, encoded)
        counted = [profile for profile in profiles if profile is not None]
        if self._joint:
            self._count_pairs(columns, layout_of, bounds, counted, encoded)
        return counted

    def _count_pairs(
        self,
        columns: Mapping[str, Column],
        layout_of: Sequence[int],
        bounds: NDArray[np.int64],
        profiles: Sequence[Profile],
        encoded: EncodedTexts,
    ) -> None:
        for which, counter in self._joint.items():
            groups = [g for g, of_group in enumerate(layout_of) if of_group == which]
            spans = [(int(bounds[g]), int(bounds[g + 1])) for g in groups]
            counter.count(columns, spans, [profiles[g] for g in groups], encoded)

    def _fold_small(
        self,
        columns: Mapping[str, Column],
        layout_of: Sequence[int],
        bounds: NDArray[np.int64],
        small: NDArray[np.int64],
    ) -> list[Profile]:
        names = tuple(columns)
        if names not in self._small_groups:
            self._small_groups[names] = SmallGroups(self.layouts, names, self.keep_values)
        return self._small_groups[names].fold(
            columns, np.asarray(layout_of)[small], bounds[small], bounds[small + 1]
        )

    def _fold_large(
        self,
        columns: Mapping[str, Column],
        which: int,
        start: int,
        stop: int,
        encoded: EncodedTexts,
    ) -> Profile:
        layout = self.layouts[which]
        profile = Profile(layout)
        profile.rows = stop - start
        segments = None
        if layout.segmentations:
            codes = codes_of_columns(layout, columns, start, stop, self._words[which], encoded)
            segments = SegmentRows(profile, codes)
        for i, feature in enumerate(layout.features):
            column = columns.get(feature.name)
            if column is None:
                profile.counts[layout.starts[i] + MISSING] = stop - start
                if segments:
                    segments.add_missing(i)
            elif isinstance(column, Numbers):
                rows = _rows_of(column, start, stop)
                finite = _count_numbers(profile, i, rows, self._bounds[which][i], segments)
                if self.keep_values and len(finite):
                    profile.values[i] = distinct.of_numbers(finite)
            else:
                texts = encoded.rows(feature.name, column, start, stop)
                words = self._words[which][i]
                bins, types = _count_texts(profile, i, texts, words, self.keep_values)
                if segments:
                    segments.add_texts(i, texts, bins, types.astype(np.int64))
        return profile


def fold(
    layout: Layout, columns: Mapping[str, Column], start: int = 0, stop: int | None = None
) -> Profile:
    """The profile of the rows ``[start, stop)`` of some columns; no rows give an empty profile."""
    rows = len(next(iter(columns.values())).values) if columns else 0
    stop = rows if stop is None else stop
    if stop <= start:
        return Profile(layout)
    return Fold([layout]).fold(columns, [0], np.array([start, stop]))[0]


def _search_bounds(layout: Layout, i: int) -> NDArray[np.float64]:
    """The values searched in a sorted column: they separate -inf, the bins, +inf and NaN."""
    return np.array([_LOWEST, *layout.features[i].edges, np.inf, np.nan])


def _rows_of(column: Numbers, start: int, stop: int) -> Numbers:
    slots = None if column.slots is None else column.slots[start:stop]
    return Numbers(column.values[start:stop], slots, column.integral)


def _count_numbers(
    profile: Profile,
    i: int,
    column: Numbers,
    bounds: NDArray[np.float64],
    segments: SegmentRows | None,
) -> NDArray[np.float64]:
    """Count a column, also by segment if there are any; returns its finite numbers, sorted."""
    layout, counts = profile.layout, profile.counts
    first, last = int(layout.starts[i]), int(layout.starts[i + 1])
    values = column.values
    if column.slots is not None:
        counts[first : first + NEG_INF] = np.bincount(column.slots, minlength=NEG_INF)
        values = values[column.slots >= INTEGRAL]
    if segments is None:
        ordered = np.sort(values)
        positions = np.searchsorted(ordered, bounds)
    else:
        order, ordered = in_order(values)
        positions = np.searchsorted(ordered, bounds)
        segments.add_numbers(i, column, order, ordered, positions)
    counted = counts[first + NEG_INF : last]
    counted[0], counted[-1] = positions[0], len(ordered) - positions[-1]
    np.subtract(positions[1:], positions[:-1], out=counted[1:-1])
    finite = ordered[positions[0] : positions[-2]]
    if column.slots is not None:
        counts[first + FRACTIONAL] -= len(ordered) - len(finite)
    else:
        whole = len(finite) if column.integral else np.count_nonzero(finite == np.floor(finite))
        counts[first + INTEGRAL] = whole
        counts[first + FRACTIONAL] = len(finite) - whole
    if len(finite):
        _add_moments(profile, i, finite)
    return finite


def _add_moments(profile: Profile, i: int, ordered: NDArray[np.float64]) -> None:
    # Sums beyond the largest float are infinite, or NaN where they have both signs.
    with np.errstate(over="ignore", invalid="ignore"):
        offsets = ordered - profile.layout.features[i].center
        profile.sums[i] = offsets.sum(), offsets @ offsets
    profile.low[i], profile.high[i] = ordered[0], ordered[-1]


def _count_texts(
    profile: Profile, i: int, column: pa.DictionaryArray, words: VocabularyIndex, keep_values: bool
) -> tuple[Ints, NDArray[np.uint8]]:
    """Count a column; returns the bin and the type of each entry of its dictionary."""
    layout, counts = profile.layout, profile.counts
    first = int(layout.starts[i])
    feature = layout.features[i]
    counts[first + MISSING] = column.null_count
    codes = column.indices.drop_null().to_numpy(zero_copy_only=False)
    occurrences = np.bincount(codes, minlength=len(column.dictionary))
    bins, types, values, known = words.look_up(column.dictionary)
    counted = np.bincount(bins, weights=occurrences, minlength=feature.bins)
    counts[layout.bins(i)] = counted[: feature.bins]
    by_type = np.bincount(types, weights=occurrences, minlength=HEAD)
    counts[first : first + HEAD] += by_type.astype(np.int64)
    novel = np.flatnonzero(~known & (occurrences > 0))
    if len(novel):
        unseen = values.take(pa.array(novel))
        profile.add_sample(feature.name, sample(unseen, occurrences[novel]))
    if keep_values:
        counted_texts = np.flatnonzero((bins < feature.bins) & (occurrences > 0))
        if len(counted_texts):
            texts = words.as_counted(values, bins).take(pa.array(counted_texts))
            profile.values[i] = distinct.of_texts(texts, occurrences[counted_texts])
    return bins, types
