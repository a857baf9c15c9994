"""Fitted tables on synthetic streams: estimates cover what the labels give, over many seeds."""

import numpy as np
import pytest
from numpy.typing import ArrayLike

from detectors.quality.estimates.base import Estimator
from detectors.quality.estimates.binary import BinaryEstimator
from detectors.quality.estimates.losses import LossEstimator
from detectors.quality.estimates.multiclass import MulticlassEstimator
from detectors.quality.rows import LabelledRows
from stream.baselining.quality.exact_metrics import confusion_matrix, exact_metrics
from stream.baselining.quality.rows import QualityRows
from stream.baselining.quality.tables import fit_calibration, fit_losses

pytest.importorskip("sklearn", reason="the extra `quality` is not installed")
SEEDS = range(40)
CONFIDENCE = 0.95
MOST_MISSES = 7
"""Of 40 intervals of 95 %, more than 7 miss with a probability of 0.001 (binomial tail)."""


def labelled(prediction: ArrayLike, probability: ArrayLike, label: ArrayLike) -> LabelledRows:
    ones = np.ones(np.size(label), np.int64)
    first, second, third = (np.asarray(each, float) for each in (prediction, probability, label))
    return LabelledRows(first, second, third, ones, 0 * ones)


def binary_stream(random: np.random.Generator, n: int, a: float, b: float) -> LabelledRows:
    """Scores that promise too much: the truth is ``score**2``. Their law is Beta(a, b)."""
    scores = random.beta(a, b, n)
    label = random.random(n) < scores**2
    return labelled(scores > 0.5, scores, label)


def misses(estimator: Estimator, data: LabelledRows, exact: dict[str, float], names=()) -> set[str]:  # type: ignore[no-untyped-def]
    counts = estimator.tally_predictions(data, np.zeros(len(data.label), np.int64), 1)[0]
    section = estimator.estimate(counts, names, CONFIDENCE)
    found = {metric.name: metric for metric in section.metrics}
    assert set(found) <= set(exact)
    return {
        name
        for name, metric in found.items()
        if not (metric.low or 0) <= exact[name] <= (metric.high or 0)
    }


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (0.8, 2.5), (3.0, 1.0)])
def test_estimates_of_a_binary_model_cover_what_its_labels_give(a: float, b: float) -> None:
    """With the scores of the baseline, and with many more low and high ones: other priors."""
    missed: dict[str, int] = {}
    for seed in SEEDS:
        random = np.random.default_rng(seed)
        baseline = QualityRows(binary_stream(random, 5_000, 1.0, 1.0), ("0", "1"), {})
        calibration = fit_calibration("binary", baseline)
        assert calibration is not None
        window = binary_stream(random, 2_000, a, b)
        exact = exact_metrics("binary", window, 2)
        for name in misses(BinaryEstimator(calibration), window, exact):
            missed[name] = missed.get(name, 0) + 1
    assert {name: count for name, count in missed.items() if count > MOST_MISSES} == {}


@pytest.mark.parametrize("bend", [1.0, 2.0])
def test_estimates_of_a_multiclass_model_cover_what_its_labels_give(bend: float) -> None:
    """``bend`` shifts the scores of the window towards 1."""
    missed: dict[str, int] = {}
    for seed in SEEDS:
        random = np.random.default_rng(seed)
        baseline = QualityRows(multiclass_stream(random, 6_000, 1.0), ("a", "b", "c"), {})
        calibration = fit_calibration("multiclass", baseline)
        assert calibration is not None
        matrix = confusion_matrix(baseline.rows, 3).astype(int)
        confusion = {
            name: dict(zip("abc", row.tolist(), strict=True))
            for name, row in zip("abc", matrix, strict=True)
        }
        window = multiclass_stream(random, 2_000, bend)
        exact = exact_metrics("multiclass", window, 3)
        estimator = MulticlassEstimator(calibration, "abc", confusion)
        for name in misses(estimator, window, exact, "abc"):
            missed[name] = missed.get(name, 0) + 1
    assert {name: count for name, count in missed.items() if count > MOST_MISSES} == {}


def multiclass_stream(random: np.random.Generator, n: int, bend: float) -> LabelledRows:
    """Three classes; a wrong answer is the next class two times in three."""
    prediction = random.choice(3, n, p=[0.5, 0.3, 0.2])
    scores = 1 / 3 + 2 / 3 * random.random(n) ** (1 / bend)
    is_right = random.random(n) < scores ** (1.0 + prediction / 2)
    step = np.where(random.random(n) < 2 / 3, 1, 2)
    label = np.where(is_right, prediction, (prediction + step) % 3)
    return labelled(prediction, scores, label)


@pytest.mark.parametrize(("low", "high"), [(0.0, 10.0), (6.0, 10.0)])
def test_estimates_of_a_regression_cover_what_its_labels_give(low: float, high: float) -> None:
    """The noise grows with the prediction; the second window has only high ones."""
    missed: dict[str, int] = {}
    for seed in SEEDS:
        random = np.random.default_rng(seed)
        table = fit_losses(regression_stream(random, 5_000, 0.0, 10.0))
        window = regression_stream(random, 2_000, low, high)
        exact = exact_metrics("regression", window, 0)
        for name in misses(LossEstimator(table), window, exact):
            missed[name] = missed.get(name, 0) + 1
    assert {name: count for name, count in missed.items() if count > MOST_MISSES} == {}


def regression_stream(random: np.random.Generator, n: int, low: float, high: float) -> LabelledRows:
    prediction = random.uniform(low, high, n)
    label = prediction + random.normal(0, 0.5 + prediction / 5)
    return labelled(prediction, np.full(n, np.nan), label)


def test_losses_of_few_rows_and_of_ties_have_finite_numbers() -> None:
    one_row = fit_losses(labelled(np.array([1.0]), np.array([np.nan]), np.array([3.0])))
    assert (one_row.absolute, one_row.squared) == ((2.0,), (4.0,))
    ties = np.repeat([0.0, 1.0], [199, 1])
    table = fit_losses(labelled(ties, np.full(200, np.nan), np.zeros(200)))
    assert np.isfinite([*table.absolute, *table.absolute_variance]).all()
    assert sum(table.rows) == 200


def test_calibrated_shares_rise_and_keep_the_number_of_positive_rows() -> None:
    """Pooling adjacent violators keeps the sum of the outcomes (Barlow et al., 1972)."""
    random = np.random.default_rng(3)
    data = QualityRows(binary_stream(random, 4_000, 2.0, 2.0), ("0", "1"), {})
    calibration = fit_calibration("binary", data)
    assert calibration is not None
    table = calibration.table("")
    assert (np.diff(table.shares) >= 0).all()
    assert sum(table.rows) == 4_000
    positives = np.dot(table.shares, table.rows)
    assert positives == pytest.approx(data.rows.label.sum())


def test_without_a_score_there_is_no_calibration() -> None:
    rows = labelled(np.ones(3), np.full(3, np.nan), np.ones(3))
    assert fit_calibration("binary", QualityRows(rows, ("0", "1"), {})) is None
