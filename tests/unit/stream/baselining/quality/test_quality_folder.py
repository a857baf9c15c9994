"""The folder of a quality baseline: round trips, edits, faults, and what fits a configuration."""

import json
import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from detectors.decisions.metric_rulings import is_beyond
from detectors.errors import BaselineInvalid
from detectors.quality.baseline import BaselineMetric, MetricConstraint, QualityBaseline
from detectors.quality.config import MetricLimit, QualityConfig
from detectors.quality.intervals import share_metric
from detectors.quality.rows import LabelledRows
from stream.baselining.quality.build import BuiltQuality, make_quality
from stream.baselining.quality.folder import (
    load_quality,
    quality_constraints_were_edited,
    write_quality,
)
from stream.baselining.quality.limits import limit_faults, metric_rules
from stream.baselining.quality.problems import baseline_problem, metric_names
from stream.baselining.quality.rows import QualityColumns, QualityRows
from stream.errors import ConfigError

COLUMNS = QualityColumns(problem="binary", label="y", prediction="p", probability="s")


@pytest.fixture(scope="module")
def built() -> BuiltQuality:
    random = np.random.default_rng(9)
    scores = random.random(400)
    ones = np.ones(400, np.int64)
    label = (random.random(400) < scores).astype(float)
    rows = LabelledRows((scores > 0.5).astype(float), scores, label, ones, 0 * ones)
    return make_quality(QualityRows(rows, ("no", "yes"), {}), COLUMNS)


def edited(folder: Path, **changes: Any) -> None:
    """Changes the constraints of metrics; ``None`` removes one."""
    path = folder / "constraints.json"
    document = json.loads(path.read_text())
    for name, change in changes.items():
        metrics = document["binary_classification_constraints"]
        if change is None:
            del metrics[name]
        else:
            metrics[name] = change
    path.write_text(json.dumps(document))


def test_a_baseline_comes_back_as_it_was_written(built: BuiltQuality, tmp_path: Path) -> None:
    write_quality(built, tmp_path)
    loaded = load_quality(tmp_path)
    assert loaded == built.baseline
    assert (loaded.negative, loaded.positive) == ("no", "yes")
    assert loaded.fingerprint == built.baseline.fingerprint
    problem = baseline_problem("binary", loaded.score_edges)
    again = problem.measure(loaded.counts, loaded.classes, 0.95)
    assert again == built.measured
    assert {path.name for path in tmp_path.iterdir()} == {
        "statistics.json",
        "constraints.json",
        "quality.msgpack",
    }


def test_the_fingerprint_covers_everything_but_the_constraints(built: BuiltQuality) -> None:
    baseline = built.baseline
    assert baseline.constrained({}).fingerprint == baseline.fingerprint
    other = msgspec.structs.replace(baseline, threshold=0.25)
    assert other.fingerprint != baseline.fingerprint


@pytest.mark.parametrize("position", [0, 1, 40, 300, -1])
def test_a_damaged_file_is_refused(built: BuiltQuality, position: int) -> None:
    data = bytearray(built.baseline.encode())
    data[position] ^= 0x55
    with pytest.raises(BaselineInvalid):
        QualityBaseline.decode(bytes(data))
    with pytest.raises(BaselineInvalid):
        QualityBaseline.decode(built.baseline.encode()[:-3])


def test_edited_constraints_take_precedence(built: BuiltQuality, tmp_path: Path) -> None:
    write_quality(built, tmp_path)
    assert not quality_constraints_were_edited(tmp_path)
    better = {"threshold": 0.75, "comparison_operator": "LessThanThreshold"}
    edited(tmp_path, f1=better, recall=None, brier={**better, "threshold": 1})
    loaded = load_quality(tmp_path)
    assert loaded.constraints["f1"] == MetricConstraint(0.75, "LessThanThreshold")
    assert loaded.constraints["brier"].threshold == 1
    assert "recall" not in loaded.constraints
    assert loaded.fingerprint == built.baseline.fingerprint
    assert quality_constraints_were_edited(tmp_path)


def test_all_faults_of_the_constraints_are_told_at_once(
    built: BuiltQuality, tmp_path: Path
) -> None:
    write_quality(built, tmp_path)
    less = "LessThanThreshold"
    edited(
        tmp_path,
        f1={"threshold": "high", "comparison_operator": less},
        acuracy={"threshold": 0.5, "comparison_operator": less},
        auc={"threshold": 0.5, "comparison_operator": "LessThan"},
        recall={"treshold": 0.5, "comparison_operator": less},
        precision=0.7,
    )
    with pytest.raises(ConfigError) as caught:
        load_quality(tmp_path)
    assert caught.value.file == str(tmp_path / "constraints.json")
    base = "binary_classification_constraints"
    found = {fault.path.removeprefix(base + "."): fault for fault in caught.value.faults}
    assert set(found) == {
        "f1.threshold",
        "acuracy",
        "auc.comparison_operator",
        "recall.treshold",
        "recall.threshold",
        "precision",
    }
    assert found["f1.threshold"].reason == "expected a finite number, found 'high'"
    assert "did you mean 'accuracy'?" in found["acuracy"].reason
    assert found["auc.comparison_operator"].valid == (less, "GreaterThanThreshold")
    assert quality_constraints_were_edited(tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not JSON"),
        ("[]", "expected a mapping, found a list"),
        ('{"version": 0.0}', "expected one of binary_classification_constraints"),
        ('{"regression_constraints": {}}', "expected constraints of a binary problem"),
        ('{"binary_classification_constraints": {}, "version": 0, "version": 1}', "twice"),
        ('{"binary_classification_constraints": 1}', "expected a mapping of metrics, found 1"),
        ('{"binary_classification_constraints": {}, "featurs": []}', "unknown key"),
        (
            """{"binary_classification_constraints":
                {"f1": {"threshold": NaN, "comparison_operator": "LessThanThreshold"}}}""",
            "expected a finite number, found nan",
        ),
    ],
)
def test_a_file_that_is_no_file_of_constraints_is_refused(
    built: BuiltQuality, tmp_path: Path, text: str, reason: str
) -> None:
    write_quality(built, tmp_path)
    (tmp_path / "constraints.json").write_text(text)
    with pytest.raises(ConfigError, match=reason):
        load_quality(tmp_path)


def test_a_folder_without_a_quality_baseline_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(BaselineInvalid, match="driftline baseline FILE --quality"):
        load_quality(tmp_path)


def sagemaker_folder(folder: Path, statistics: str) -> Path:
    constraint = {"threshold": 0.9, "comparison_operator": "LessThanThreshold"}
    document = {"version": 0.0, "binary_classification_constraints": {"accuracy": constraint}}
    (folder / "constraints.json").write_text(json.dumps(document))
    (folder / "statistics.json").write_text(statistics)
    return folder


def test_files_of_sagemaker_without_ours_are_a_baseline(tmp_path: Path) -> None:
    metrics = {
        "confusion_matrix": {"0": {"0": 5, "1": 1}, "1": {"0": 0, "1": 4}},
        "accuracy": {"value": 0.9, "standard_deviation": 0.01},
        "auc": {"value": 1, "standard_deviation": "NaN"},
    }
    document = {"dataset": {"item_count": 10}, "binary_classification_metrics": metrics}
    baseline = load_quality(sagemaker_folder(tmp_path, json.dumps(document)))
    assert (baseline.rows, baseline.metrics["auc"].value) == (10, 1)
    assert baseline.confusion["0"] == {"0": 5, "1": 1}
    assert (baseline.counts.cells.tolist(), baseline.calibration) == ([], None)
    # The error of all rows is twice the deviation of subsamples of 80 %.
    rule = metric_rules(QualityConfig(problem="binary"), baseline)["accuracy"]
    assert rule.limit_error == pytest.approx(0.02)


def test_statistics_of_another_problem_are_a_fault(tmp_path: Path) -> None:
    folder = sagemaker_folder(tmp_path, '{"regression_metrics": {}}')
    with pytest.raises(ConfigError, match="no key binary_classification_metrics"):
        load_quality(folder)


def test_constraints_are_the_limits_unless_the_configuration_has_some(
    built: BuiltQuality,
) -> None:
    limits = {"f1": MetricLimit(min=0.5), "brier": MetricLimit(min=0.0, max=0.25)}
    rules = metric_rules(QualityConfig(problem="binary", limits=limits), built.baseline)
    known = built.baseline.metrics
    assert (rules["f1"].low, rules["f1"].high, rules["f1"].limit_error) == (0.5, None, 0.0)
    assert (rules["brier"].low, rules["brier"].high) == (0.0, 0.25)
    assert (rules["auc"].low, rules["auc"].high) == (known["auc"].value, None)
    rate = rules["false_positive_rate"]
    assert (rate.low, rate.high) == (None, known["false_positive_rate"].value)
    judged = {name for name, rule in rules.items() if rule.judged}
    assert judged == {*limits, *built.baseline.constraints}
    assert not rules["log_loss"].judged
    assert rules["log_loss"].baseline == known["log_loss"].value


def test_a_limit_that_is_the_value_of_the_baseline_has_its_sampling_error(
    built: BuiltQuality, tmp_path: Path
) -> None:
    """Of a share p of n rows about sqrt(p q / n), as Wilson has it; a stated one has none."""
    accuracy = built.baseline.metrics["accuracy"].value
    assert accuracy is not None
    rules = metric_rules(QualityConfig(problem="binary"), built.baseline)
    expected = (accuracy * (1 - accuracy) / 400) ** 0.5
    assert rules["accuracy"].limit_error == pytest.approx(expected, rel=0.1)
    write_quality(built, tmp_path)
    stated = {"threshold": 0.7, "comparison_operator": "LessThanThreshold"}
    edited(tmp_path, accuracy=stated)
    rules = metric_rules(QualityConfig(problem="binary"), load_quality(tmp_path))
    assert (rules["accuracy"].low, rules["accuracy"].limit_error) == (0.7, 0.0)


def test_a_healthy_window_seldom_misses_the_value_of_a_small_baseline() -> None:
    """A baseline of 200 rows and windows of 100,000, both right nine times in ten.

    Against the baseline's exact value nearly half of the windows would violate; one in 200 may, by
    a confidence of 99 % on two sides. More than 14 of 1,000 have a probability below 0.001.
    """
    random = np.random.default_rng(12)
    found = 0
    for right, of_window in zip(
        random.binomial(200, 0.9, 1_000), random.binomial(100_000, 0.9, 1_000), strict=True
    ):
        known = share_metric("accuracy", int(right), 200, 0.95, "")
        metric = BaselineMetric(value=known.value, low=known.low, high=known.high)
        constraint = MetricConstraint(right / 200, "LessThanThreshold")
        baseline = QualityBaseline(
            problem="binary",
            rows=200,
            metrics={"accuracy": metric},
            constraints={"accuracy": constraint},
        )
        rule = metric_rules(QualityConfig(problem="binary"), baseline)["accuracy"]
        window = share_metric("accuracy", int(of_window), 100_000, 0.99, "")
        found += is_beyond(window, rule, 0.99)
    assert found <= 14


def test_metrics_choose_what_is_judged_also_without_a_constraint(built: BuiltQuality) -> None:
    config = QualityConfig(problem="binary", metrics=["brier", "recall"])
    rules = metric_rules(config, built.baseline)
    assert {name for name, rule in rules.items() if rule.judged} == {"brier", "recall"}
    assert rules["brier"].high == built.baseline.metrics["brier"].value
    assert rules["brier"].low is None


def test_a_stated_limit_judges_also_beside_metrics(built: BuiltQuality) -> None:
    limits = {"brier": MetricLimit(max=0.2)}
    config = QualityConfig(problem="binary", metrics=["recall"], limits=limits)
    rules = metric_rules(config, built.baseline)
    assert {name for name, rule in rules.items() if rule.judged} == {"brier", "recall"}
    assert rules["brier"].high == 0.2


def test_limits_alone_judge_without_a_baseline() -> None:
    config = QualityConfig(problem="regression", limits={"mae": MetricLimit(max=3.0)})
    rules = metric_rules(config, None)
    assert {name: (rule.high, rule.judged) for name, rule in rules.items()} == {"mae": (3.0, True)}


def test_the_faults_of_limits_name_the_valid_metrics() -> None:
    config = QualityConfig(
        problem="regression",
        metrics=["rmsee", "mae", "cost"],
        limits={
            "r3": MetricLimit(min=0.0),
            "mse": MetricLimit(),
            "rmse": MetricLimit(min=2.0, max=1.0),
            "bias": MetricLimit(min=-1.0, max=math.nan),
        },
        custom={"cost": "a:B", "mae": "a:B"},
    )
    found = {
        fault.path: fault
        for fault in limit_faults(config, None, metric_names("regression"), "models.m.quality")
    }
    assert set(found) == {
        "models.m.quality.limits.r3",
        "models.m.quality.limits.mse",
        "models.m.quality.limits.rmse",
        "models.m.quality.limits.bias",
        "models.m.quality.custom.mae",
        "models.m.quality.metrics[0]",
        "models.m.quality.metrics[1]",
        "models.m.quality.metrics[2]",
    }
    assert {"mae", "r2", "cost"} <= set(found["models.m.quality.metrics[0]"].valid)
    assert "give limits.mae min or max" in found["models.m.quality.metrics[1]"].reason
