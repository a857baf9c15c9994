"""The error of counts that come from a sketch instead of the rows themselves."""

from __future__ import annotations

import msgspec


class SketchError(msgspec.Struct, frozen=True):
    """How far the shares of a feature's baseline may be off, beside their sampling error.

    ``rank`` is the standard error of the share of values up to any number, ``weight`` the share of
    the rows that the heaviest item of the sketch stands for.

    The error of a compaction is one item or none, however many values a cell holds. So the share of
    a cell has the variance ``rank**2``, not one that grows with the share; a cell that holds fewer
    rows than an item has at most ``share * weight``, as if the sketch were a sample.
    """

    rank: float
    weight: float
