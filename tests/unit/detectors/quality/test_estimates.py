"""Estimates without labels: on streams whose labels follow the promised law, and laws of counts."""

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.errors import BaselineInvalid
from detectors.quality.baseline import QualityBaseline
from detectors.quality.calibration import Calibration, CalibrationTable, LossTable
from detectors.quality.counts import QualityCounts
from detectors.quality.estimates.base import Estimator
from detectors.quality.estimates.binary import BinaryEstimator
from detectors.quality.estimates.fitted import fitted_estimator
from detectors.quality.estimates.losses import LossEstimator
from detectors.quality.estimates.multiclass import MulticlassEstimator
from detectors.quality.rows import LabelledRows
from detectors.quality.weighted_scores import weighted_f_score
from detectors.quality_report import EstimateReport, EstimateSection

CONFIDENCE = 0.99
Array = NDArray[np.float64]


def rows(prediction: Array, probability: Array | None = None) -> LabelledRows:
    n = len(prediction)
    scores = np.full(n, np.nan) if probability is None else probability
    ones = np.ones(n, np.int64)
    return LabelledRows(np.asarray(prediction, float), scores, np.full(n, np.nan), ones, 0 * ones)


def one(tallied: list[QualityCounts]) -> QualityCounts:
    assert len(tallied) == 1
    return tallied[0]


def whole(data: LabelledRows) -> NDArray[np.int64]:
    return np.zeros(len(data.prediction), np.int64)


def by_name(section: EstimateSection) -> dict[str, EstimateReport]:
    return {metric.name: metric for metric in section.metrics}


COINS = Calibration(
    edges=(0.5,), tables={"": CalibrationTable(shares=(0.25, 0.75), rows=(1000, 1000))}
)
"""Scores below one half are positive one time in four, the others three times in four."""


def test_binary_metrics_are_those_of_the_expected_cells() -> None:
    """8 of 12 rows answer 1: 6 above and 2 below the edge; 4 answer 0: 1 above and 3 below.

    TP = 6 * 3/4 + 2 * 1/4 = 5, FP = 3, FN = 3/4 + 3/4 = 1.5, TN = 1/4 + 9/4 = 2.5.
    """
    answers = np.repeat([1.0, 0.0], [8, 4])
    scores = np.repeat([0.9, 0.1, 0.9, 0.1], [6, 2, 1, 3])
    data = rows(answers, scores)
    estimator = BinaryEstimator(COINS)
    found = by_name(
        estimator.estimate(one(estimator.tally_predictions(data, whole(data), 1)), (), CONFIDENCE)
    )
    expected = {
        "accuracy": 7.5 / 12,
        "precision": 5 / 8,
        "recall": 5 / 6.5,
        "true_negative_rate": 2.5 / 5.5,
        "f1": 10 / (10 + 3 + 1.5),
    }
    assert {name: found[name].value for name in expected} == pytest.approx(expected)
    # Above: 7 rows, 5.25 positive; below: 5 rows, 1.25 positive.
    pairs = 5.25 * 3.75 + (5.25 * 1.75 + 1.25 * 3.75) / 2
    assert found["auc"].value == pytest.approx(pairs / (6.5 * 5.5))
    assert {metric.n for metric in found.values()} == {12}


def test_a_row_without_a_score_is_in_no_estimate() -> None:
    estimator = BinaryEstimator(COINS)
    data = rows(np.ones(3), np.array([0.9, np.nan, np.nan]))
    found = by_name(
        estimator.estimate(one(estimator.tally_predictions(data, whole(data), 1)), (), CONFIDENCE)
    )
    assert found["precision"].value == pytest.approx(0.75)
    assert found["precision"].n == 1


@pytest.mark.parametrize(
    "estimator",
    [
        BinaryEstimator(COINS),
        MulticlassEstimator(COINS, ("a", "b"), {}),
        LossEstimator(
            LossTable(
                edges=(),
                rows=(9,),
                absolute=(1.0,),
                absolute_variance=(1.0,),
                squared=(2.0,),
                squared_variance=(1.0,),
            )
        ),
    ],
)
def test_counts_add_up_and_are_taken_back(
    estimator: BinaryEstimator | MulticlassEstimator | LossEstimator,
) -> None:
    random = np.random.default_rng(5)
    data = rows(random.integers(0, 2, 400).astype(float), random.random(400))
    group = random.integers(0, 3, 400)
    parts = estimator.tally_predictions(data, group, 3)
    total = one(estimator.tally_predictions(data, whole(data), 1))
    merged = parts[0].plus(parts[1]).plus(parts[2])
    assert merged.cells.tolist() == total.cells.tolist()
    assert merged.counts.tolist() == total.counts.tolist()
    assert int(total.counts.sum()) == 400
    withdrawn = data._replace(weight=-data.weight)
    left = total.plus(one(estimator.tally_predictions(withdrawn, whole(data), 1)))
    assert len(left.cells) == 0
    empty = estimator.estimate(QualityCounts(), ("a", "b"), CONFIDENCE)
    assert [metric.value for metric in empty.metrics] == [None] * len(empty.metrics)
    assert {metric.n for metric in empty.metrics} == {0}


def test_multiclass_accuracy_is_the_mean_calibrated_score() -> None:
    calibration = Calibration(
        edges=(0.5,),
        tables={
            "": CalibrationTable(shares=(0.4, 0.8), rows=(500, 500)),
            "cat": CalibrationTable(shares=(0.5, 0.9), rows=(500, 500)),
        },
    )
    confusion = {"cat": {"cat": 8}, "dog": {"cat": 3, "dog": 5}, "cow": {"cat": 1, "cow": 4}}
    estimator = MulticlassEstimator(calibration, ("cat", "cow", "dog"), confusion)
    data = rows(np.repeat([1.0, 0.0], [10, 10]), np.repeat([0.9, 0.1], [10, 10]))
    # The service's codes are its own: 1 is cat here, 0 is dog.
    counts = one(estimator.tally_predictions(data, whole(data), 1))
    found = by_name(estimator.estimate(counts, ("dog", "cat"), CONFIDENCE))
    assert found["accuracy"].value == pytest.approx((10 * 0.9 + 10 * 0.4) / 20)
    # Wrong answers "cat" are dogs three times in four; wrong answers "dog" were never seen, so they
    # are spread as cats and cows are in the baseline: 8 to 5.
    cat, cow, dog = 9 + 6 * 8 / 13, 0.25 + 6 * 5 / 13, 4 + 0.75
    matrix = np.array([[9, 0, 6 * 8 / 13], [0.25, 0, 6 * 5 / 13], [0.75, 0, 4]])
    precision = (cat * 9 / 10 + dog * 4 / 10) / 20
    assert matrix.sum(1) == pytest.approx([cat, cow, dog])
    assert found["weighted_precision"].value == pytest.approx(precision)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 2.0])
def test_the_derivatives_of_weighted_scores_are_those_of_small_steps(beta: float) -> None:
    matrix = np.random.default_rng(2).integers(1, 50, (4, 4)).astype(float)
    _, slopes = weighted_f_score(matrix, beta)
    step = 1e-4
    for cell in np.ndindex(4, 4):
        change = np.zeros((4, 4))
        change[cell] = step
        up, down = weighted_f_score(matrix + change, beta), weighted_f_score(matrix - change, beta)
        assert slopes[cell] == pytest.approx((up[0] - down[0]) / (2 * step), rel=1e-5, abs=1e-9)


def test_a_loss_is_the_mean_of_the_bins() -> None:
    table = LossTable(
        edges=(10.0,),
        rows=(100, 100),
        absolute=(1.0, 3.0),
        absolute_variance=(0.0, 0.0),
        squared=(2.0, 10.0),
        squared_variance=(0.0, 0.0),
    )
    estimator = LossEstimator(table)
    data = rows(np.array([-1e9, 0.0, 9.9, 10.0, np.nan]))
    found = by_name(
        estimator.estimate(one(estimator.tally_predictions(data, whole(data), 1)), (), CONFIDENCE)
    )
    values = {name: metric.value for name, metric in found.items()}
    assert values == pytest.approx({"mae": 6 / 4, "mse": 16 / 4, "rmse": 2.0})
    assert found["mae"].low == found["mae"].high == pytest.approx(1.5)
    assert found["mae"].n == 4


@pytest.mark.parametrize(
    ("problem", "method", "message"),
    [
        ("regression", "cbpe", "estimated by dle, not by cbpe"),
        ("binary", "dle", "estimated by cbpe, not by dle"),
        ("binary", "cbpe", "calibration: none, which cbpe needs"),
        ("regression", "dle", "losses: none, which dle needs"),
    ],
)
def test_an_estimate_that_the_baseline_has_no_table_for_is_refused(
    problem: str, method: str, message: str
) -> None:
    baseline = QualityBaseline(problem=problem, rows=0, metrics={}, constraints={})  # type: ignore[arg-type]
    with pytest.raises(BaselineInvalid, match=message):
        fitted_estimator(baseline, method)  # type: ignore[arg-type]


ESTIMATORS: dict[str, Estimator] = {
    "binary": BinaryEstimator(COINS),
    "multiclass": MulticlassEstimator(
        Calibration(edges=(0.5,), tables=COINS.tables),
        ("a", "b"),
        {"a": {"a": 700, "b": 300}, "b": {"a": 0, "b": 10}},
    ),
    "regression": LossEstimator(
        LossTable(
            edges=(0.5,),
            rows=(10, 10),
            absolute=(0.5, 0.25),
            absolute_variance=(0.3, 0.1),
            squared=(0.3, 0.1),
            squared_variance=(0.1, 0.02),
        )
    ),
}


@pytest.mark.parametrize("problem", ESTIMATORS)
def test_an_estimate_can_be_published(problem: str) -> None:
    estimator = ESTIMATORS[problem]
    data = rows(np.zeros(4), np.array([0.1, 0.9, 0.6, 0.4]))
    section = estimator.estimate(
        one(estimator.tally_predictions(data, whole(data), 1)), ("a", "b"), CONFIDENCE
    )
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(section), type=EstimateSection) == section
