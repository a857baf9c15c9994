"""Metrics of classifiers with many classes, compared with scikit-learn and closed forms."""

import numpy as np
import pytest
from sklearn import metrics as reference

from tests.unit.detectors.quality.cases import measured, random_rows, rows_of, values

NAMES = ("a", "b", "c", "d", "e", "f")
BETAS = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}


def test_metrics_are_those_of_scikit_learn() -> None:
    rows = random_rows("multiclass", 4_000, 5)
    found = measured("multiclass", rows, NAMES)
    value = values(found)
    label, predicted = rows.label, rows.prediction
    assert value["accuracy"] == pytest.approx(reference.accuracy_score(label, predicted), rel=1e-13)
    assert value["weighted_recall"] == value["accuracy"]
    precision = reference.precision_score(label, predicted, average="weighted")
    assert value["weighted_precision"] == pytest.approx(precision, rel=1e-13)
    for name, beta in BETAS.items():
        expected = reference.fbeta_score(label, predicted, beta=beta, average="weighted")
        assert value[f"weighted_{name}"] == pytest.approx(expected, rel=1e-13)
        each = reference.fbeta_score(label, predicted, beta=beta, average=None)
        assert [found.per_class[c][name] for c in NAMES] == pytest.approx(each.tolist(), rel=1e-13)
    matrix = reference.confusion_matrix(label, predicted)
    assert matrix.tolist() == [[found.confusion[t].get(p, 0) for p in NAMES] for t in NAMES]


def test_the_best_constant_answers_the_most_frequent_class() -> None:
    label = [0] * 5 + [1] * 3 + [2] * 2
    value = values(measured("multiclass", rows_of([0] * 10, label), NAMES))
    assert value["accuracy_best_constant_classifier"] == 0.5
    assert value["weighted_precision_best_constant_classifier"] == 0.25
    f1 = 0.5 * 2 * 5 / (10 + 5)
    assert value["weighted_f1_best_constant_classifier"] == pytest.approx(f1, rel=1e-13)


def test_a_class_that_is_never_predicted_has_no_precision_and_counts_as_0_in_the_mean() -> None:
    found = measured("multiclass", rows_of([0, 0, 0], [0, 0, 1]), NAMES)
    assert found.per_class["b"]["precision"] is None
    assert found.per_class["b"]["f1"] == 0.0
    assert values(found)["weighted_precision"] == pytest.approx(2 / 3 * 2 / 3, rel=1e-13)


def test_a_class_that_is_never_a_label_has_no_recall() -> None:
    assert measured("multiclass", rows_of([3], [0]), NAMES).per_class["d"]["recall"] is None


def test_a_class_without_a_name_is_named_by_its_code() -> None:
    assert measured("multiclass", rows_of([9], [9]), NAMES).confusion == {"9": {"9": 1}}


def test_rows_that_are_no_codes_are_in_no_metric() -> None:
    rows = rows_of([0, -1, 1.5, np.nan, 2**20], [0, 0, 0, 0, 0])
    assert measured("multiclass", rows, NAMES).rows == 1


def test_no_rows_leave_every_metric_undefined() -> None:
    found = measured("multiclass", rows_of([], []), NAMES)
    assert all(metric.value is None and metric.reason for metric in found.metrics)
    assert (found.confusion, found.per_class) == ({}, {})
