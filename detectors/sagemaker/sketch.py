"""The KLL sketch of SageMaker Model Monitor as data: levels of items, and what they stand for.

An item of level ``h`` stands for ``2**h`` rows. Model Monitor makes its sketches with deequ
(Karnin, Lang and Liberty 2016, with ``k = 2048`` and ``c = 0.64``): a level that is full is sorted,
and every second item of it moves up. The result depends on the order of the rows and on random
numbers. Here the levels of a sketch follow from the counts of the values alone: they have the sizes
that compaction gives them, and the items of each level are spread evenly over the sorted rows. So
the same rows give the same sketch, in any order and after any replay.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import ceil
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from detectors.arrays import Floats, Ints
from detectors.profiles.distinct import DistinctValues

K: Final = 2_048
"""The parameter ``k`` of the sketches in ``statistics.json``."""
C: Final = 0.64
"""The parameter ``c``: the capacity of a level in proportion to that of the level above it."""
REMEMBERED: Final = 64
"""The number of plans that are remembered: features of one window have the same rows, mostly."""

Levels = Sequence[Sequence[float]]
"""The items of each level, that of the single rows first."""


class Weighted(NamedTuple):
    """Different numbers in ascending order, and the weight of each."""

    values: Floats
    weights: Floats

    @property
    def total(self) -> float:
        """The sum of the weights; 0 without values."""
        return float(self.weights.sum())


def capacity(below_top: int) -> int:
    """The number of items at which a level is full, ``below_top`` levels below the highest.

    ``2 * (ceil(k * c**h / 2) + 1)`` for h levels below the highest one.

    >>> [capacity(h) for h in range(4)]
    [2050, 1314, 842, 540]
    """
    return 2 * (ceil(K * C**below_top / 2) + 1)


MOST_ROWS: Final = capacity(0)
"""Up to so many rows a sketch is the rows themselves, in a single level."""


def level_sizes(rows: int) -> list[int]:
    """The number of items in each level of the sketch of so many rows.

    They stand for exactly ``rows`` rows. Levels are compacted as soon as they are full; a new
    highest level begins with 1,025 items.

    >>> level_sizes(2_333)
    [283, 1025]
    """
    if rows <= MOST_ROWS:
        return [rows]
    half = MOST_ROWS // 2
    top = ((rows - 1) // half).bit_length() - 1
    arriving, sizes = rows - (half << top), []
    for level in range(top):
        full = capacity(top - level)
        sizes.append(arriving % full)
        arriving = arriving // full * (full // 2)
    return [*sizes, half + arriving]


class Plan(NamedTuple):
    """The items of the sketch of some number of rows, in the order of the rows that they cover.

    ``ranks`` are the positions of the items among the sorted rows, from 0, and ``levels`` their
    levels.
    """

    ranks: Floats
    levels: Ints


@lru_cache(maxsize=REMEMBERED)
def plan(rows: int) -> Plan:
    """Which of the sorted rows a sketch keeps, and at which level.

    The items of each level are spread evenly. An item covers ``2**level`` rows and is the one in
    their middle; of two in the middle it is the first or the second in turn.
    """
    sizes = level_sizes(rows)
    levels = np.repeat(np.arange(len(sizes)), sizes)
    within = np.concatenate([np.arange(size) for size in sizes])
    order = np.argsort((within + 0.5) / np.array(sizes)[levels], kind="stable")
    levels, within = levels[order], within[order]
    covered = np.int64(1) << levels
    ranks = (np.cumsum(covered) - covered + (covered - within % 2) // 2).astype(np.float64)
    for array in (ranks, levels):
        array.flags.writeable = False
    return Plan(ranks, levels)


def ranks_below(ends: Floats, ranks: Floats) -> Ints:
    """How many of the ranks, which are whole numbers, are smaller than each end; both are rising.

    Equal to ``np.searchsorted(ranks, ends)``, in a fifth of the time: a stable sort of numbers
    merges both. An end is the even number ``2 * ceil(end)``, a rank the odd one after ``2 * rank``.

    >>> ranks_below(np.array([0.0, 1.5, 2.0]), np.array([0.0, 1.0, 2.0])).tolist()
    [0, 2, 2]
    """
    both = np.empty(len(ends) + len(ranks), np.int64)
    both[: len(ends)] = 2.0 * np.ceil(ends)
    both[len(ends) :] = 2.0 * ranks + 1.0
    both.sort(kind="stable")
    places: Ints = (both & 1 == 0).nonzero()[0]
    return places - np.arange(len(ends))


def row_ends(counts: Ints, total: int) -> Floats:
    """The number of rows up to each of some values that are sorted.

    Where values were left out of a sample, the counts are scaled so that they add up to ``total``.
    """
    ends = np.cumsum(counts, dtype=np.float64)
    return ends if not len(ends) or ends[-1] == total else ends * (total / ends[-1])


def levels_of(found: DistinctValues) -> list[list[float]]:
    """The levels of the sketch of the numbers behind a sample; one level without an item for none.

    Up to 2,050 rows all of them, in ascending order. The items stand for exactly ``found.total``
    rows. Where values were left out of the sample, the others stand for them
    (:func:`row_ends`): ranks are then those of a sample of 2,048 different values, with a standard
    error of up to 1.1 %. Raises ``TypeError`` for texts.

    >>> from detectors.profiles.distinct import of_numbers
    >>> levels_of(of_numbers(np.array([1.0, 2.0, 2.0])))
    [[1.0, 2.0, 2.0]]
    """
    if isinstance(found.values, pa.Array):
        raise TypeError("texts have no sketch")
    order = np.argsort(found.values)
    ends = row_ends(found.counts[order], found.total)
    return levels_of_rows(found.values[order], ends, found.total)


def levels_of_rows(values: Floats, ends: Floats, total: int) -> list[list[float]]:
    """The levels of the sketch of ``total`` rows that are sorted.

    ``values`` are the different ones in ascending order, ``ends`` the number of rows up to each.
    """
    items, levels = plan(total)
    place = np.minimum(np.searchsorted(ends, items, side="right"), len(values) - 1)
    kept = values[place]
    return [kept[levels == level].tolist() for level in range(len(level_sizes(total)))]


def distinct_items(levels: Levels) -> Weighted:
    """The different items of a sketch, each with the weight of all its occurrences.

    NaN and infinite items are left out. Without an item both arrays are empty.

    >>> distinct_items([[1.0, 1.0], [1.0, 2.0]])
    Weighted(values=array([1., 2.]), weights=array([4., 2.]))
    """
    items, weights = _flat(levels)
    values, place = np.unique(items, return_inverse=True)
    together: Floats = np.bincount(place, weights, minlength=len(values)).astype(np.float64)
    return Weighted(values, together)


def highest_items(levels: Levels) -> Weighted:
    """The different items of a sketch, each with the weight of its highest level alone.

    So Model Monitor reads a sketch, see :mod:`detectors.sagemaker.distances`.

    >>> highest_items([[1.0, 1.0], [1.0, 2.0]])
    Weighted(values=array([1., 2.]), weights=array([2., 2.]))
    """
    items, weights = _flat(levels)
    values, place = np.unique(items, return_inverse=True)
    highest = np.zeros(len(values))
    highest[place] = weights  # of several assignments to one place the last one stays
    return Weighted(values, highest)


def rank_error(levels: Levels) -> float:
    """The standard error of a rank that a sketch gives, as a share of its rows.

    ``sqrt(sum(k_h * 4**h / 2)) / n`` over the levels: a compaction of level ``h`` moves a rank by
    ``2**h`` rows in one of two cases, and ``k_h`` compactions of full levels carried the rows that
    are above it. A sketch with fewer than 1,024 items in its highest level was made by a version
    of deequ that counts ``h`` of :func:`capacity` from the lowest level. 0 for a single level,
    which is exact, and without items.

    >>> rank_error([[1.0, 2.0]]), round(rank_error([[0.0] * 283, [0.0] * 1025]), 5)
    (0.0, 0.00038)
    """
    rows = np.array([len(level) << h for h, level in enumerate(levels)], np.float64)
    if len(rows) < 2 or not rows.sum():
        return 0.0
    top = len(rows) - 1
    from_top = len(levels[top]) >= K // 2
    full = np.array([capacity(top - h if from_top else h) for h in range(top)])
    above = rows[::-1].cumsum()[::-1][1:]
    moved = 2.0 ** np.arange(top)
    return float(np.sqrt((above / (moved * full) * moved**2 / 2.0).sum()) / rows.sum())


def _flat(levels: Levels) -> tuple[Floats, Floats]:
    """All finite items, level by level, and the weight of each."""
    items = np.concatenate([np.empty(0), *(np.asarray(level, np.float64) for level in levels)])
    weights = np.repeat(2.0 ** np.arange(len(levels)), [len(level) for level in levels])
    finite = np.isfinite(items)
    return items[finite] + 0.0, weights[finite]
