"""Metrics of binary classifiers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from detectors.arrays import Ints
from detectors.quality.base import Measured, Metric
from detectors.quality.cells import (
    CODE_BITS,
    CONFUSION,
    EXCLUDED,
    CellTable,
    delay_entries,
    delay_quantiles_s,
    entries,
    is_code,
    tallied,
)
from detectors.quality.counts import QualityCounts
from detectors.quality.custom import CustomMetrics
from detectors.quality.f_score import BETAS, f_score, f_variance
from detectors.quality.intervals import defined, of_bounded, share_metric, undefined
from detectors.quality.probability_metrics import (
    probability_entries,
    probability_metrics,
    probability_sums,
)
from detectors.quality.rows import LabelledRows
from detectors.quality.score_grid import ScoreGrid
from detectors.quality.score_histogram import (
    area_under_roc,
    average_precision,
    histogram_of,
    score_entries,
)


class Confusion(NamedTuple):
    """The counts of a binary confusion matrix."""

    hits: int
    false_alarms: int
    misses: int
    rejections: int

    @property
    def rows(self) -> int:
        """The number of all rows."""
        return sum(self)

    @property
    def positives(self) -> int:
        """The rows whose label is positive."""
        return self.hits + self.misses

    @property
    def negatives(self) -> int:
        """The rows whose label is negative."""
        return self.false_alarms + self.rejections


class BinaryQuality:
    """A binary problem: codes 1 (positive) and 0 (negative), with scores or without.

    Rows whose prediction or label is neither 1 nor 0 are in no metric. A row without a score (NaN)
    is in the confusion matrix and in no metric of scores. Scores below 0 or above 1, which are no
    probabilities, have an order: AUC and PR-AUC count them, and the others are undefined.
    """

    def __init__(self, grid: ScoreGrid, custom: CustomMetrics) -> None:
        self._grid = grid
        self._custom = custom

    def tally(self, rows: LabelledRows, group: Ints, groups: int) -> list[QualityCounts]:
        """Return the counts of each group; ``group`` has a number below ``groups`` for each row."""
        known = is_code(rows.prediction, 2) & is_code(rows.label, 2)
        excluded = entries(EXCLUDED, group[~known], 0, rows.weight[~known])
        kept = rows.where(known)
        of = group[known]
        label = kept.label.astype(np.int64)
        confused = (label << CODE_BITS) + kept.prediction.astype(np.int64)
        scored = ~np.isnan(kept.probability)
        score = (of[scored], kept.probability[scored], label[scored], kept.weight[scored])
        parts = [
            excluded,
            entries(CONFUSION, of, confused, kept.weight),
            delay_entries(of, kept.delay_ms, kept.weight),
            *score_entries(self._grid, *score),
            *probability_entries(*score),
        ]
        counts = tallied(parts, probability_sums(*score, groups), groups)
        return self._custom.tallied(counts, kept, of)

    def merge(self, parts: Sequence[QualityCounts]) -> QualityCounts:
        """Return the sum of some counts, custom metrics included; empty for no parts."""
        return self._custom.merged(QualityCounts.total(parts), parts)

    def measure(
        self, counts: QualityCounts, class_names: Sequence[str], confidence: float
    ) -> Measured:
        """Return the metrics; ``class_names`` are the negative and the positive one."""
        table = CellTable(counts)
        matrix = confusion_of(table)
        metrics = (
            *rates(matrix, confidence),
            *f_scores(matrix, confidence),
            *self._ranking(table, confidence),
            *probability_metrics(table, counts.sums, confidence),
            *best_constant(matrix, confidence),
            *self._custom.metrics(counts.custom, matrix.rows),
        )
        negative, positive = (*class_names, "0", "1")[:2] if len(class_names) > 1 else ("0", "1")
        named = {
            negative: {negative: matrix.rejections, positive: matrix.false_alarms},
            positive: {negative: matrix.misses, positive: matrix.hits},
        }
        return Measured(matrix.rows, metrics, named, {}, delay_quantiles_s(table))

    def _ranking(self, table: CellTable, confidence: float) -> Iterator[Metric]:
        """Return AUC and PR-AUC.

        The interval of the AUC is Wilson's for DeLong's variance, widened by the error of the
        histogram at both ends. That of PR-AUC is Wilson's for a share of the positive rows: the
        binomial interval of K. Boyd, K. H. Eng and C. D. Page, Area under the precision-recall
        curve: point estimates and confidence intervals, ECML PKDD 2013.
        """
        scores = histogram_of(table, self._grid)
        positives, negatives = int(scores.positive.sum()), int(scores.negative.sum())
        n = positives + negatives
        reason = _no_ranking(scores.foreign, positives, negatives)
        if reason:
            yield undefined("auc", n, reason)
            yield undefined("pr_auc", n, reason)
            return
        area = area_under_roc(scores)
        fewest = min(positives, negatives)
        limits = of_bounded(area.value, area.variance, fewest, confidence, area.error_bound)
        yield defined("auc", area.value, limits, n)
        precision = average_precision(scores)
        variance = precision * (1 - precision) / positives
        yield defined(
            "pr_auc", precision, of_bounded(precision, variance, positives, confidence), n
        )


def confusion_of(table: CellTable) -> Confusion:
    """Return the binary confusion matrix of some counts."""
    body, counts = table.of(CONFUSION)
    cells = dict(zip(body.tolist(), counts.tolist(), strict=True))
    positive = 1 << CODE_BITS
    return Confusion(
        hits=cells.get(positive + 1, 0),
        false_alarms=cells.get(1, 0),
        misses=cells.get(positive, 0),
        rejections=cells.get(0, 0),
    )


def rates(matrix: Confusion, confidence: float) -> Iterator[Metric]:
    """Return the metrics that are shares of rows, with Wilson's intervals."""
    hits, alarms, misses, rejections = matrix
    positives, negatives = matrix.positives, matrix.negatives
    no_positives, no_negatives = "no positive labels", "no negative labels"
    predicted = hits + alarms
    yield share_metric("accuracy", hits + rejections, matrix.rows, confidence, "no labels")
    yield share_metric("precision", hits, predicted, confidence, "no positive predictions")
    yield share_metric("recall", hits, positives, confidence, no_positives)
    yield share_metric("true_positive_rate", hits, positives, confidence, no_positives)
    yield share_metric("true_negative_rate", rejections, negatives, confidence, no_negatives)
    yield share_metric("false_positive_rate", alarms, negatives, confidence, no_negatives, "worse")
    yield share_metric("false_negative_rate", misses, positives, confidence, no_positives, "worse")


def f_scores(matrix: Confusion, confidence: float, suffix: str = "") -> Iterator[Metric]:
    """Return the F-scores, with Wilson's intervals for the variance of the delta method.

    For F1 this is the interval of ``TP / (TP + FP + FN)``, a share of rows, to first order.
    """
    hits, alarms, misses, _ = matrix
    for name, beta in BETAS.items():
        value = f_score(hits, alarms, misses, beta)
        if value is None:
            reason = "no positive labels and no positive predictions"
            yield undefined(name + suffix, 0, reason)
            continue
        variance = f_variance(hits, alarms, misses, beta)
        interval = of_bounded(value, variance, hits + alarms + misses, confidence)
        yield defined(name + suffix, value, interval, matrix.rows)


def best_constant(matrix: Confusion, confidence: float) -> Iterator[Metric]:
    """Return the metrics of a classifier that always answers the class with the most labels.

    With as many of both it answers the negative class.
    """
    suffix = "_best_constant_classifier"
    positives, negatives = matrix.positives, matrix.negatives
    constant = (
        Confusion(positives, negatives, 0, 0)
        if positives > negatives
        else Confusion(0, 0, positives, negatives)
    )
    of_rates = {metric.name: metric for metric in rates(constant, confidence)}
    for name in ("recall", "precision", "accuracy"):
        yield of_rates[name]._replace(name=name + suffix)
    yield from f_scores(constant, confidence, suffix)


def _no_ranking(foreign: int, positives: int, negatives: int) -> str:
    """Return why scores have no AUC; empty if they have."""
    if foreign:
        return f"{foreign} scores were counted in the bins of another baseline"
    if not positives + negatives:
        return "no scores"
    if not positives:
        return "no positive labels among the rows with a score"
    return "" if negatives else "no negative labels among the rows with a score"
