"""The quality of a multiclass model as the calibrated scores of its answers promise it (CBPE)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.quality.calibration import Calibration, CalibrationTable, bin_of
from detectors.quality.counts import QualityCounts
from detectors.quality.estimates.base import counts_of_cells, share_estimate
from detectors.quality.rows import LabelledRows
from detectors.quality.weighted_scores import BETAS, weighted_f_score
from detectors.quality_report import EstimateReport, EstimateSection


class _Answer(NamedTuple):
    """The predictions of one class: rows by bin, expected cells of their true classes, and noise.

    ``wrong`` is the distribution of the true class where the answer is wrong, from ``wrong_rows``
    rows of the baseline.
    """

    position: int
    rows: Floats
    table: CalibrationTable
    wrong: Floats
    wrong_rows: int

    @property
    def expected(self) -> Floats:
        """The expected number of rows by true class."""
        right = float(self.rows @ np.array(self.table.shares))
        cells: Floats = self.wrong * (self.rows.sum() - right)
        cells[self.position] += right
        return cells


class MulticlassEstimator:
    """Expected confusion matrix of predictions with the calibrated score of the predicted class.

    An answer k with a score in bin b is right with the calibrated probability ``p[k, b]``. Only the
    score of the predicted class is known; where the answer is wrong, the true class is distributed
    as among the wrong answers k of the baseline (without any: as the other classes of the
    baseline). Accuracy does not depend on this, the weighted metrics do. Metrics are those of the
    expected matrix, weighted by the expected rows of the true classes.

    The variance is that of the delta method over the chance of the labels, the error of the table
    (per block of equal probability, as in
    :class:`~detectors.quality.estimates.binary.BinaryEstimator`), and the error of the
    distribution of wrong answers.

    Predictions without a score are left out.
    """

    def __init__(
        self,
        calibration: Calibration,
        classes: Sequence[str],
        confusion: Mapping[str, Mapping[str, int]],
    ) -> None:
        self._calibration = calibration
        self._classes = tuple(classes)
        self._confusion = confusion

    def tally_predictions(
        self, rows: LabelledRows, group: Ints, groups: int
    ) -> list[QualityCounts]:
        """Count cells ``code * (bins + 1) + bin``; without a score the bin is the last one."""
        bins = self._calibration.bins + 1
        cells = rows.prediction.astype(np.int64) * bins
        cells += bin_of(rows.probability, self._calibration.edges)
        return counts_of_cells(cells, rows.weight, group, groups)

    def estimate(
        self, counts: QualityCounts, class_names: Sequence[str], confidence: float
    ) -> EstimateSection:
        """See :class:`~detectors.quality.estimates.base.Estimator`."""
        answers = self._answers(counts, class_names)
        width = len({*self._classes, *class_names})
        matrix = np.zeros((width, width))
        for answer in answers:
            matrix[:, answer.position] = answer.expected
        n = round(matrix.sum())
        accuracy = float(np.trace(matrix)) / n if n else float("nan")
        flat = (np.eye(width) - accuracy) / max(n, 1)
        found = {"accuracy": (accuracy, flat), "weighted_recall": (accuracy, flat)}
        found |= {name: weighted_f_score(matrix, beta) for name, beta in BETAS.items()}
        metrics = [
            _report(name, value, slopes, answers, n, confidence)
            for name, (value, slopes) in found.items()
        ]
        return EstimateSection(method="cbpe", metrics=tuple(metrics))

    def _answers(self, counts: QualityCounts, class_names: Sequence[str]) -> list[_Answer]:
        """The answers that occur, each at the position of its class among all known classes."""
        names = list(dict.fromkeys((*self._classes, *class_names)))
        code, bins = np.divmod(counts.cells, self._calibration.bins + 1)
        scored = bins < self._calibration.bins
        answers = []
        for each in np.unique(code[scored]).tolist():
            chosen = scored & (code == each)
            rows = np.bincount(bins[chosen], counts.counts[chosen], self._calibration.bins)
            name = class_names[each]
            wrong, wrong_rows = self._wrong(name, names)
            table = self._calibration.table(name)
            answers.append(
                _Answer(names.index(name), rows.astype(np.float64), table, wrong, wrong_rows)
            )
        return answers

    def _wrong(self, predicted: str, names: Sequence[str]) -> tuple[Floats, int]:
        """The distribution of the true class where ``predicted`` is wrong, and its rows."""
        others = np.array(
            [
                0 if name == predicted else self._confusion.get(name, {}).get(predicted, 0)
                for name in names
            ]
        )
        rows = int(others.sum())
        if not rows:
            others = np.array(
                [
                    0 if name == predicted else sum(self._confusion.get(name, {}).values())
                    for name in names
                ]
            )
        total = others.sum()
        return others / max(float(total), 1.0), rows


def _report(
    name: str, value: float, slopes: Floats, answers: Sequence[_Answer], n: int, confidence: float
) -> EstimateReport:
    variance = sum(_variance(answer, slopes[:, answer.position]) for answer in answers)
    return share_estimate(name, value, variance, n, confidence)


def _variance(answer: _Answer, slopes: Floats) -> float:
    """The part of the variance of a metric that the predictions of one class add."""
    table = answer.table
    blocks = table.blocks
    block_rows = np.bincount(blocks, np.array(table.rows))
    shares = (np.array(table.shares) * block_rows[blocks] + 1) / (block_rows[blocks] + 2)
    mean_wrong = float(answer.wrong @ slopes)
    spread_wrong = float(answer.wrong @ (slopes - mean_wrong) ** 2)
    step = (slopes[answer.position] - mean_wrong) ** 2
    labels = answer.rows @ (step * shares * (1 - shares) + (1 - shares) * spread_wrong)
    rows = np.bincount(blocks, answer.rows)
    share = shares[np.searchsorted(blocks, np.arange(len(rows)))]
    of_table = (rows**2 * share * (1 - share) / np.maximum(block_rows, 1)).sum() * step
    wrong_rows = float(answer.rows @ (1 - shares))
    return float(labels + of_table + wrong_rows**2 * spread_wrong / max(answer.wrong_rows, 1))
