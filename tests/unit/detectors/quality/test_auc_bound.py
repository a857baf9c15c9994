"""The error of the AUC of a histogram: below its bound, and the bound at most 1e-3."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.random import Generator
from sklearn.metrics import roc_auc_score

from detectors.quality.cells import CellTable
from detectors.quality.config import QualityConfig
from detectors.quality.problem import problem_of
from detectors.quality.score_grid import MOST_BINS, ScoreGrid, fixed_grid, quantile_edges
from detectors.quality.score_histogram import Area, area_under_roc, histogram_of
from tests.unit.detectors.quality.cases import rows_of

ROWS = 40_000
Scores = Callable[[Generator, int], tuple[np.ndarray, np.ndarray]]


def uniform(random: Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    score = random.random(count)
    return score, random.random(count) < score


def useless(random: Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    return random.beta(2, 2, count), random.random(count) < 0.5


def beta(random: Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    label = random.random(count) < 0.3
    return np.where(label, random.beta(5, 2, count), random.beta(2, 5, count)), label


def fraud(random: Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    label = random.random(count) < 0.01
    odds = random.normal(np.where(label, -5.0, -7.0), 1.2)
    return 1 / (1 + np.exp(-odds)), label


def few_values(random: Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    score = np.round(random.beta(2, 3, count), 2)
    return score, random.random(count) < score


def one_value(random: Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    return np.full(count, 0.37), random.random(count) < 0.4


def margins(random: Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    label = random.random(count) < 0.4
    return random.normal(np.where(label, 1.0, -1.0), 2.0), label


ALL: list[Scores] = [uniform, useless, beta, fraud, few_values, one_value, margins]


def area_of(score: np.ndarray, label: np.ndarray, grid: ScoreGrid) -> Area:
    edges = grid.edges if grid.number else None
    problem = problem_of(QualityConfig(problem="binary"), edges)
    rows = rows_of(score > 0.5, label, score)
    [counts] = problem.tally(rows, np.zeros(len(score), np.int64), 1)
    return area_under_roc(histogram_of(CellTable(counts), grid))


@pytest.mark.parametrize("scores", ALL)
@pytest.mark.parametrize("seed", range(3))
def test_the_error_with_the_bins_of_a_baseline_is_below_a_bound_of_1e_3(
    scores: Scores, seed: int
) -> None:
    random = np.random.default_rng(seed)
    grid = ScoreGrid.of_edges(quantile_edges(scores(random, 20_000)[0]))
    score, label = scores(random, ROWS)
    area = area_of(score, label, grid)
    assert area.error_bound <= 1e-3
    assert abs(area.value - roc_auc_score(label, score)) <= area.error_bound + 1e-12


@pytest.mark.parametrize("scores", ALL)
@pytest.mark.parametrize("seed", range(3))
def test_the_error_with_the_fixed_grid_is_below_its_bound(scores: Scores, seed: int) -> None:
    score, label = scores(np.random.default_rng(seed), ROWS)
    area = area_of(score, label, fixed_grid())
    error = abs(area.value - roc_auc_score(label, score))
    assert error <= area.error_bound + 1e-12
    if scores is not margins:
        assert error <= 1e-3
    if scores not in (fraud, margins):
        assert area.error_bound <= 1e-3


@pytest.mark.parametrize("grid", [fixed_grid(), ScoreGrid.of_edges(np.array([0.5]))])
def test_the_worst_order_within_a_bin_reaches_the_bound(grid: ScoreGrid) -> None:
    low = 0.70001
    score = np.array([low, low + 1e-5, low + 2e-5, low + 3e-5])
    label = np.array([0, 0, 1, 1])
    area = area_of(score, label, grid)
    assert (area.value, area.error_bound) == (0.5, 0.5)
    assert roc_auc_score(label, score) == 1.0


def test_equal_scores_have_no_error() -> None:
    area = area_of(np.array([0.3, 0.3, 0.3, 0.9]), np.array([0, 1, 1, 1]), fixed_grid())
    assert (area.value, area.error_bound) == (4 / 6, 0.0)


@pytest.mark.parametrize("scores", ALL)
@pytest.mark.parametrize("count", [1, 2, 500, 30_000])
def test_the_bins_of_a_baseline_are_at_most_1024(scores: Scores, count: int) -> None:
    edges = quantile_edges(scores(np.random.default_rng(1), count)[0])
    assert 0 < len(edges) < MOST_BINS
    assert (np.diff(edges) > 0).all()


def test_no_scores_have_no_bins() -> None:
    assert len(quantile_edges(np.array([np.nan]))) == 0


@pytest.mark.parametrize("edges", [[1.0, 1.0], [np.nan], [2.0, 1.0], list(range(1_024))])
def test_edges_that_are_no_bins_are_refused(edges: list[float]) -> None:
    with pytest.raises(ValueError, match="edges of scores"):
        ScoreGrid.of_edges(np.array(edges))
