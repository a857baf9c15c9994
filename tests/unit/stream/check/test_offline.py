"""Warnings of the offline check about what a configuration will not do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detectors.profiles.baseline import Baseline
from stream.check.offline import summary, warnings
from stream.config.environment import Environment
from stream.config.load import parse
from tests.support.jobs import config, learn_from


def warned(folder: Path, outputs: tuple[str, ...] = ("price",), **changes: Any) -> list[str]:
    """The warnings of a job whose baseline has 2,000 rows of ``area``, ``rooms`` and ``price``."""
    rng = np.random.default_rng(1)
    cells = {
        "area": rng.normal(50.0, 10.0, 2_000).astype(str).tolist(),
        "rooms": rng.integers(1, 6, 2_000).astype(str).tolist(),
        "price": rng.normal(300.0, 30.0, 2_000).astype(str).tolist(),
    }
    kept = cells if outputs else {name: cells[name] for name in ("area", "rooms")}
    model = {"baseline": str(learn_from(kept, outputs, folder)), **changes.pop("model", {})}
    rules = {"mode": "threshold", **changes.pop("rules", {})}
    data = config("", models={"m": model}, rules=rules, **changes)
    return warnings(parse(data, folder), Environment())


def test_an_ordinary_configuration_has_no_warning(tmp_path: Path) -> None:
    assert warned(tmp_path) == []


def test_the_summary_names_the_schedules_of_the_sinks(tmp_path: Path) -> None:
    baseline = learn_from({"price": ["1.5", "2.5"] * 100}, ("price",), tmp_path)
    models = {"m": {"baseline": str(baseline)}}
    sinks = [{"type": "jsonl", "path": each, "schedule": each} for each in ("1h", "1d", "60m")]
    lines = summary(parse(config("", models=models, sinks=sinks), tmp_path))
    assert lines[-1] == "schedules of 1 h and 1 d: each period is also reported as a whole"
    assert "schedules" not in summary(parse(config("", models=models), tmp_path))[-1]


@pytest.mark.parametrize("limit", [0.3, 1.0])
def test_a_limit_above_the_noise_of_the_smallest_window_is_no_warning(
    tmp_path: Path, limit: float
) -> None:
    assert warned(tmp_path, rules={"limit": limit, "min_n": 1_000}) == []


def test_a_limit_below_the_noise_of_small_windows_names_the_rows_that_it_needs(
    tmp_path: Path,
) -> None:
    (warning,) = warned(tmp_path, model={"features": {"area": {"limit": 0.05}}})
    assert warning.startswith(
        "models.m.features.area.limit: 0.05 has no effect in windows of fewer than about 1,000 rows"
    )


def test_a_limit_below_the_noise_of_the_baseline_has_no_effect_at_all(tmp_path: Path) -> None:
    """PSI of two samples exceeds 9 / 2,000 by chance, however large the other sample is."""
    (warning,) = warned(tmp_path, rules={"limit": 0.001})
    assert "rules.limit" in warning
    assert "0.001 has no effect: the noise floor is 0.01" in warning
    assert "in windows of any size" in warning


def test_a_feature_with_a_limit_of_its_own_is_warned_about_by_itself(tmp_path: Path) -> None:
    found = warned(
        tmp_path, rules={"limit": 0.001}, model={"features": {"area": {"limit": 0.0001}}}
    )
    assert [text.partition(":")[0] for text in found] == [
        "models.m.features.area.limit",
        "rules.limit (feature 'price' of model m)",
    ]


def test_a_disabled_feature_has_no_limit_to_warn_about(tmp_path: Path) -> None:
    off = {"features": {"area": {"limit": 0.001, "enabled": False}}}
    assert warned(tmp_path, model=off) == []


def test_predictions_that_are_in_no_baseline_are_told(tmp_path: Path) -> None:
    (warning,) = warned(tmp_path, outputs=())
    assert "models.m: predictions are not monitored" in warning
    assert "outputs" in warning


@pytest.mark.parametrize(("prediction", "told"), [("", 0), ("answer.price", 1)])
def test_plain_events_have_predictions_only_where_a_path_leads_to_them(
    tmp_path: Path, prediction: str, told: int
) -> None:
    plain = {"type": "json", "prediction": prediction}
    assert len(warned(tmp_path, outputs=(), format=plain)) == told


def test_a_model_whose_predictions_are_learned_is_told_how_long_it_is_silent(
    tmp_path: Path,
) -> None:
    columns = {"outputs": ["price"], "inputs": ["area", "rooms"]}
    (warning,) = warned(tmp_path, outputs=(), model=columns, learn={"events": 700})
    assert warning.startswith(
        "models.m: the baseline of price is learned from the first 700 rows; until then no window"
    )


def test_a_model_whose_whole_baseline_is_learned_is_told_too(tmp_path: Path) -> None:
    model = {"baseline": "learn", "outputs": ["price"], "inputs": ["area"]}
    data = config("", models={"m": model})
    (warning,) = warnings(parse(data, tmp_path), Environment())
    assert warning.startswith("models.m: the baseline is learned from the first 5,000 rows")


def quality(**keys: Any) -> dict[str, Any]:
    """The keys of a job that measures the quality of its prices."""
    regression = {"problem": "regression", "prediction": "price", **keys}
    labels = {"source": {"type": "jsonl", "path": "labels"}, "format": {"type": "ground_truth"}}
    return {"model": {"quality": regression}, "labels": labels}


def test_a_quality_that_nothing_judges_is_warned_about(tmp_path: Path) -> None:
    (warning,) = warned(tmp_path, **quality())
    assert warning.startswith("models.m.quality: no metric has a limit, so nothing is judged")


@pytest.mark.parametrize(
    "keys",
    [{"limits": {"rmse": {"max": 9.0}}}, {"error_detectors": [{"type": "adwin", "unit": 9.0}]}],
)
def test_a_limit_or_a_detector_of_the_error_is_enough(tmp_path: Path, keys: dict[str, Any]) -> None:
    assert warned(tmp_path, **quality(**keys)) == []


def edited(folder: Path, mode: str = "threshold", **drift: object) -> list[str]:
    """The warnings of a baseline of a number and two texts with other distribution constraints."""
    rng = np.random.default_rng(1)
    cells = {
        "area": rng.normal(50.0, 10.0, 2_000).astype(str).tolist(),
        "kind": rng.choice(["flat", "house"], 2_000).tolist(),
        "heating": rng.choice(["gas", "oil", "heat pump"], 2_000).tolist(),
    }
    baseline = learn_from(cells, ("area",), folder)
    path = baseline / "constraints.json"
    data = json.loads(path.read_text())
    data["monitoring_config"]["distribution_constraints"].update(drift)
    path.write_text(json.dumps(data))
    job = config("", models={"m": {"baseline": str(baseline)}}, rules={"mode": mode})
    return warnings(parse(job, folder), Environment())


def test_a_comparison_without_noise_says_how_often_chance_violates(tmp_path: Path) -> None:
    """A gap of 0.3 is nearly never chance in 100 rows, one of 0.02 nearly always."""
    wide, narrow = (
        warning
        for gap in (0.3, 0.02)
        for warning in edited(
            tmp_path,
            comparison_method="Simple",
            comparison_threshold=gap,
            categorical_comparison_threshold=gap,
        )
    )
    for warning in (wide, narrow):
        assert "comparison_method is Simple" in warning
        assert "of the windows of 100 rows" in warning
    shares = [float(re.findall(r"up to ([\d.]+) %", each)[0]) for each in (wide, narrow)]
    assert shares[0] < 1.0 < 95.0 < shares[1]


def test_a_p_value_says_how_often_chance_violates(tmp_path: Path) -> None:
    """One of two texts violates in 1 - 0.95**2 of the windows."""
    chi = {"categorical_drift_method": "ChiSquared"}
    (warning,) = edited(tmp_path, **chi, categorical_comparison_threshold=0.05)
    assert "a p-value below 0.05 is a violation" in warning
    assert "9.8 % of the windows have one among 2 features of text" in warning


def test_thresholds_of_distances_that_evidence_does_not_read_are_named(tmp_path: Path) -> None:
    own = {"comparison_threshold": 0.2, "categorical_drift_method": "ChiSquared"}
    (warning,) = edited(tmp_path, mode="evidence", **own)
    assert warning.startswith(
        "models.m.baseline: comparison_threshold, categorical_drift_method in constraints.json: no"
        " effect on verdicts"
    )
    written = {"comparison_threshold": 0.1, "categorical_comparison_threshold": 0.1}
    methods = {"comparison_method": "Robust", "categorical_drift_method": "LInfinity"}
    assert edited(tmp_path, mode="evidence", **written, **methods) == []


def test_keys_that_are_not_read_are_named(tmp_path: Path) -> None:
    (warning,) = edited(tmp_path, numerical_drift_method="Wasserstein")
    assert "constraints.json: keys that driftline does not know are not read" in warning
    assert warning.endswith("monitoring_config.distribution_constraints.numerical_drift_method")


def test_rules_without_an_effect_on_the_checks_of_sagemaker_are_named(tmp_path: Path) -> None:
    rules = {"mode": "sagemaker-compat", "min_n": 5_000, "limit": 0.001}
    first, second = warned(tmp_path, rules=rules, model={"features": {"area": {"limit": 0.05}}})
    assert first.startswith("rules.limit, rules.min_n: no effect on verdicts; rules.mode")
    assert second.startswith("models.m.features.area.limit: no effect on verdicts")


def test_a_baseline_without_sketches_has_no_distance_of_sagemaker(tmp_path: Path) -> None:
    rules = {"mode": "sagemaker-compat"}
    assert warned(tmp_path, rules=rules) == []
    stored = next(tmp_path.rglob("baseline.msgpack"))
    baseline = Baseline.decode(stored.read_bytes())
    baseline.references.clear()
    stored.write_bytes(baseline.encode())
    data = config("", models={"m": {"baseline": str(stored.parent)}}, rules=rules)
    (warning,) = warnings(parse(data, tmp_path), Environment())
    assert warning.startswith("models.m: the baseline has no sketch of 3 numeric features")


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ({"weights": {"area": 0, "rooms": 0, "price": 0}}, True),
        ({"weights": {"area": 0, "rooms": 0}, "features": {"price": {"enabled": False}}}, True),
        ({"weights": {"area": 0, "rooms": 0}}, False),
    ],
)
def test_a_model_of_which_no_feature_may_signal_is_told(
    tmp_path: Path, model: dict[str, Any], told: bool
) -> None:
    found = warned(tmp_path, model=model, rules={"mode": "evidence"})
    reason = "models.m: each feature has a weight of 0 or is not enabled, so that none may signal"
    assert (reason in found) == told
