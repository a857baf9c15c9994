"""Segments: the same features counted for parts of the rows, one part after the other.

The counts of all segments are one profile, of the *stacked* layout: the features of the first
segment, then those of the second, and so on. What is done with a profile (merge, encode, tally,
judge) is done with the segments as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from msgspec import UNSET, structs

from detectors.arrays import Ints
from detectors.errors import BaselineInvalid, LayoutInvalid
from detectors.phrases import in_segment
from detectors.profiles.layout import HEAD, Layout
from detectors.profiles.segmentation import MOST_SEGMENTS, Segmentation

MOST_LAYOUTS: Final = 1_024
"""The number of layouts whose stacked layouts are kept, those used last."""
OTHERS: Final = "all others"
"""The name of the segment of the values that have none of their own."""


class Segment(NamedTuple):
    """One segment: the feature that it is by, and its bin there; ``None`` for the others."""

    by: str
    bin: int | None


class SlotTable(NamedTuple):
    """The segment of each slot of the feature that rows are divided by.

    ``feature`` is its position. ``of_slot`` has an entry for each slot of the layout, and one more
    for a row that has no slot there; ``others`` for all but the bins of the segments.
    """

    feature: int
    of_slot: Ints
    others: int


@lru_cache(maxsize=MOST_LAYOUTS)
def segments(layout: Layout) -> tuple[Segment, ...]:
    """The segments of a layout in the order in which they are stacked; none without any.

    Raises :class:`~detectors.errors.LayoutInvalid` if they are not bins of single values of
    different features.
    """
    names = [each.by for each in layout.segmentations]
    for each in layout.segmentations:
        known = each.by in layout.index and names.count(each.by) == 1
        if not known or len(set(each.bins)) < len(each.bins) or not _are_lone(layout, each):
            raise LayoutInvalid("segments must be values of single bins", name=each.by)
    return tuple(Segment(each.by, b) for each in layout.segmentations for b in (*each.bins, None))


def _are_lone(layout: Layout, segmentation: Segmentation) -> bool:
    i = layout.index[segmentation.by]
    lone = layout.lone_bins(i) - layout.starts[i] - HEAD
    return set(segmentation.bins) <= set(lone.tolist())


@lru_cache(maxsize=MOST_LAYOUTS)
def stacked(layout: Layout) -> Layout:
    """The layout of the counts of all segments; a feature has the name of :func:`stacked_name`."""
    return Layout(
        tuple(
            structs.replace(feature, name=stacked_name(feature.name, layout, s), joint=UNSET)
            for s in range(len(segments(layout)))
            for feature in layout.features
        )
    )


@lru_cache(maxsize=MOST_LAYOUTS)
def slot_tables(layout: Layout) -> tuple[SlotTable, ...]:
    """How the segment of a row follows from its slot, for each segmentation."""
    tables = []
    first = 0
    for each in layout.segmentations:
        i = layout.index[each.by]
        others = first + len(each.bins)
        of_slot = np.full(layout.size + 1, others, np.int64)
        slots = int(layout.starts[i]) + HEAD + np.array(each.bins, np.int64)
        of_slot[slots] = first + np.arange(len(each.bins))
        tables.append(SlotTable(i, of_slot, others))
        first = others + 1
    return tuple(tables)


def stacked_name(feature: str, layout: Layout, s: int) -> str:
    """The name of a feature in segment ``s``, without the value that the segment is of."""
    return in_segment(feature, label(layout, s, expose_values=False))


def label(layout: Layout, s: int, *, expose_values: bool) -> str:
    """The name of segment ``s``: ``country = BR``, or ``country = value #k`` by its bin."""
    segment = segments(layout)[s]
    if segment.bin is None:
        return f"{segment.by}: {OTHERS}"
    value = value_of(layout, s) if expose_values else masked_value(segment)
    return f"{segment.by} = {value}"


def masked_value(segment: Segment) -> str:
    """What stands for the value of a segment where values are not named; :data:`OTHERS` as it is.

    >>> masked_value(Segment("country", 3))
    'value #3'
    """
    return OTHERS if segment.bin is None else f"value #{segment.bin}"


def value_of(layout: Layout, s: int) -> str:
    """The value of segment ``s``, or :data:`OTHERS`."""
    segment = segments(layout)[s]
    if segment.bin is None:
        return OTHERS
    i = layout.index[segment.by]
    return layout.bin_label(i, int(layout.starts[i]) + HEAD + segment.bin)


def place_of(layout: Layout, by: str, value: str) -> int | None:
    """The segment that a report names by its column and its value, masked or not."""
    for s, segment in enumerate(segments(layout)):
        if segment.by == by and value in (masked_value(segment), value_of(layout, s)):
            return s
    return None


def segmentation_of(layout: Layout, counts: Ints, by: str, most: int) -> Segmentation:
    """The ``most`` values of a feature that are most frequent in these counts, as segments.

    Equally frequent ones in the order of their bins; values without a row are none. Raises
    :class:`~detectors.errors.BaselineInvalid` if the layout has no such feature, if it has no bins
    of single values, or if ``most`` is not from 1 to 1,000.
    """
    if by not in layout.index:
        raise BaselineInvalid("segments", f"there is no feature {by!r}")
    if not 1 <= most <= MOST_SEGMENTS:
        raise BaselineInvalid("segments", f"expected 1 to {MOST_SEGMENTS:,} values, got {most}")
    i = layout.index[by]
    slots = layout.lone_bins(i)
    order = np.argsort(-counts[slots], kind="stable")[:most]
    bins = [int(slots[k] - layout.starts[i] - HEAD) for k in order if counts[slots[k]]]
    if not bins or layout.features[i].kind == "grid":
        reason = f"{by!r} has no values that return: choose a column of categories"
        raise BaselineInvalid("segments", reason)
    return Segmentation(by, tuple(bins))


def kept_segments(
    layout: Layout, counts: Ints, wanted: Sequence[tuple[str, int]]
) -> tuple[Segmentation, ...]:
    """The segmentations of a layout by these columns alone, with at most so many values each.

    ``counts`` are those of the baseline. Raises :class:`~detectors.errors.BaselineInvalid` if the
    layout has fewer than are wanted and there are, or none by a column.
    """
    known = {each.by: each for each in layout.segmentations}
    kept = []
    for by, most in wanted:
        if by not in known:
            raise BaselineInvalid("segments", f"it has no counts of its own by {by!r}")
        if most > len(known[by].bins) and _more_values(layout, counts, known[by]):
            reason = f"it has counts of its own for {len(known[by].bins)} values of {by!r} alone"
            raise BaselineInvalid("segments", reason)
        kept.append(Segmentation(by, known[by].bins[:most]))
    return tuple(kept)


def _more_values(layout: Layout, counts: Ints, segmentation: Segmentation) -> bool:
    """Whether more values of the column have rows in the baseline than are segments."""
    lone = layout.lone_bins(layout.index[segmentation.by])
    return bool((counts[lone] > 0).sum() > len(segmentation.bins))


def targets(before: Layout, after: Layout) -> list[int]:
    """For each segment of ``before``, the segment of ``after`` that takes its rows; -1: none.

    ``after`` has some of its segmentations, with the first of their values; the rest are others.
    """
    places = {segment: s for s, segment in enumerate(segments(after))}
    by = {each.by for each in after.segmentations}
    return [
        places.get(segment, places[Segment(segment.by, None)]) if segment.by in by else -1
        for segment in segments(before)
    ]
