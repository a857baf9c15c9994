"""Metrics of binary classifiers, compared with scikit-learn, SageMaker's file and closed forms."""

import csv

import numpy as np
import pytest
from sklearn import metrics as reference

from detectors.quality.config import QualityConfig
from detectors.quality.problem import problem_of
from detectors.quality.score_grid import quantile_edges
from tests.support.paths import SHARED
from tests.unit.detectors.quality.cases import by_name, measured, rows_of, values

CHURN = SHARED / "churn_demo" / "validation_with_predictions.csv"


@pytest.fixture(scope="module")
def scored() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(7)
    score = random.beta(1.5, 3, 5_000)
    return score, (random.random(5_000) < score**1.3).astype(float)


def test_metrics_of_the_matrix_are_those_of_scikit_learn(
    scored: tuple[np.ndarray, np.ndarray],
) -> None:
    score, label = scored
    predicted = (score > 0.4).astype(float)
    found = measured("binary", rows_of(predicted, label, score))
    value = values(found)
    matrix = reference.confusion_matrix(label, predicted)
    assert found.confusion == {
        "0": {"0": matrix[0, 0], "1": matrix[0, 1]},
        "1": {"0": matrix[1, 0], "1": matrix[1, 1]},
    }
    assert found.rows == 5_000
    expected = {
        "accuracy": reference.accuracy_score(label, predicted),
        "precision": reference.precision_score(label, predicted),
        "recall": reference.recall_score(label, predicted),
        "true_positive_rate": reference.recall_score(label, predicted),
        "true_negative_rate": reference.recall_score(label, predicted, pos_label=0),
        "false_positive_rate": matrix[0, 1] / matrix[0].sum(),
        "false_negative_rate": matrix[1, 0] / matrix[1].sum(),
        "f0_5": reference.fbeta_score(label, predicted, beta=0.5),
        "f1": reference.f1_score(label, predicted),
        "f2": reference.fbeta_score(label, predicted, beta=2),
    }
    assert {name: value[name] for name in expected} == pytest.approx(expected, rel=1e-13)


def test_metrics_of_probabilities_are_those_of_scikit_learn(
    scored: tuple[np.ndarray, np.ndarray],
) -> None:
    score, label = scored
    value = values(measured("binary", rows_of(score > 0.5, label, score)))
    assert value["brier"] == pytest.approx(reference.brier_score_loss(label, score), rel=1e-13)
    assert value["log_loss"] == pytest.approx(reference.log_loss(label, score), rel=1e-13)
    assert value["auc"] == pytest.approx(reference.roc_auc_score(label, score), abs=1e-4)
    exact = reference.average_precision_score(label, score)
    assert value["pr_auc"] == pytest.approx(exact, abs=1e-3)


def test_the_calibration_error_is_the_weighted_distance_of_ten_bins(
    scored: tuple[np.ndarray, np.ndarray],
) -> None:
    score, label = scored
    value = values(measured("binary", rows_of(score > 0.5, label, score)))
    places = [(score >= low / 10) & (score < (low + 1) / 10) for low in range(10)]
    expected = sum(abs(label[at].sum() - score[at].sum()) for at in places) / len(score)
    assert value["calibration_error"] == pytest.approx(expected, abs=1e-9)


def test_log_loss_of_sure_errors_is_clipped_as_in_scikit_learn() -> None:
    score, label = np.array([0.0, 1.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0, 1.0])
    value = values(measured("binary", rows_of(score, label, score)))
    assert value["log_loss"] == pytest.approx(reference.log_loss(label, score), rel=1e-13)


def test_the_churn_file_has_the_metrics_that_sagemaker_found() -> None:
    if not CHURN.exists():
        pytest.skip(f"component fixtures cannot be had: {CHURN.name} of SageMaker is missing")
    with CHURN.open() as file:
        table = [[float(cell) for cell in row] for row in list(csv.reader(file))[1:]]
    score, predicted, label = np.array(table).T
    problem = problem_of(QualityConfig(problem="binary"), quantile_edges(score))
    value = values(measured(problem, rows_of(predicted, label, score)))
    assert value["auc"] == pytest.approx(0.9395127993393898, abs=1e-12)
    constant = {name: value[f"{name}_best_constant_classifier"] for name in ("recall", "accuracy")}
    negatives = float((label == 0).mean())
    assert constant == {"recall": 0.0, "accuracy": pytest.approx(negatives, rel=1e-13)}


@pytest.mark.parametrize(
    ("predicted", "label", "missing"),
    [
        ([0, 0], [0, 0], {"precision", "recall", "true_positive_rate", "false_negative_rate"}),
        ([1, 1], [1, 1], {"true_negative_rate", "false_positive_rate"}),
        ([0, 0], [1, 0], {"precision"}),
        ([1, 1], [0, 0], {"recall", "true_positive_rate", "false_negative_rate"}),
    ],
)
def test_undefined_metrics_have_a_reason_and_no_value(
    predicted: list[int], label: list[int], missing: set[str]
) -> None:
    found = by_name(measured("binary", rows_of(predicted, label)))
    rates = ["accuracy", "precision", "recall", "true_positive_rate", "true_negative_rate"]
    rates += ["false_positive_rate", "false_negative_rate"]
    assert {name for name in rates if found[name].value is None} == missing
    assert all(found[name].reason for name in missing)
    assert found["auc"].value is None
    assert found["auc"].reason == "no scores"


def test_f_scores_are_0_where_nothing_is_hit_and_undefined_only_for_0_of_0() -> None:
    assert by_name(measured("binary", rows_of([0], [1])))["f1"].value == 0.0
    nothing = by_name(measured("binary", rows_of([0], [0])))["f1"]
    assert (nothing.value, bool(nothing.reason)) == (None, True)


def test_no_rows_leave_every_metric_undefined() -> None:
    found = measured("binary", rows_of([], []))
    assert found.rows == 0
    assert all(metric.value is None and metric.reason for metric in found.metrics)
    assert found.delay_s == {}


def test_rows_without_a_score_count_in_the_matrix_only() -> None:
    found = by_name(measured("binary", rows_of([1, 0, 1], [1, 0, 0], [0.9, 0.1, np.nan])))
    assert (found["accuracy"].n, found["brier"].n, found["auc"].value) == (3, 2, 1.0)


def test_margins_have_an_order_and_are_no_probabilities() -> None:
    margin = np.array([-3.0, -0.5, 2.0, 7.0])
    found = by_name(measured("binary", rows_of(margin > 0, [0, 1, 0, 1], margin)))
    assert found["auc"].value == reference.roc_auc_score([0, 1, 0, 1], margin)
    assert found["brier"].value is None
    assert found["brier"].reason == "4 scores are not between 0 and 1"


def test_rows_with_codes_other_than_0_and_1_are_in_no_metric() -> None:
    found = measured("binary", rows_of([1, 1, np.nan, 0.5], [1, -1, 1, 0], [0.5] * 4))
    assert (found.rows, by_name(found)["brier"].n) == (1, 1)


def test_scores_of_another_grid_make_the_auc_undefined() -> None:
    rows = rows_of([0, 1], [0, 1], [0.1, 0.9])
    old = problem_of(QualityConfig(problem="binary"), np.array([0.3]))
    new = problem_of(QualityConfig(problem="binary"), np.array([0.4]))
    counts = new.merge([p.tally(rows, np.zeros(2, np.int64), 1)[0] for p in (old, new)])
    found = by_name(new.measure(counts, ("0", "1"), 0.95))
    assert found["auc"].reason == "2 scores were counted in the bins of another baseline"
    assert found["brier"].value == pytest.approx(0.01, rel=1e-13)
