"""What the rows of a model are divided into: the frequent values of one of its columns."""

from __future__ import annotations

import msgspec

MOST_SEGMENTS = 1_000
"""The largest number of segments of one column that have counts of their own."""


class Segmentation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A column whose values divide the rows into segments.

    ``by`` is the name of the feature. ``bins`` are its bins, of a single value each, that are a
    segment of their own, the most frequent first. All other rows, also those without a value, are
    one more segment: the others.
    """

    by: str
    bins: tuple[int, ...]

    @property
    def size(self) -> int:
        """The number of segments, the others included."""
        return len(self.bins) + 1
