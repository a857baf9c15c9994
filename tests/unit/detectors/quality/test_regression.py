"""Metrics of regression, compared with SageMaker's file, scikit-learn and closed forms."""

import csv
import json
from fractions import Fraction

import numpy as np
import pytest
from sklearn import metrics as reference

from tests.support.paths import SHARED
from tests.unit.detectors.quality.cases import by_name, measured, rows_of, values

GOLDEN = SHARED / "golden_model_quality_regression_100rows"


def test_the_hundred_rows_of_sagemaker_have_its_metrics() -> None:
    if not GOLDEN.exists():
        pytest.skip(f"component fixtures cannot be had: {GOLDEN.name} of SageMaker is missing")
    with (GOLDEN / "baseline_dataset.csv").open() as file:
        table = list(csv.DictReader(file))
    label = [float(row["Prediction"]) for row in table]  # that run had the roles the other way
    predicted = [float(row["Label"]) for row in table]
    value = values(measured("regression", rows_of(predicted, label)))
    stated = json.loads((GOLDEN / "statistics.json").read_text())["regression_metrics"]
    expected = {name: metric["value"] for name, metric in stated.items()}
    assert {name: value[name] for name in expected} == pytest.approx(expected, rel=1e-12)


def test_metrics_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(3)
    label = random.gamma(2, 3, 3_000)
    predicted = label + random.normal(0.2, 1, 3_000)
    value = values(measured("regression", rows_of(predicted, label)))
    assert value["mae"] == pytest.approx(reference.mean_absolute_error(label, predicted), rel=1e-13)
    assert value["mse"] == pytest.approx(reference.mean_squared_error(label, predicted), rel=1e-13)
    rmse = reference.root_mean_squared_error(label, predicted)
    assert value["rmse"] == pytest.approx(rmse, rel=1e-13)
    assert value["r2"] == pytest.approx(reference.r2_score(label, predicted), rel=1e-12)
    assert value["bias"] == pytest.approx((predicted - label).mean(), rel=1e-12)


def test_quantiles_of_the_error_are_within_the_width_of_a_bin() -> None:
    random = np.random.default_rng(4)
    error = random.standard_t(3, 20_000)
    value = values(measured("regression", rows_of(error, np.zeros(20_000))))
    for share in (5, 50, 95):
        exact = np.quantile(error, share / 100)
        assert value[f"error_p{share:02}"] == pytest.approx(exact, rel=1 / 32, abs=1e-3)
    for share in (50, 95, 99):
        exact = np.quantile(np.abs(error), share / 100)
        assert value[f"absolute_error_p{share}"] == pytest.approx(exact, rel=1 / 32)


def test_r2_of_labels_far_from_0_is_exact_where_doubles_would_cancel() -> None:
    label = 1e9 + np.array([0.0, 1e-3, 2e-3, 5e-3])
    predicted = label + np.array([1e-4, -1e-4, 2e-4, 0.0])
    exact = [Fraction(x) for x in label.tolist()]
    mean = sum(exact) / 4
    sst = sum((x - mean) ** 2 for x in exact)
    sse = sum(Fraction(e) ** 2 for e in (predicted - label).tolist())
    found = by_name(measured("regression", rows_of(predicted, label)))["r2"]
    assert found.value == float(1 - sse / sst)
    assert found.low is None  # the fourth moment about the mean is lost in rounding


@pytest.mark.parametrize(
    ("label", "reason"), [([2.0, 2.0], "all labels are equal"), ([2.0], "only one label")]
)
def test_r2_is_undefined_without_spread(label: list[float], reason: str) -> None:
    found = by_name(measured("regression", rows_of([1.0] * len(label), label)))
    assert (found["r2"].value, found["r2"].reason) == (None, reason)
    assert found["mae"].value == 1.0


def test_values_that_are_not_finite_or_out_of_range_are_in_no_metric() -> None:
    predicted = [1.0, np.nan, np.inf, 1e80, 3.0]
    found = measured("regression", rows_of(predicted, [1.0, 1.0, 1.0, 1.0, np.nan]))
    assert (found.rows, values(found)["mae"]) == (1, 0.0)


def test_no_rows_leave_every_metric_undefined() -> None:
    found = measured("regression", rows_of([], []))
    assert all(metric.value is None and metric.reason for metric in found.metrics)


def test_errors_of_the_smallest_and_of_large_doubles_do_not_break_the_intervals() -> None:
    tiny = by_name(measured("regression", rows_of([5e-324, 1e-320, 0.0], [0.0, 5e-324, 1e-323])))
    assert tiny["mae"].value == float(
        sum(Fraction(x) for x in (5e-324, 1e-320 - 5e-324, 1e-323)) / 3
    )
    large = by_name(measured("regression", rows_of([1e75, -1e75, 0.0], [-1e75, 1e75, 1e75])))
    assert large["mae"].value == pytest.approx(5e75 / 3, rel=1e-15)


def test_rows_that_are_too_large_are_in_no_metric_and_are_told() -> None:
    found = measured("regression", rows_of([1e308, 2.0, -1e308], [1.0, 1.0, -1e308]))
    assert found.rows == 1
    [note] = found.notes
    assert note == "2 labelled rows with a prediction or label beyond 1.8e+75 are in no metric"
