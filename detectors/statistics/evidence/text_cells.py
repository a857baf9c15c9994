"""The cells that a text feature is compared by, and its estimate of values that are not known."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from detectors.arrays import Ints, Mask
from detectors.profiles.hashing import class_beyond
from detectors.profiles.layout import HASHED_BINS, Feature
from detectors.profiles.vocabulary_choice import (
    FEW_WORDS,
    LEAST_COUNT,
    LEAST_SHARE,
    certain_words,
)

OLD_CAUTION: Final = 3.0
"""The variance of the estimate of a filter of 0.1.0, which states none, in rows of the estimate."""


def text_cells(feature: Feature, bins: Ints) -> Ints:
    """The cell of each bin of a text feature, from the baseline's counts of its bins.

    Each certain word has a cell. All other values share 64 cells by their hash, known or not, or a
    single cell where the vocabulary has all values: so that none of these cells depends on which
    values the baseline happens to have. Where a feature has patterns, these cells are theirs.
    """
    known = len(feature.vocabulary)
    certain = _certain(bins, known)
    cells = np.full(feature.bins, len(certain), np.int64)
    beyond = not feature.rare_bins and bool(bins[known:].any())
    if feature.rare_bins == HASHED_BINS or beyond or feature.patterns:
        words = class_beyond(feature, pa.array(feature.vocabulary, pa.string()))
        classes = np.arange(feature.bins - known) % HASHED_BINS
        cells += np.concatenate((words, classes))
    cells[certain] = np.arange(len(certain))
    return cells


def beyond_patterns(feature: Feature) -> Mask:
    """Which bins beyond the vocabulary are of patterns that the baseline hardly has, if of any."""
    classes = np.arange(feature.bins - len(feature.vocabulary)) % HASHED_BINS
    if not feature.patterns:
        return np.zeros(len(classes), bool)
    other: Mask = classes >= len(feature.patterns.known)
    return other


def _certain(bins: Ints, known: int) -> Ints:
    """The words whose place in the vocabulary is no luck, in the order of their bins."""
    words, beyond = bins[:known], bool(bins[known:].any())
    if known <= FEW_WORDS and beyond:
        return np.arange(known)
    least = 1.0
    if known > FEW_WORDS:
        least = max(float(LEAST_COUNT), LEAST_SHARE * float(bins.sum()))
    order = np.argsort(-words, kind="stable")
    return np.sort(order[: certain_words(words[order], least)])


class UnseenRows(NamedTuple):
    """What the baseline says about values that it does not know.

    ``rows`` of ``total`` rows are to be expected. Their sampling error is that of a binomial count.
    """

    rows: float
    total: float


def unseen_rows(feature: Feature, bins: Ints) -> UnseenRows:
    """Rows of values that the baseline would not know had each value one row less.

    With ``s`` values of one row and ``t`` of two among m rows, unknown values have a share of about
    ``s / m``, with a variance of ``(s + 2 t - s**2 / m) / m**2``; ``total`` is less than m where
    that is more than the variance of a binomial share. Source: Good 1953; Esty 1983.

    >>> from detectors.profiles.binning import text_feature
    >>> words = text_feature("t", "feature", {"a": 7, "b": 1})
    >>> unseen_rows(words, np.array([7, 1, *[0] * HASHED_BINS]))
    UnseenRows(rows=1.0, total=8.0)
    """
    known = len(feature.vocabulary)
    m = float(bins.sum())
    beyond = float(bins[known : known + HASHED_BINS].sum())
    lucky, variance = _lucky(feature, bins)
    rows = min(beyond + lucky, m)
    if not m:
        return UnseenRows(0.0, 0.0)
    of_binomial = rows * (1.0 - rows / m) + 1.0
    weight = of_binomial / max(max(variance, rows) - rows * rows / m + 1.0, of_binomial)
    return UnseenRows(rows * weight, m * weight)


def unseen_in_season(feature: Feature, whole: Ints, bins: Ints) -> float:
    """Rows of a season that the baseline would not know had each value one row less.

    ``whole`` are the baseline's counts of the bins of a text feature, ``bins`` those of the season:
    its share of the values that owe to luck that they are known, and the values that are not.
    Of the whole baseline it is the ``rows`` of :func:`unseen_rows`, over its trust in them.
    """
    known = len(feature.vocabulary)
    beyond = float(bins[known : known + HASHED_BINS].sum())
    if isinstance(feature.rare, msgspec.UnsetType):
        lucky = float(bins[:known][whole[:known] <= _last_lucky(feature, whole)].sum())
    else:
        rare = float(whole[known + HASHED_BINS :].sum())
        share = float(bins[known + HASHED_BINS :].sum()) / rare if rare else 0.0
        lucky = _lucky(feature, whole)[0] * share
    return min(beyond + lucky, float(bins.sum()))


def _lucky(feature: Feature, bins: Ints) -> tuple[float, float]:
    """Rows of known values that owe to luck that they are, and the variance of their estimate."""
    words = bins[: len(feature.vocabulary)]
    rare = feature.rare
    if not isinstance(rare, msgspec.UnsetType):
        if isinstance(rare.lucky, msgspec.UnsetType) or isinstance(
            rare.variance, msgspec.UnsetType
        ):
            rows = rare.new_share * float(bins[-1])
            return rows, OLD_CAUTION * rows
        return float(rare.lucky), rare.variance
    last = _last_lucky(feature, bins)
    rows = float(words[words <= last].sum())
    return rows, rows + last * float(words[words == last + 1].sum())


def _last_lucky(feature: Feature, bins: Ints) -> int:
    """The rows up to which a word without a filter owes to luck that it is known."""
    words = bins[: len(feature.vocabulary)]
    beyond = bool(bins[len(words) :].any())
    if beyond and len(words) > FEW_WORDS and words.min() < LEAST_COUNT:
        return int(words.min()) + 1  # a vocabulary of 0.1.0, cut after its 1,000th word
    return 1
