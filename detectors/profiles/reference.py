"""What the files of SageMaker Model Monitor say of a feature of the baseline beyond its counts."""

from __future__ import annotations

import msgspec


class Reference(msgspec.Struct, frozen=True):
    """The sketch of a feature of numbers, or the categories of a feature of text.

    ``levels`` are those of the KLL sketch in ``statistics.json``: an item of level ``i`` stands for
    ``2**i`` values. ``categories`` are the counts by value; ``None`` where the file has none, as it
    does for a column of many values.
    """

    levels: tuple[tuple[float, ...], ...] = ()
    categories: dict[str, int] | None = None
