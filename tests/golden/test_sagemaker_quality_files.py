"""Files of SageMaker Model Monitor's model quality: what it wrote for an input, we write too."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from stream.baselining.quality.folder import load_quality
from stream.cli import main
from tests.support.paths import SHARED

GOLDEN = SHARED / "golden_model_quality_regression_100rows"
CHURN = SHARED / "churn_demo" / "validation_with_predictions.csv"

needs_golden = pytest.mark.skipif(not GOLDEN.exists(), reason=f"{GOLDEN} is absent")
needs_churn = pytest.mark.skipif(not CHURN.exists(), reason=f"{CHURN} is absent")


def made(folder: Path, *arguments: object) -> tuple[dict[str, Any], dict[str, Any]]:
    command = ["baseline", *map(str, arguments), "--out", str(folder)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    files = (folder / "statistics.json", folder / "constraints.json")
    statistics, constraints = (json.loads(file.read_text()) for file in files)
    return statistics, constraints


def leaves(document: object, path: str = "") -> dict[str, object]:
    if not isinstance(document, dict):
        return {path: document}
    parts = (leaves(value, f"{path}/{key}") for key, value in document.items())
    return {name: value for part in parts for name, value in part.items()}


@needs_golden
def test_the_files_of_a_regression_are_those_of_sagemaker(tmp_path: Path) -> None:
    roles = ("--label", "Prediction", "--prediction", "Label")  # swapped in this file
    data = GOLDEN / "baseline_dataset.csv"
    for found, name in zip(
        made(tmp_path, data, "--quality", "regression", *roles),
        ("statistics.json", "constraints.json"),
        strict=True,
    ):
        expected = leaves(json.loads((GOLDEN / name).read_text()))
        numbers = {path: value for path, value in expected.items() if not isinstance(value, str)}
        assert set(leaves(found)) == set(expected)
        assert {path: leaves(found)[path] for path in numbers} == pytest.approx(numbers, rel=1e-12)
        texts = set(expected) - set(numbers)
        assert {leaves(found)[path] == expected[path] for path in texts} == {True}


@needs_golden
def test_a_folder_of_sagemaker_is_a_baseline(tmp_path: Path) -> None:
    for name in ("statistics.json", "constraints.json"):
        (tmp_path / name).write_bytes((GOLDEN / name).read_bytes())
    baseline = load_quality(tmp_path)
    assert (baseline.problem, baseline.rows) == ("regression", 100)
    assert baseline.constraints["r2"].threshold == -3.208758170289026
    assert baseline.constraints["mae"].comparison_operator == "GreaterThanThreshold"
    assert baseline.metrics["mae"].value == 0.5040653554420981
    assert baseline.metrics["mae"].standard_deviation is None


@needs_churn
def test_the_files_of_a_binary_model_have_the_known_numbers(tmp_path: Path) -> None:
    """The auc is the threshold that SageMaker's own run on this file suggested."""
    options = ("--label", "label", "--prediction", "prediction", "--probability", "probability")
    statistics, constraints = made(tmp_path, CHURN, "--quality", "binary", *options)
    metrics = statistics["binary_classification_metrics"]
    limits = constraints["binary_classification_constraints"]
    assert statistics["dataset"] == {"item_count": 201}
    assert limits["auc"]["threshold"] == pytest.approx(0.9395127993393898, rel=1e-12)
    assert metrics["precision_best_constant_classifier"]["value"] == 0
    assert {len(row) for row in metrics["confusion_matrix"].values()} == {2}
    assert metrics["accuracy"]["standard_deviation"] > 0
    assert not {name for name in limits if "constant" in name or "curve" in name}
