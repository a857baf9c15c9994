"""Chooses the vocabulary of a text feature, and the filter of the other values, from counts.

Values that are chosen by their counts are more frequent in the data that they were chosen by than
in later ones. So a choice must not depend on luck: it is made where few values are so close to it
that chance could have decided otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa

from detectors.arrays import Floats, Ints
from detectors.profiles.hashing import hashed
from detectors.profiles.rare_values import MAX_RARE, RareValues, keys_of

FEW_WORDS: Final = 120
"""A text feature of at most so many different values has all of them in its vocabulary."""
MAX_WORDS: Final = 1_000
"""The largest number of values in the vocabulary of a text feature."""
LEAST_COUNT: Final = 20
"""The smallest count of a word among many values."""
LEAST_SHARE: Final = 0.003
"""The smallest share of a word among many values."""
MOST_LUCK: Final = 0.5
"""The largest number of rows that a choice may owe to luck, in standard deviations of the rows of
all chosen values."""


def vocabulary_size(counts: Ints) -> int:
    """The number of values that get a bin of their own, from the counts of all in falling order.

    All of at most :data:`FEW_WORDS` values. Of more, the first :func:`certain_words` that have a
    count of 20 and a share of 0.3 %; all of those that have no counts, up to :data:`MAX_WORDS`.
    """
    total = int(counts.sum())
    if len(counts) <= FEW_WORDS or not total:
        return min(len(counts), MAX_WORDS)
    return certain_words(counts, max(float(LEAST_COUNT), LEAST_SHARE * total))


def certain_words(counts: Ints, least: float) -> int:
    """The largest number of leading values with counts of ``least`` that is not chosen by luck.

    ``counts`` are those of all values in falling order. Whether a value is one of the first k is
    luck if its count is near the cut c between the last of them and the next one. By the estimate
    of Good and Turing, the k values owe ``c * N`` rows to luck, N being the number of values of
    exactly c rows; it is taken from all values within two standard deviations of c. That may be
    half of a standard deviation of the rows of the k values.

    A few values far above a crowd of equally frequent ones are chosen, none of the crowd is:

    >>> certain_words(np.array([900, 500, *range(35, 5, -1)]), 20.0)
    2
    >>> certain_words(np.array([*range(35, 5, -1)]), 20.0)
    0
    """
    roots = np.sqrt(np.append(counts, 0).astype(np.float64))
    rising, new = roots[-2::-1], _unknown_values(counts)
    total = float(counts.sum())
    chosen = np.cumsum(counts)
    for k in range(int((counts >= least).sum()), 0, -1):
        cut = (roots[k - 1] + roots[k]) / 2.0
        near = np.searchsorted(rising, cut + 1.0, "right") - np.searchsorted(rising, cut - 1.0)
        near = float(near) + (new if cut <= 1.0 else 0.0)
        rows = cut * near / 4.0
        spread = np.sqrt(max(chosen[k - 1] * (1.0 - chosen[k - 1] / total), 1.0))
        if rows <= MOST_LUCK * spread:
            return k
    return 0


def _unknown_values(counts: Ints) -> float:
    """The number of values without a row, estimated from those of one and of two (Chao 1984)."""
    once, twice = float((counts == 1).sum()), float((counts == 2).sum())
    return once * (once - 1.0) / (2.0 * (twice + 1.0))


def rare_values(
    values: Sequence[tuple[str, int]], exact: bool = True
) -> RareValues | msgspec.UnsetType:
    """The filter of the values beyond a vocabulary, which come with counts, most frequent first.

    At most 65,536 values, of equal counts all or none; unset where each occurs once, as identifiers
    do. ``exact``: whether the counts are, and none of the values is left out.
    """
    counts = np.array([count for _, count in values], np.int64)
    kept = _kept(counts)
    if not kept or counts[0] <= 1:
        return msgspec.UNSET
    keys = keys_of(hashed(pa.array([value for value, _ in values[:kept]], pa.string())))
    complete = exact and kept == len(counts)
    last = 1 if complete else int(counts[kept - 1]) + (not exact)
    times = counts[:kept]
    return RareValues(
        np.unique(keys).tobytes(),
        _new_share(times.astype(np.float64), complete),
        lucky=int(times[times <= last].sum()),
        variance=float(counts[counts <= last].sum() + last * counts[counts == last + 1].sum()),
    )


def _kept(counts: Ints) -> int:
    """The number of values that fit into a filter, without a part of those of equal counts."""
    if len(counts) <= MAX_RARE:
        return len(counts)
    return int((counts > counts[MAX_RARE]).sum())


def _new_share(times: Floats, complete: bool) -> float:
    """The share of the rows of rare values that may turn out to be unseen ones, from their counts.

    The rows of new values are estimated by the ``s`` values that occur once, with a standard error
    of ``sqrt(s + 2 t)``, where ``t`` values occur twice (Good 1953): at most two standard errors
    more. In a filter that is not ``complete``, its rarest values were chosen among others by luck:
    those of the two lowest counts in it, by the same estimate.
    """
    once, twice = float((times == 1).sum()), float((times == 2).sum())
    rows = once + 2.0 * np.sqrt(once + 2.0 * twice)
    if not complete:
        rows = float(times[times <= times[-1] + 1].sum())
    return min(float(rows / times.sum()), 1.0)
