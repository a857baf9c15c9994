"""Counts the rows of a group by segment, beside the counts of all of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from detectors.arrays import Floats, Ints
from detectors.errors import LayoutInvalid
from detectors.profiles.columns import Column, EncodedTexts, Numbers
from detectors.profiles.layout import FRACTIONAL, HEAD, INTEGRAL, MISSING, NEG_INF, Layout
from detectors.profiles.profile import Profile
from detectors.profiles.segments import SlotTable, slot_tables
from detectors.profiles.vocabulary import VocabularyIndex

FIRST_LOOK: Final = 400
"""The number of rows at each end that are searched first for the extremes of segments."""


class SegmentRows:
    """The segment of each row of a group, by each segmentation, and the counts by segment.

    ``codes``: ``[segmentations, rows]``, positions among all segments.
    """

    def __init__(self, profile: Profile, codes: Ints) -> None:
        if profile.segments is None:
            raise LayoutInvalid("the layout has no segments")
        layout = profile.layout
        profile.segments.rows = codes.shape[1]
        self._layout = layout
        self._codes = codes
        features = len(layout.features)
        side = profile.segments
        # Views: the stacked vectors hold one segment after the other.
        self._counts = side.counts.reshape(-1, layout.size)
        self._sums = side.sums.reshape(-1, features, 2)
        self._low = side.low.reshape(-1, features)
        self._high = side.high.reshape(-1, features)

    def add_missing(self, i: int) -> None:
        """Count feature ``i`` as missing in every row."""
        rows = np.bincount(self._codes.ravel(), minlength=len(self._counts))
        self._counts[:, self._layout.starts[i] + MISSING] += rows

    def add_numbers(self, i: int, column: Numbers, order: Ints, ordered: Floats, at: Ints) -> None:
        """Count the rows of a numeric column.

        ``ordered`` are its numbers in rising order, NaN last, and ``order`` where each was among
        them. ``at`` are the places of the bounds between -inf, the bins, +inf and NaN.
        """
        codes = self._codes
        if column.slots is not None:
            self._add(i, codes, column.slots.astype(np.int64))
            codes = codes[:, column.slots >= INTEGRAL]
        codes = codes.take(order, axis=1)
        runs = np.empty(len(at) + 1, np.int64)
        runs[0], runs[-1] = at[0], len(ordered) - at[-1]
        np.subtract(at[1:], at[:-1], out=runs[1:-1])
        self._add(i, codes, np.repeat(np.arange(NEG_INF, NEG_INF + len(runs)), runs))
        finite = slice(int(at[0]), int(at[-2]))
        self._add_types(i, column, ordered[finite], codes, finite)
        self._add_moments(i, ordered[finite], codes[:, finite])

    def _add_types(
        self, i: int, column: Numbers, ordered: Floats, codes: Ints, finite: slice
    ) -> None:
        """Count integral and fractional among the finite numbers.

        Where slots are given, take the others off the fractional ones.
        """
        first = int(self._layout.starts[i])
        segments = len(self._counts)
        if column.slots is not None:
            others = np.delete(codes, np.arange(finite.start, finite.stop), axis=1)
            self._counts[:, first + FRACTIONAL] -= np.bincount(others.ravel(), minlength=segments)
            return
        inside = codes[:, finite]
        total = np.bincount(inside.ravel(), minlength=segments)
        whole = total
        if not column.integral:
            is_whole = ordered == np.floor(ordered)
            whole = np.bincount(inside[:, is_whole].ravel(), minlength=segments)
        self._counts[:, first + INTEGRAL] += whole
        self._counts[:, first + FRACTIONAL] += total - whole

    def _add_moments(self, i: int, ordered: Floats, codes: Ints) -> None:
        """Add sums, sums of squares and extremes of rising finite numbers."""
        segments = len(self._counts)
        with np.errstate(over="ignore", invalid="ignore"):
            offsets = ordered - self._layout.features[i].center
            squares = offsets * offsets
            for each in codes:
                self._sums[:, i, 0] += np.bincount(each, offsets, segments)
                self._sums[:, i, 1] += np.bincount(each, squares, segments)
        for each in codes:
            self._extend(i, each, ordered)

    def _extend(self, i: int, codes: Ints, ordered: Floats) -> None:
        """Extend the extremes by rising finite numbers: the first and the last of each segment.

        Those are near the ends, unless a segment has few rows.
        """
        low, high = self._low[:, i], self._high[:, i]
        counted = len(codes)
        for some in (FIRST_LOOK, counted):
            # Of several values for one segment, the last one stays.
            first, last = np.full(len(low), np.inf), np.full(len(low), -np.inf)
            first[codes[:some][::-1]] = ordered[:some][::-1]
            last[codes[-some:]] = ordered[-some:]
            if some >= counted or (np.isfinite(first) & np.isfinite(last)).all():
                break
        np.minimum(low, first, out=low)
        np.maximum(high, last, out=high)

    def add_texts(self, i: int, column: pa.DictionaryArray, bins: Ints, types: Ints) -> None:
        """Count the rows of a text column; ``bins`` and ``types`` are those of its dictionary."""
        codes = self._codes
        words = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        # A row without a text has the entry after the last one.
        kinds = np.append(types, MISSING)[words]
        self._add(i, codes, kinds)
        slots = np.append(bins, self._layout.features[i].bins)[words]
        has_bin = slots < self._layout.features[i].bins
        if not has_bin.all():
            codes, slots = codes[:, has_bin], slots[has_bin]
        self._add(i, codes, slots + HEAD)

    def _add(self, i: int, codes: Ints, slots: Ints) -> None:
        """Count slots of feature ``i``, from its first one on, of rows in these segments."""
        start, stop = int(self._layout.starts[i]), int(self._layout.starts[i + 1])
        width = stop - start
        places = (codes * width + slots).ravel()
        counted = np.bincount(places, minlength=width * len(self._counts))
        self._counts[:, start:stop] += counted.reshape(-1, width)

    def add_slots(self, slots: Sequence[Ints]) -> None:
        """Count slots of the layout, ``[columns, rows]``; the one after the last counts nowhere."""
        width = self._layout.size + 1
        total = np.zeros(width * len(self._counts), np.int64)
        for each in self._codes:
            for block in slots:
                places = (each * width + block).ravel()
                total += np.bincount(places, minlength=len(total))
        self._counts += total.reshape(-1, width)[:, :-1]

    def add_unsorted_moments(self, features: Ints, offsets: Floats, values: Floats) -> None:
        """Add the moments of several features, ``[features, rows]``.

        ``offsets`` are 0, and ``values`` are NaN, where a row has no finite number.
        """
        for each in self._codes:
            order = np.argsort(each, kind="stable")
            found, starts = np.unique(each[order], return_index=True)
            at = np.ix_(found, features)
            inside, numbers = offsets[:, order], values[:, order]
            low, high = (np.where(np.isnan(numbers), end, numbers) for end in (np.inf, -np.inf))
            with np.errstate(over="ignore", invalid="ignore"):
                self._sums[..., 0][at] += np.add.reduceat(inside, starts, axis=1).T
                self._sums[..., 1][at] += np.add.reduceat(inside * inside, starts, axis=1).T
            lowest, highest = (
                np.minimum.reduceat(low, starts, 1),
                np.maximum.reduceat(high, starts, 1),
            )
            self._low[at] = np.minimum(self._low[at], lowest.T)
            self._high[at] = np.maximum(self._high[at], highest.T)


def codes_of_columns(
    layout: Layout,
    columns: Mapping[str, Column],
    start: int,
    stop: int,
    words: Sequence[VocabularyIndex],
    encoded: EncodedTexts,
) -> Ints:
    """The segment of each row ``[start, stop)``, by each segmentation."""
    return np.stack(
        [
            table.of_slot[
                _slots(layout, table, columns, start, stop, words[table.feature], encoded)
            ]
            for table in slot_tables(layout)
        ]
    )


def _slots(
    layout: Layout,
    table: SlotTable,
    columns: Mapping[str, Column],
    start: int,
    stop: int,
    words: VocabularyIndex,
    encoded: EncodedTexts,
) -> Ints:
    """The slot of each row in the feature that rows are divided by; ``layout.size`` without one."""
    feature = layout.features[table.feature]
    column = columns.get(feature.name)
    if column is None:
        return np.full(stop - start, layout.size, np.int64)
    first = int(layout.starts[table.feature]) + HEAD
    if isinstance(column, Numbers):
        values = column.values[start:stop]
        slots = first + np.searchsorted(layout.edges[table.feature], values, side="right")
        return np.where(_finite(column, start, stop), slots, layout.size)
    texts = encoded.rows(feature.name, column, start, stop)
    bins, _, _, _ = words.look_up(texts.dictionary)
    slots = np.append(np.where(bins < feature.bins, first + bins, layout.size), layout.size)
    found: Ints = slots[texts.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
    return found


def _finite(column: Numbers, start: int, stop: int) -> NDArray[np.bool_]:
    finite = np.isfinite(column.values[start:stop])
    return finite if column.slots is None else finite & (column.slots[start:stop] >= INTEGRAL)
