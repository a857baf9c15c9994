"""The metrics in the files, against scikit-learn and against counts made by hand."""

import json
import math

import numpy as np
import pytest

from detectors.quality.rows import LabelledRows
from stream.baselining.quality import sagemaker_files
from stream.baselining.quality.curves import curves
from stream.baselining.quality.exact_metrics import (
    exact_auc,
    exact_metrics,
    standard_deviations,
)
from stream.baselining.quality.rows import QualityRows

sklearn = pytest.importorskip("sklearn.metrics", reason="the extra `quality` is not installed")


def labelled(prediction: object, probability: object, label: object) -> LabelledRows:
    columns = [np.asarray(each, float) for each in (prediction, probability, label)]
    ones = np.ones(len(columns[2]), np.int64)
    return LabelledRows(columns[0], columns[1], columns[2], ones, 0 * ones)


def binary_rows(n: int, seed: int = 1) -> LabelledRows:
    """Scores of two decimals, so that many are equal."""
    random = np.random.default_rng(seed)
    scores = random.random(n).round(2)
    return labelled(scores > 0.5, scores, random.random(n) < scores)


def test_binary_metrics_are_those_of_scikit_learn() -> None:
    rows = binary_rows(3_000)
    found = exact_metrics("binary", rows, 2)
    y, p = rows.label, rows.prediction
    expected = {
        "accuracy": sklearn.accuracy_score(y, p),
        "precision": sklearn.precision_score(y, p),
        "recall": sklearn.recall_score(y, p),
        "true_positive_rate": sklearn.recall_score(y, p),
        "true_negative_rate": sklearn.recall_score(y, p, pos_label=0),
        "f0_5": sklearn.fbeta_score(y, p, beta=0.5),
        "f1": sklearn.f1_score(y, p),
        "f2": sklearn.fbeta_score(y, p, beta=2),
        "auc": sklearn.roc_auc_score(y, rows.probability),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-12)


def test_multiclass_metrics_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(4)
    label = random.integers(0, 5, 2_000)
    prediction = np.where(random.random(2_000) < 0.7, label, random.integers(0, 4, 2_000))
    found = exact_metrics("multiclass", labelled(prediction, prediction, label), 5)
    constant = np.full(2_000, np.bincount(label).argmax())
    for suffix, answers in (("", prediction), ("_best_constant_classifier", constant)):
        for name, beta in (("f0_5", 0.5), ("f1", 1.0), ("f2", 2.0)):
            expected = sklearn.fbeta_score(
                label, answers, beta=beta, average="weighted", zero_division=0
            )
            assert found[f"weighted_{name}{suffix}"] == pytest.approx(expected, rel=1e-12)
        precision = sklearn.precision_score(label, answers, average="weighted", zero_division=0)
        assert found[f"weighted_precision{suffix}"] == pytest.approx(precision, rel=1e-12)
        accuracy = sklearn.accuracy_score(label, answers)
        assert found[f"accuracy{suffix}"] == pytest.approx(accuracy, rel=1e-12)
        assert found[f"weighted_recall{suffix}"] == found[f"accuracy{suffix}"]


def test_regression_metrics_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(7)
    label = random.normal(50, 9, 1_000)
    rows = labelled(label + random.normal(0, 3, 1_000), label, label)
    expected = {
        "mae": sklearn.mean_absolute_error(label, rows.prediction),
        "mse": sklearn.mean_squared_error(label, rows.prediction),
        "rmse": math.sqrt(sklearn.mean_squared_error(label, rows.prediction)),
        "r2": sklearn.r2_score(label, rows.prediction),
    }
    assert exact_metrics("regression", rows, 0) == pytest.approx(expected, rel=1e-12)


def test_auc_counts_equal_scores_half() -> None:
    assert exact_auc(np.array([0.5, 0.5]), np.array([True, False])) == 0.5
    assert math.isnan(exact_auc(np.array([0.1, 0.5]), np.array([True, True])))


def test_standard_deviations_begin_at_200_rows_and_do_not_change() -> None:
    assert standard_deviations("binary", binary_rows(199), 2) == {}
    rows = binary_rows(200)
    first = standard_deviations("binary", rows, 2)
    assert first == standard_deviations("binary", rows, 2)
    assert all(value > 0 for name, value in first.items() if not name.endswith("classifier"))


def test_standard_deviations_are_half_the_sampling_error() -> None:
    """Of 80 % drawn without replacement: sqrt(p q / 4 n), here 0.5 / (2 sqrt(10,000)) = 0.0025.

    Five samples give it only roughly: chi-squared with 4 degrees of freedom, bounds of 0.1 %.
    """
    random = np.random.default_rng(3)
    label = random.integers(0, 2, 10_000)
    rows = labelled(np.ones(10_000), label, label)
    deviation = standard_deviations("binary", rows, 2)["accuracy"]
    assert 0.0025 * math.sqrt(0.0908 / 4) < deviation < 0.0025 * math.sqrt(18.47 / 4)


def test_curves_are_those_of_scikit_learn() -> None:
    rows = binary_rows(500)
    found = curves(rows.probability, rows.label == 1)
    rates, recalls, _ = sklearn.roc_curve(rows.label, rows.probability, drop_intermediate=False)
    roc = found["receiver_operating_characteristic_curve"]
    assert roc["false_positive_rates"][:-1] == pytest.approx(rates.tolist())
    assert roc["true_positive_rates"][:-1] == pytest.approx(recalls.tolist())
    assert (roc["false_positive_rates"][-1], roc["true_positive_rates"][-1]) == (1, 1)
    precisions, recalls, _ = sklearn.precision_recall_curve(rows.label, rows.probability)
    pr = found["precision_recall_curve"]
    assert pr["precisions"][1:] == pytest.approx(precisions[:-1][::-1].tolist())
    assert pr["recalls"][1:] == pytest.approx(recalls[:-1][::-1].tolist())


def test_a_curve_of_many_scores_has_1000_thresholds() -> None:
    random = np.random.default_rng(0)
    scores = random.random(5_000)
    found = curves(scores, random.random(5_000) < scores)
    assert len(found["precision_recall_curve"]["recalls"]) == 1_001
    assert curves(scores, scores > 2) == {}


def test_an_undefined_metric_is_nan_in_words_and_has_no_constraint() -> None:
    """No row is positive, and none was called so: SageMaker would write 0."""
    rows = QualityRows(labelled([0, 0], [0.1, 0.2], [0, 0]), ("no", "yes"), {})
    values = exact_metrics("binary", rows.rows, 2)
    content = sagemaker_files.statistics("binary", rows, values, {})
    metrics = content["binary_classification_metrics"]
    undefined = {name for name, metric in metrics.items() if metric.get("value") == "NaN"}
    ones = {"recall", "precision", "true_positive_rate", "false_negative_rate", "auc"}
    assert undefined == ones | {"f0_5", "f1", "f2"}
    assert metrics["precision_best_constant_classifier"]["value"] == 0
    required = sagemaker_files.suggested_constraints("binary", values)
    assert set(required) == {"accuracy", "true_negative_rate", "false_positive_rate"}
    json.dumps(content, allow_nan=False)
