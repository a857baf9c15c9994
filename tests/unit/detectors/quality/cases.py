"""Labelled rows for the tests of metrics."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from detectors.quality.base import Measured, Metric, QualityProblem
from detectors.quality.config import Problem, QualityConfig
from detectors.quality.problem import problem_of
from detectors.quality.rows import LabelledRows

NAMES = ("0", "1")


def rows_of(
    prediction: Any,
    label: Any,
    probability: Any = None,
    weight: Any = None,
    delay_ms: Any = None,
) -> LabelledRows:
    count = len(prediction)
    return LabelledRows(
        np.asarray(prediction, np.float64),
        np.full(count, np.nan) if probability is None else np.asarray(probability, np.float64),
        np.asarray(label, np.float64),
        np.ones(count, np.int64) if weight is None else np.asarray(weight, np.int64),
        np.zeros(count, np.int64) if delay_ms is None else np.asarray(delay_ms, np.int64),
    )


def measured(
    problem: QualityProblem | Problem,
    rows: LabelledRows,
    names: Sequence[str] = NAMES,
    confidence: float = 0.95,
) -> Measured:
    known = problem_of(QualityConfig(problem=problem)) if isinstance(problem, str) else problem
    [counts] = known.tally(rows, np.zeros(len(rows.label), np.int64), 1)
    return known.measure(counts, names, confidence)


def by_name(found: Measured) -> dict[str, Metric]:
    return {metric.name: metric for metric in found.metrics}


def values(found: Measured) -> dict[str, float | None]:
    return {metric.name: metric.value for metric in found.metrics}


def random_rows(problem: Problem, count: int, seed: int) -> LabelledRows:
    random = np.random.default_rng(seed)
    delay = random.integers(0, 10**9, count)
    if problem == "regression":
        label = random.normal(5, 2, count) * 10.0 ** random.integers(-8, 8, count)
        return rows_of(label + random.standard_t(2, count), label, delay_ms=delay)
    if problem == "multiclass":
        label = random.integers(0, 6, count)
        wrong = random.integers(0, 6, count)
        return rows_of(np.where(random.random(count) < 0.7, label, wrong), label, delay_ms=delay)
    score = random.beta(2, 3, count)
    label = random.random(count) < score
    score[random.random(count) < 0.05] = np.nan
    return rows_of(np.nan_to_num(score) > 0.5, label, score, delay_ms=delay)
