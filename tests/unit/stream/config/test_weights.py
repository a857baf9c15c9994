"""Weights of features, in the configuration or in a file of importances."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stream.config.load import parse
from stream.config.weights import rules_of_features
from stream.errors import ConfigError


def config(weights: Any) -> dict[str, Any]:
    return {
        "job": "j",
        "source": {"type": "jsonl", "path": "p"},
        "format": {"type": "json"},
        "model": {"from": "const", "name": "m"},
        "models": {"m": {"baseline": "b", "weights": weights, "features": {"x": {"effect": 0.3}}}},
    }


def weights(data: dict[str, Any], folder: Path) -> dict[str, float]:
    rules = rules_of_features(parse(data, folder).models["m"])
    assert rules["x"].effect == 0.3
    return {name: rule.weight for name, rule in rules.items()}


def test_weights_are_rules_of_their_features(tmp_path: Path) -> None:
    assert weights(config({"x": 3, "y": 0}), tmp_path) == {"x": 3.0, "y": 0.0}
    assert weights(config({}), tmp_path) == {"x": 1.0}


def test_importances_are_divided_by_their_mean(tmp_path: Path) -> None:
    (tmp_path / "importances.json").write_text(json.dumps({"x": 0.3, "y": 0.1}))
    assert weights(config("importances.json"), tmp_path) == pytest.approx({"x": 1.5, "y": 0.5})


@pytest.mark.parametrize("content", [None, "[]", '{"x": -1}', '{"x": "much"}', "not JSON"])
def test_a_file_that_is_no_mapping_of_numbers_is_a_fault(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "importances.json").write_text(content)
    with pytest.raises(ConfigError) as raised:
        parse(config("importances.json"), tmp_path)
    (fault,) = raised.value.faults
    assert fault.path == "models.m.weights"
    assert "importances.json" in fault.reason


def test_a_negative_weight_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        parse(config({"x": -1}), tmp_path)


@pytest.mark.parametrize("weight", [1e308, 1e-320, 2e6, 1e-7, float("inf"), float("nan")])
@pytest.mark.parametrize("key", ["weights", "features"])
def test_a_weight_of_another_size_is_a_fault(tmp_path: Path, key: str, weight: float) -> None:
    """A sum of such weights overflows or vanishes, and with it the budget of every feature."""
    data = config({"y": weight} if key == "weights" else {})
    if key == "features":
        data["models"]["m"]["features"] = {"y": {"weight": weight}}
    with pytest.raises(ConfigError) as raised:
        parse(data, tmp_path)
    (fault,) = raised.value.faults
    assert fault.path == (
        "models.m.weights.y" if key == "weights" else "models.m.features.y.weight"
    )
    assert "expected 0, or a number from 0.000001 to 1,000,000" in fault.reason


@pytest.mark.parametrize("weight", [0, 1e-6, 1e6])
def test_the_smallest_and_the_largest_weight_are_valid(tmp_path: Path, weight: float) -> None:
    assert weights(config({"y": weight}), tmp_path)["y"] == weight


def test_an_importance_that_is_too_small_a_part_of_their_mean_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "importances.json").write_text(json.dumps({"x": 1.0, "y": 1e-9, "z": 0.0}))
    with pytest.raises(ConfigError) as raised:
        parse(config("importances.json"), tmp_path)
    (fault,) = raised.value.faults
    assert fault.path == "models.m.weights"
    assert "the importance of 'y' in 'importances.json' is 3e-09 times their mean" in fault.reason


@pytest.mark.parametrize("each", [1e308, 1e-300, 5.0])
def test_the_scale_of_importances_is_of_no_importance(tmp_path: Path, each: float) -> None:
    (tmp_path / "importances.json").write_text(json.dumps({"x": each, "y": each}))
    assert weights(config("importances.json"), tmp_path) == {"x": 1.0, "y": 1.0}
