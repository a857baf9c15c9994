"""Metrics of the order of scores, from their histogram by class.

The area under the ROC curve (AUC) is the probability that a positive row has a higher score than a
negative one, ties counted half. A histogram decides all pairs in different bins. Of those within a
bin half is counted, so that the error is at most half of their share. It is 0 in a bin whose
scores have the same distribution in both classes, such as one with a single value: then the means
of a hash of the scores are equal, which other scores satisfy with a chance of ``2**-32``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Floats, Ints
from detectors.quality.cells import SCORE_MARK, SCORES, CellTable, Entries, entries
from detectors.quality.score_grid import ScoreGrid


class ScoreHistogram(NamedTuple):
    """Rows by bin of the score, from low to high: those of each class, and sums of hashes.

    ``foreign`` is the number of rows that were counted in the bins of another grid.
    """

    negative: Ints
    positive: Ints
    negative_mark: Ints
    positive_mark: Ints
    foreign: int


class Area(NamedTuple):
    """An AUC, the most by which it can be wrong, and its sampling variance (``None``: unknown)."""

    value: float
    error_bound: float
    variance: float | None


def score_entries(
    grid: ScoreGrid, group: Ints, scores: Floats, label: Ints, weight: Ints
) -> list[Entries]:
    """Return the entries of rows with a score; ``label`` is 1 for positive rows, else 0."""
    body = (grid.number << 16) + 2 * grid.bins_of(scores) + label
    return [
        entries(SCORES, group, body, weight),
        entries(SCORE_MARK, group, body, weight * _hashes(scores)),
    ]


def histogram_of(table: CellTable, grid: ScoreGrid) -> ScoreHistogram:
    """Return the histogram of the scores that were counted in the bins of ``grid``."""
    body, counts = table.of(SCORES)
    dense = _dense(body, counts, grid)
    marks = _dense(*table.of(SCORE_MARK), grid)
    used = (dense != 0).any(axis=1)
    foreign = int(counts.sum() - dense.sum())
    return ScoreHistogram(dense[used, 0], dense[used, 1], marks[used, 0], marks[used, 1], foreign)


def area_under_roc(scores: ScoreHistogram) -> Area:
    """Return the AUC; both classes must have rows.

    The variance is that of DeLong: the variance of the share of negatives below a positive, over
    the positives, plus the variance of the share of positives above a negative, over the
    negatives. With fewer than two rows of a class it is that of Hanley and McNeil.

    Sources: E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson, Comparing the areas under two or
    more correlated ROC curves, Biometrics 44, 1988; J. A. Hanley and B. J. McNeil, The meaning and
    use of the area under a ROC curve, Radiology 143, 1982.
    """
    p, q = scores.positive.astype(np.float64), scores.negative.astype(np.float64)
    positives, negatives = p.sum(), q.sum()
    below = (np.cumsum(q) - q / 2) / negatives
    above = 1.0 - (np.cumsum(p) - p / 2) / positives
    value = float(np.clip(p @ below / positives, 0.0, 1.0))
    undecided = p * q * ~_alike(scores)
    bound = float(undecided.sum() / (2 * positives * negatives))
    if min(positives, negatives) < 2:
        return Area(value, bound, _hanley_mcneil(value, positives, negatives))
    of_positives = p @ (below - value) ** 2 / (positives - 1) / positives
    of_negatives = q @ (above - value) ** 2 / (negatives - 1) / negatives
    return Area(value, bound, float(of_positives + of_negatives))


def average_precision(scores: ScoreHistogram) -> float:
    """Return the area under the precision-recall curve; there must be positive rows.

    ``sum((R[k] - R[k - 1]) P[k])`` over the bins from the highest score down: the average
    precision of the scores if those of a bin were equal.
    """
    p, q = scores.positive[::-1].astype(np.float64), scores.negative[::-1].astype(np.float64)
    found, taken = np.cumsum(p), np.cumsum(p + q)
    area = float(p @ (found / np.maximum(taken, 1)) / found[-1])
    return min(area, 1.0)  # the sum is rounded


def _dense(body: Ints, counts: Ints, grid: ScoreGrid) -> Ints:
    """Return the counts by bin and class of the cells of a grid."""
    dense = np.zeros(2 * (len(grid.edges) + 1), np.int64)
    first, end = np.searchsorted(body, [grid.number << 16, (grid.number + 1) << 16])
    dense[body[first:end] & 0xFFFF] = counts[first:end]
    return dense.reshape(-1, 2)


def _alike(scores: ScoreHistogram) -> NDArray[np.bool_]:
    """Return for which bins the mean hash is the same in both classes; integers modulo 2**64."""
    ours = scores.positive.view(np.uint64) * scores.negative_mark.view(np.uint64)
    theirs = scores.negative.view(np.uint64) * scores.positive_mark.view(np.uint64)
    alike: NDArray[np.bool_] = ours == theirs
    return alike


def _hanley_mcneil(area: float, positives: float, negatives: float) -> float:
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    more = (positives - 1) * (q1 - area**2) + (negatives - 1) * (q2 - area**2)
    return float((area * (1 - area) + more) / (positives * negatives))


def _hashes(scores: Floats) -> Ints:
    """Return 32 bits of each score's hash (the finaliser of SplitMix64); 0.0 and -0.0 are equal."""
    bits = (scores + 0.0).view(np.uint64)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (bits >> np.uint64(32)).astype(np.int64)
