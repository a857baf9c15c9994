"""Makes the quality baseline of labelled answers."""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np

from detectors.quality.base import Measured, QualityProblem
from detectors.quality.baseline import BaselineMetric, QualityBaseline
from detectors.quality.calibration import Calibration
from detectors.quality.config import Problem
from detectors.quality.counts import QualityCounts
from detectors.quality.rows import LabelledRows
from stream.baselining.quality import sagemaker_files
from stream.baselining.quality.exact_metrics import (
    METRICS,
    Values,
    exact_metrics,
    standard_deviations,
)
from stream.baselining.quality.problems import baseline_problem, score_edges
from stream.baselining.quality.rows import QualityColumns, QualityRows
from stream.baselining.quality.tables import can_calibrate, fit_calibration, fit_losses

CONFIDENCE: Final = 0.95
"""The confidence of the intervals of a baseline's metrics."""


PART_ROWS: Final = 65_536
"""The rows that are counted at once."""


class BuiltQuality(NamedTuple):
    """A quality baseline, the content of SageMaker's two files, and the metrics with intervals."""

    baseline: QualityBaseline
    statistics: dict[str, Any]
    constraints: dict[str, Any]
    measured: Measured


def make_quality(data: QualityRows, columns: QualityColumns) -> BuiltQuality:
    """Make the baseline of some rows, counted as the service counts its own.

    The metrics that SageMaker Model Monitor has are exact; the others are those of the counts.
    Scores are calibrated if scikit-learn is installed.
    """
    kind = columns.problem
    values = exact_metrics(kind, data.rows, len(data.classes))
    deviations = standard_deviations(kind, data.rows, len(data.classes))
    edges = score_edges(kind, data)
    problem = baseline_problem(kind, edges)
    counts = _counts(problem, data.rows)
    measured = problem.measure(counts, data.classes, CONFIDENCE)
    required = sagemaker_files.suggested_constraints(kind, values)
    baseline = QualityBaseline(
        problem=kind,
        rows=len(data),
        metrics=_metrics(kind, measured, values, deviations),
        constraints=required,
        label=columns.label,
        prediction=columns.prediction,
        probability=columns.probability,
        classes=data.classes,
        threshold=columns.threshold,
        score_edges=edges,
        confusion={} if kind == "regression" else sagemaker_files.confusion_by_name(data),
        encoded_counts=counts.encode(),
        calibration=_calibration(kind, data),
        losses=fit_losses(data.rows) if kind == "regression" else None,
    )
    return BuiltQuality(
        baseline,
        sagemaker_files.statistics(kind, data, values, deviations),
        sagemaker_files.constraints(kind, required),
        measured,
    )


def _counts(problem: QualityProblem, rows: LabelledRows) -> QualityCounts:
    """The counts of all rows, taken in parts: counting needs many times the memory of its rows."""
    n = len(rows.label)
    parts = []
    for first in range(0, n, PART_ROWS):
        part = LabelledRows(*(column[first : first + PART_ROWS] for column in rows))  # type: ignore[arg-type]
        parts += problem.tally(part, np.zeros(len(part.label), np.int64), 1)
    return problem.merge(parts)


def _calibration(problem: Problem, data: QualityRows) -> Calibration | None:
    if problem == "regression" or not can_calibrate():
        return None
    return fit_calibration(problem, data)


def _metrics(
    problem: Problem, measured: Measured, values: Values, deviations: Values
) -> dict[str, BaselineMetric]:
    """All metrics; of two values of a metric the exact one."""
    exact = {name: values[name] for name in METRICS[problem] if name in values}
    return {
        metric.name: BaselineMetric(
            value=_known(exact.get(metric.name, metric.value)),
            low=metric.low,
            high=metric.high,
            standard_deviation=_known(deviations.get(metric.name)),
            larger_is=metric.larger_is,
        )
        for metric in measured.metrics
    }


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value
