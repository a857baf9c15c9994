"""Metrics of windows together are those of all their rows: plain sums, and whole against parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detectors.arrays import Ints
from detectors.quality.config import Problem, QualityConfig
from detectors.quality.merged import metrics_together
from detectors.quality.problem import problem_of
from detectors.quality.rows import LabelledRows


def rows(problem: str, count: int, seed: int) -> LabelledRows:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2 if problem == "binary" else 4, count).astype(np.float64)
    wrong = rng.random(count) < 0.3
    prediction = np.where(wrong, (label + 1) % (2 if problem == "binary" else 4), label)
    if problem == "regression":
        prediction = label + rng.normal(size=count)
    probability = np.clip(0.4 * label + 0.6 * rng.random(count), 0, 1)
    ones = np.ones(count, np.int64)
    return LabelledRows(prediction, probability, label, ones, ones * 1_000)


def mean_of(column: Any) -> float:
    return float(np.mean(column))


@pytest.mark.parametrize("edges", [None, np.linspace(0.1, 0.9, 9)])
def test_the_metrics_of_binary_windows_are_those_of_their_rows(edges: np.ndarray | None) -> None:
    all_rows = rows("binary", 900, 1)
    problem = problem_of(QualityConfig(problem="binary"), edges)
    parts = problem.tally(all_rows, window_of(900), 6)
    together = metrics_together("binary", parts)
    right = all_rows.prediction == all_rows.label
    assert together["accuracy"] == pytest.approx(mean_of(right), abs=1e-12)
    assert together["recall"] == pytest.approx(mean_of(right[all_rows.label == 1]), abs=1e-12)
    assert together["auc"] == pytest.approx(
        mann_whitney(all_rows), abs=1e-3 if edges is None else 0.06
    )


def mann_whitney(of: LabelledRows) -> float:
    """The share of pairs in which the positive row has the higher score."""
    positive = of.probability[of.label == 1][:, None]
    negative = of.probability[of.label == 0][None, :]
    return mean_of((positive > negative) + 0.5 * (positive == negative))


def test_the_metrics_of_regression_windows_are_those_of_their_rows() -> None:
    all_rows = rows("regression", 500, 2)
    parts = problem_of(QualityConfig(problem="regression")).tally(all_rows, window_of(500), 6)
    together = metrics_together("regression", parts)
    error = all_rows.prediction - all_rows.label
    assert together["mae"] == pytest.approx(mean_of(np.abs(error)), rel=1e-12)
    assert together["rmse"] == pytest.approx(mean_of(error**2) ** 0.5, rel=1e-12)
    r2 = 1 - mean_of(error**2) / float(np.var(all_rows.label))
    assert together["r2"] == pytest.approx(r2, rel=1e-9)


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_windows_together_have_the_metrics_of_one_window_with_all_rows(problem: Problem) -> None:
    all_rows = rows(problem, 700, 3)
    of = problem_of(QualityConfig(problem=problem))
    [whole] = of.tally(all_rows, np.zeros(700, np.int64), 1)
    expected = {
        metric.name: metric.value
        for metric in of.measure(whole, (), 0.9).metrics
        if metric.value is not None
    }
    assert metrics_together(problem, of.tally(all_rows, window_of(700), 6)) == expected


def test_scores_in_the_bins_of_two_baselines_have_no_auc() -> None:
    config = QualityConfig(problem="binary")
    none = np.zeros(50, np.int64)
    [first] = problem_of(config).tally(rows("binary", 50, 4), none, 1)
    [second] = problem_of(config, np.array([0.5])).tally(rows("binary", 50, 5), none, 1)
    together = metrics_together("binary", [first, second])
    assert "auc" not in together
    assert "accuracy" in together


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_nothing_is_defined_without_rows(problem: Problem) -> None:
    assert metrics_together(problem, []) == {}


def window_of(count: int) -> Ints:
    """The window of each row, of six."""
    return np.random.default_rng(9).integers(0, 6, count)
