"""The levels of a feature for counts of pairs: up to four groups of its values."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Floats, Ints

LEVELS: Final = 4
"""The largest number of levels of a feature: quarters of its values, where these allow it."""
LEAST_SHARE: Final = 0.02
"""The smallest share of the baseline's values that a level may have."""


class JointLevels(msgspec.Struct, frozen=True):
    """The levels of one feature, numbered from 0.

    A number has one level more than there are ``cuts`` at or below it. A text has the level of its
    word in ``of_words``, in the order of the vocabulary, or ``of_others`` if it is another one. A
    missing or unreadable value has none.
    """

    cuts: tuple[float, ...] = ()
    of_words: tuple[int, ...] = ()
    of_others: int = 0

    @property
    def count(self) -> int:
        """The number of levels; 1 where the feature cannot depend on any other."""
        return 1 + (len(self.cuts) or max((*self.of_words, self.of_others)))

    def problem(self, words: int) -> str:
        """What is wrong with the levels of a feature of so many words; empty for valid ones."""
        cuts = np.asarray(self.cuts)
        if not np.isfinite(cuts).all() or not (cuts[1:] > cuts[:-1]).all():
            return "cuts of levels must be rising finite numbers"
        levels = (len(self.cuts), *self.of_words, self.of_others)
        if min(levels) < 0 or max(levels) >= LEVELS:
            return f"a feature has at most {LEVELS} levels"
        return "" if len(self.of_words) == words else "each word must have a level"


def levels_of_numbers(edges: Floats, counts: Ints) -> JointLevels:
    """The levels of a numeric feature: cut at the edges nearest to its quartiles.

    ``counts`` are those of its bins in the baseline. A cut leaves at least :data:`LEAST_SHARE` of
    the values on both of its sides; a feature without such an edge, or without values, has one
    level.

    >>> levels_of_numbers(np.array([1.0, 2.0, 3.0, 4.0]), np.array([10, 20, 30, 39, 1])).cuts
    (2.0, 3.0)
    """
    total = int(counts.sum())
    if not total:
        return JointLevels()
    below = np.cumsum(counts[:-1]) / total
    usable = np.flatnonzero((below >= LEAST_SHARE) & (below <= 1.0 - LEAST_SHARE))
    if not len(usable):
        return JointLevels()
    chosen: list[int] = []
    for quantile in np.arange(1, LEVELS) / LEVELS:
        nearest = int(usable[np.argmin(np.abs(below[usable] - quantile))])
        if not chosen or below[nearest] - below[chosen[-1]] >= LEAST_SHARE:
            chosen.append(nearest)
    return JointLevels(cuts=tuple(edges[chosen].tolist()))


def levels_of_words(counts: Ints, words: int) -> JointLevels:
    """The levels of a text feature: its words spread over levels of shares as equal as possible.

    ``counts`` are those of its bins in the baseline, the first ``words`` of them of the vocabulary.
    The most frequent first, each goes to the level with the smallest share so far; all other texts
    go to one level together. Without values all have one level.
    """
    of_bins = np.append(counts[:words], counts[words:].sum())
    filled = np.zeros(LEVELS, np.int64)
    level = np.zeros(len(of_bins), np.int64)
    for b in np.argsort(-of_bins, kind="stable").tolist():
        level[b] = int(np.argmin(filled))
        filled[level[b]] += of_bins[b]
    large = np.flatnonzero(filled >= max(LEAST_SHARE * filled.sum(), 1))
    number = np.full(LEVELS, max(len(large) - 1, 0))
    number[large] = np.arange(len(large))
    chosen = number[level].tolist()
    return JointLevels(of_words=tuple(chosen[:-1]), of_others=chosen[-1])
