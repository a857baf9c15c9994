"""Coverage of the intervals: the share of samples whose interval has the true value."""

from math import erf, pi, sqrt

import numpy as np
import pytest
from scipy.stats import binomtest

from detectors.quality.config import Problem, QualityConfig
from detectors.quality.intervals import of_share, wilson
from detectors.quality.problem import problem_of
from tests.unit.detectors.quality.cases import rows_of

SAMPLES = 1_500
ROWS = 400
CONFIDENCE = 0.95
BINOMIAL_ERROR = 3.3 * sqrt(0.95 * 0.05 / SAMPLES)
"""One in a thousand shares of 1,500 samples is further from 0.95 by chance."""
FIRST_ORDER = 0.006
"""What the laws may lack at 400 rows: they hold for many."""


def covered(
    problem: Problem, rows: tuple[np.ndarray, ...], truth: dict[str, float]
) -> dict[str, float]:
    known = problem_of(QualityConfig(problem=problem))
    group = np.repeat(np.arange(SAMPLES), ROWS)
    hits = dict.fromkeys(truth, 0)
    for counts in known.tally(rows_of(*rows), group, SAMPLES):
        for metric in known.measure(counts, ("a", "b", "c"), CONFIDENCE).metrics:
            if metric.name in truth and metric.low is not None and metric.high is not None:
                hits[metric.name] += metric.low <= truth[metric.name] <= metric.high
    return {name: count / SAMPLES for name, count in hits.items()}


def assert_nominal(coverage: dict[str, float]) -> None:
    error = BINOMIAL_ERROR + FIRST_ORDER
    far = {name: share for name, share in coverage.items() if abs(share - CONFIDENCE) > error}
    assert far == {}


def normal(x: float) -> float:
    return (1 + erf(x / sqrt(2))) / 2


def test_intervals_of_binary_metrics_cover_the_truth() -> None:
    """Scores are uniform and calibrated, so every true value is known."""
    random = np.random.default_rng(21)
    score = random.random(SAMPLES * ROWS)
    label = random.random(SAMPLES * ROWS) < score
    hits, alarms, misses, rejections = 3 / 8, 1 / 8, 1 / 8, 3 / 8  # above and below 1/2
    truth = {
        "accuracy": hits + rejections,
        "precision": hits / (hits + alarms),
        "recall": hits / (hits + misses),
        "false_positive_rate": alarms / (alarms + rejections),
        "f0_5": 0.75,
        "f1": 0.75,
        "f2": 0.75,
        "auc": 5 / 6,  # densities 2s and 2(1 - s)
        "brier": 1 / 6,  # the mean of s (1 - s)
        "log_loss": 0.5,  # the mean of the entropy of s
    }
    assert_nominal(covered("binary", (score > 0.5, label, score), truth))


def test_intervals_of_regression_metrics_cover_the_truth() -> None:
    random = np.random.default_rng(22)
    label = random.normal(3, 2, SAMPLES * ROWS)
    error = random.normal(0, 1, SAMPLES * ROWS)
    truth = {"mae": sqrt(2 / pi), "mse": 1.0, "rmse": 1.0, "r2": 0.75, "bias": 0.0}
    truth |= {"error_p50": 0.0, "error_p95": 1.6448536269514722}
    truth |= {"absolute_error_p50": 0.6744897501960817}
    assert_nominal(covered("regression", (label + error, label), truth))


def test_intervals_of_multiclass_metrics_cover_the_truth() -> None:
    random = np.random.default_rng(23)
    shares = np.array([0.5, 0.3, 0.2])
    answers = np.array([[0.8, 0.15, 0.05], [0.2, 0.7, 0.1], [0.1, 0.3, 0.6]])
    label = random.choice(3, SAMPLES * ROWS, p=shares)
    cumulative = answers.cumsum(axis=1)[label]
    predicted = (random.random((SAMPLES * ROWS, 1)) > cumulative).sum(axis=1)
    hits = shares * answers.diagonal()
    marginal = shares @ answers
    truth = {
        "accuracy": float(hits.sum()),
        "weighted_precision": float(shares @ (hits / marginal)),
        "weighted_f0_5": float(shares @ (1.25 * hits / (0.25 * shares + marginal))),
        "weighted_f1": float(shares @ (2 * hits / (shares + marginal))),
        "weighted_f2": float(shares @ (5 * hits / (4 * shares + marginal))),
    }
    assert_nominal(covered("multiclass", (predicted, label), truth))


def test_intervals_of_pr_auc_cover_at_least_nine_tenths() -> None:
    """The binomial law holds for precision at a fixed recall; for the area it is a rule."""
    random = np.random.default_rng(24)
    score = random.random(SAMPLES * ROWS)
    label = random.random(SAMPLES * ROWS) < score
    points = (np.arange(1_000_000) + 0.5) / 1_000_000
    above = 1 - points
    precision = (1 - points**2) / 2 / above
    truth = {"pr_auc": float((precision * 2 * points).mean())}
    assert covered("binary", (score > 0.5, label, score), truth)["pr_auc"] >= 0.9


@pytest.mark.parametrize("hits", [0, 1, 7, 50, 99, 100])
@pytest.mark.parametrize("confidence", [0.9, 0.999])
def test_intervals_of_shares_are_those_of_scipy(hits: int, confidence: float) -> None:
    expected = binomtest(hits, 100).proportion_ci(confidence, method="wilson")
    assert wilson(hits / 100, 100, confidence) == pytest.approx(tuple(expected), abs=1e-12)


def test_the_standard_error_of_a_share_is_that_of_the_binomial_law() -> None:
    assert of_share(0.2, 100, 0.95).standard_error == pytest.approx(0.04)


def test_perfect_metrics_have_intervals_below_1() -> None:
    known = problem_of(QualityConfig(problem="binary"))
    label = np.arange(50) % 2
    [counts] = known.tally(rows_of(label, label, label * 0.8 + 0.1), np.zeros(50, np.int64), 1)
    found = {metric.name: metric for metric in known.measure(counts, ("0", "1"), 0.95).metrics}
    for name in ("accuracy", "f1", "auc", "pr_auc"):
        metric = found[name]
        assert (metric.value, metric.high) == (1.0, 1.0)
        assert metric.low is not None
        assert 0.8 < metric.low < 1.0


def test_one_row_has_no_interval_of_a_mean() -> None:
    known = problem_of(QualityConfig(problem="regression"))
    [counts] = known.tally(rows_of([1.0], [3.0]), np.zeros(1, np.int64), 1)
    [mae] = [m for m in known.measure(counts, (), 0.95).metrics if m.name == "mae"]
    assert (mae.value, mae.low, mae.high, mae.standard_error) == (2.0, None, None, None)


def test_the_calibration_error_of_calibrated_scores_is_rarely_told_from_0() -> None:
    random = np.random.default_rng(25)
    score = random.random(SAMPLES * ROWS)
    label = random.random(SAMPLES * ROWS) < score
    coverage = covered("binary", (score > 0.5, label, score), {"calibration_error": 0.0})
    assert coverage["calibration_error"] >= 0.97 - BINOMIAL_ERROR


def test_the_calibration_error_of_rare_positives_is_rarely_told_from_0() -> None:
    """Most samples of 400 rows have bins whose rows are all negative."""
    random = np.random.default_rng(27)
    score = random.beta(0.05, 2.0, SAMPLES * ROWS)
    label = random.random(SAMPLES * ROWS) < score
    coverage = covered("binary", (score > 0.5, label, score), {"calibration_error": 0.0})
    assert coverage["calibration_error"] >= 0.97 - BINOMIAL_ERROR


def test_the_calibration_error_of_scores_that_are_too_low_is_covered() -> None:
    random = np.random.default_rng(26)
    score = random.random(SAMPLES * ROWS) * 0.8
    label = random.random(SAMPLES * ROWS) < score + 0.2
    coverage = covered("binary", (score > 0.5, label, score), {"calibration_error": 0.2})
    assert coverage["calibration_error"] >= CONFIDENCE - BINOMIAL_ERROR
