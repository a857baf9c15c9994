"""The quality of a binary classifier as its calibrated scores promise it (CBPE)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.quality.calibration import Calibration, bin_of
from detectors.quality.cell_ratios import RATIOS, gradient, ratio
from detectors.quality.counts import QualityCounts
from detectors.quality.estimates.base import counts_of_cells, share_estimate
from detectors.quality.rows import LabelledRows
from detectors.quality_report import EstimateReport, EstimateSection


class BinaryEstimator:
    """Expected confusion cells of predictions with calibrated scores.

    A prediction in score bin b is positive with the calibrated probability ``p_b``. With
    ``N[b, a]`` predictions of answer a, the expected cells are ``TP = sum(N[b, 1] p_b)``,
    ``FP = sum(N[b, 1] (1 - p_b))``, ``FN = sum(N[b, 0] p_b)``, ``TN = sum(N[b, 0] (1 - p_b))``;
    metrics are those of the expected cells. AUC is the share of pairs in which the positive row has
    the higher score, expected over the same probabilities, pairs in one bin counting half
    (confidence-based performance estimation: J. Bialek, W. Kuberski, N. Perrakis and A. Bifet,
    Estimating Model Performance Under Covariate Shift Without Labels, 2024; NannyML, CBPE).

    The variance is that of the delta method: with ``g[b, a]`` the change of the metric when the
    label of one row turns positive, ``sum(N g**2 p (1 - p))`` for the chance of the labels, and for
    the table ``sum over blocks of (sum in block of N g)**2 p (1 - p) / m`` with the m baseline rows
    of the block. In variances p is ``(k + 1) / (m + 2)`` for k positive of m rows (Laplace), so
    that a block without one positive row is not taken for certain.

    Predictions without a score are left out of ``n`` and of the estimates.
    """

    def __init__(self, calibration: Calibration) -> None:
        table = calibration.table("")
        self._edges = calibration.edges
        self._bins = calibration.bins
        self._shares = np.array(table.shares)
        self._blocks = table.blocks
        rows = np.bincount(self._blocks, np.array(table.rows))
        self._block_rows = np.maximum(rows, 1.0)
        positive = (self._shares * rows[self._blocks] + 1) / (rows[self._blocks] + 2)
        self._spread = positive * (1 - positive)

    def tally_predictions(
        self, rows: LabelledRows, group: Ints, groups: int
    ) -> list[QualityCounts]:
        """Count cells ``2 * bin + answer``; a row without a score is in the bin after the last."""
        cells = 2 * bin_of(rows.probability, self._edges) + (rows.prediction == 1)
        return counts_of_cells(cells, rows.weight, group, groups)

    def estimate(
        self, counts: QualityCounts, class_names: Sequence[str], confidence: float
    ) -> EstimateSection:
        """See :class:`~detectors.quality.estimates.base.Estimator`; names are not needed."""
        answers = np.zeros((self._bins + 1) * 2)
        answers[counts.cells] = counts.counts
        answers = answers.reshape(-1, 2)[:-1]
        n = int(answers.sum())
        shares = self._shares[:, None]
        (fn, tp), (tn, fp) = (answers * shares).sum(0), (answers * (1 - shares)).sum(0)
        cells = np.array([tp, fp, fn, tn])
        metrics = [self._ratio(name, answers, cells, n, confidence) for name in RATIOS]
        metrics.append(self._auc(answers.sum(1), n, confidence))
        return EstimateSection(method="cbpe", metrics=tuple(metrics))

    def _ratio(
        self, name: str, answers: Floats, cells: Floats, n: int, confidence: float
    ) -> EstimateReport:
        by_tp, by_fp, by_fn, by_tn = gradient(name, cells)
        slopes = np.broadcast_to(np.array([by_fn - by_tn, by_tp - by_fp]), answers.shape)
        return share_estimate(
            name, ratio(name, cells), self._variance(answers, slopes), n, confidence
        )

    def _auc(self, rows: Floats, n: int, confidence: float) -> EstimateReport:
        positives, negatives = rows * self._shares, rows * (1 - self._shares)
        p, q = positives.sum(), negatives.sum()
        with np.errstate(divide="ignore", invalid="ignore"):
            below = (np.cumsum(negatives) - negatives / 2) / q
            above = 1 - (np.cumsum(positives) - positives / 2) / p
            auc = float(positives @ below / p)
            slopes = below / p - above / q - auc / p + auc / q
        variance = self._variance(rows[:, None], slopes[:, None])
        return share_estimate("auc", auc, variance, n, confidence)

    def _variance(self, rows: Floats, slopes: Floats) -> float:
        by_bin = (rows * slopes**2).sum(1)
        by_block = np.bincount(self._blocks, (rows * slopes).sum(1))
        spread = self._spread[np.searchsorted(self._blocks, np.arange(len(by_block)))]
        return float(by_bin @ self._spread + (by_block**2 * spread) @ (1 / self._block_rows))
