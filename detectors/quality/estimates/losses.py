"""The error of a regression as the errors of the baseline promise it (direct loss estimation)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.quality.calibration import LossTable, bin_of
from detectors.quality.counts import QualityCounts
from detectors.quality.estimates.base import counts_of_cells, loss_estimate
from detectors.quality.rows import LabelledRows
from detectors.quality_report import EstimateSection


class LossEstimator:
    """Expected losses of predictions, by bin of the predicted number.

    With ``N_b`` predictions in bin b and the mean baseline loss ``l_b`` there, the expected loss is
    ``sum(N_b l_b) / n``; its variance is ``sum(N_b v_b) / n**2`` for the chance of the labels plus
    ``sum(N_b**2 v_b / m_b) / n**2`` for the table, where ``v_b`` is the variance of the loss in the
    ``m_b`` baseline rows of the bin. RMSE is the root of MSE, its deviation that of MSE over
    ``2 RMSE``.

    The method is NannyML's DLE, whose model of the loss sees all features. The service knows the
    predicted number only, so the table here is one by prediction: a loss that depends on something
    else is an average over the baseline's rows. Numbers beyond those of the baseline are in the
    first or the last bin.
    """

    def __init__(self, losses: LossTable) -> None:
        self._losses = losses

    def tally_predictions(
        self, rows: LabelledRows, group: Ints, groups: int
    ) -> list[QualityCounts]:
        """Count the bins of the predicted numbers; NaN is in the bin after the last."""
        cells = bin_of(rows.prediction, self._losses.edges)
        return counts_of_cells(cells, rows.weight, group, groups)

    def estimate(
        self, counts: QualityCounts, class_names: Sequence[str], confidence: float
    ) -> EstimateSection:
        """See :class:`~detectors.quality.estimates.base.Estimator`; there are no classes."""
        losses = self._losses
        rows = np.zeros(losses.bins + 1)
        rows[counts.cells] = counts.counts
        rows = rows[:-1]
        n = int(rows.sum())
        mae, mae_variance = self._mean(rows, losses.absolute, losses.absolute_variance)
        mse, mse_variance = self._mean(rows, losses.squared, losses.squared_variance)
        rmse = float(np.sqrt(mse))
        rmse_variance = mse_variance / (4 * mse) if mse > 0 else 0.0
        found = (("mae", mae, mae_variance), ("mse", mse, mse_variance))
        metrics = [
            loss_estimate(name, value, variance, n, confidence)
            for name, value, variance in (*found, ("rmse", rmse, rmse_variance))
        ]
        return EstimateSection(method="dle", metrics=tuple(metrics))

    def _mean(
        self, rows: Floats, means: Sequence[float], variances: Sequence[float]
    ) -> tuple[float, float]:
        """The expected loss and its variance; NaN without rows."""
        n = rows.sum()
        if not n:
            return float("nan"), 0.0
        known = np.maximum(np.array(self._losses.rows), 1)
        spread = np.array(variances) * (rows + rows**2 / known)
        return float(rows @ np.array(means) / n), float(spread.sum() / n**2)
