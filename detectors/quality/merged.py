"""Metrics of several windows together, from the counts that their reports hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from detectors.quality.base import QualityProblem
from detectors.quality.binary import BinaryQuality
from detectors.quality.cells import SCORES, CellTable
from detectors.quality.counts import QualityCounts
from detectors.quality.custom import CustomMetrics
from detectors.quality.multiclass import MulticlassQuality
from detectors.quality.regression import RegressionQuality
from detectors.quality.score_grid import MOST_BINS, ScoreGrid

CONFIDENCE: Final = 0.95
"""That of the intervals, which are not returned."""


def metrics_together(problem: str, parts: Sequence[QualityCounts]) -> dict[str, float]:
    """Return the metrics of some windows as if they were one, by name, where they are defined.

    ``problem`` is ``binary``, ``multiclass`` or ``regression``; the windows must not overlap.
    Custom metrics are left out, because these need their classes. AUC and PR-AUC are undefined if
    the scores of the windows were counted in the bins of two baselines. Empty without rows.
    """
    total = QualityCounts.total(parts)
    measured = _problem(problem, total).measure(total, (), CONFIDENCE)
    return {metric.name: metric.value for metric in measured.metrics if metric.value is not None}


def _problem(problem: str, counts: QualityCounts) -> QualityProblem:
    nothing_custom = CustomMetrics({})
    if problem == "regression":
        return RegressionQuality(nothing_custom)
    if problem == "multiclass":
        return MulticlassQuality(nothing_custom)
    return BinaryQuality(_grid_of(counts), nothing_custom)


def _grid_of(counts: QualityCounts) -> ScoreGrid:
    """Return a grid with the number of the one that counted, and room for all of its bins.

    Metrics of counts depend on the order of the bins, not on their edges.
    """
    body, _ = CellTable(counts).of(SCORES)
    number = int(body[0] >> 16) if len(body) else 0
    return ScoreGrid(np.arange(MOST_BINS - 1, dtype=np.float64), number)
