"""The problem that a quality baseline is counted with, and the names of its metrics."""

from __future__ import annotations

from functools import cache

import numpy as np

from detectors.quality.base import QualityProblem
from detectors.quality.config import Problem, QualityConfig
from detectors.quality.counts import QualityCounts
from detectors.quality.problem import problem_of
from detectors.quality.score_grid import quantile_edges
from stream.baselining.quality.rows import QualityRows


def score_edges(problem: Problem, data: QualityRows) -> tuple[float, ...]:
    """Return the edges of the bins that scores of a binary problem are counted in; else none."""
    if problem != "binary":
        return ()
    return tuple(quantile_edges(data.rows.probability).tolist())


def baseline_problem(problem: Problem, edges: tuple[float, ...]) -> QualityProblem:
    """Return the problem without custom metrics, which counts scores between these edges."""
    return problem_of(QualityConfig(problem=problem), np.array(edges))


@cache
def metric_names(problem: Problem) -> tuple[str, ...]:
    """Return the names of all metrics of a problem, custom metrics apart."""
    measured = problem_of(QualityConfig(problem=problem)).measure(
        QualityCounts(), ("0", "1") if problem == "binary" else (), 0.95
    )
    return tuple(metric.name for metric in measured.metrics)
