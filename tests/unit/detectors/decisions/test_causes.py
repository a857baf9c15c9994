"""Violations of a judged window name their causes, and a signal groups them and asks for action."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from detectors.decisions import causes
from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.rules import Rules
from detectors.decisions.window_span import WindowSpan
from detectors.profiles.columns import Column
from detectors.report import Signal, WindowReport
from stream.testing.baselines import Values, baseline, normal, texts, window

SPAN = WindowSpan(model="m", variant="v", start_ms=0, end_ms=60_000)
TRAINING: dict[str, Values] = {
    **{f"c{k}": normal(k, 4_000, mean=50.0, std=9.0) for k in range(10)},
    "minutes": np.random.default_rng(20).gamma(2.0, 8.0, 4_000),
    "carrier": texts({"UA": 2_000, "AA": 1_400, "DL": 600}),
}
BASE = baseline(TRAINING)


def healthy() -> dict[str, Values]:
    return {
        **{f"c{k}": normal(100 + k, 1_000, mean=50.0, std=9.0) for k in range(10)},
        "minutes": np.random.default_rng(21).gamma(2.0, 8.0, 1_000),
        "carrier": texts({"UA": 500, "AA": 350, "DL": 150}),
    }


def judged(
    faults: Mapping[str, Values | Column], expose_values: bool = False
) -> tuple[WindowReport, list[Signal]]:
    judge = Judge("j", Rules(mode="threshold"), expose_values=expose_values)
    profile = window(BASE.layout, {**healthy(), **faults})
    report = judge.report(SPAN, BASE, profile, EpisodeState())
    return report, judge.advance(EpisodeState(), report, BASE)[1]


def test_ten_columns_that_are_all_null_are_one_cause_of_the_signal() -> None:
    report, (signal,) = judged({f"c{k}": [None] * 1_000 for k in range(10)})
    assert {violation.cause.name for violation in report.violations if violation.cause} == {
        "null_burst"
    }
    (cause,) = signal.causes
    assert cause.words.startswith("10 columns: column missing: c0, c1, c2, c3, c4 and 5 others")
    assert (cause.count, signal.action) == (10, "repair_pipeline")


def test_a_drift_has_the_cause_of_its_values_and_the_diagnosis_its_words() -> None:
    report, (signal,) = judged({"minutes": np.asarray(healthy()["minutes"], float) * 60})
    (violation,) = report.violations
    assert violation.cause is not None
    assert violation.cause.numbers["factor"] == 60.0
    assert violation.diagnosis == violation.cause.words
    assert signal.action == "repair_pipeline"


def test_a_shift_asks_for_training() -> None:
    _, (signal,) = judged({"c3": normal(5, 1_000, mean=62.0, std=9.0)})
    assert (signal.causes[0].name, signal.action) == ("mean_shift", "retrain")


def test_names_of_values_are_told_only_where_that_is_allowed() -> None:
    renamed = {"carrier": texts({"UA": 500, "Americano": 350, "DL": 150})}
    for expose_values in (False, True):
        report, signals = judged(renamed, expose_values)
        (violation,) = report.violations
        assert violation.cause is not None
        assert violation.cause.name == "renamed_value"
        told = repr(violation.cause), repr([signal.causes for signal in signals])
        assert all(("Americano" in text) is expose_values for text in told)


def test_columns_that_changed_places_name_each_other() -> None:
    data = healthy()
    report, (signal,) = judged({"c1": data["minutes"], "minutes": data["c1"]})
    causes = {violation.feature: violation.diagnosis for violation in report.violations}
    assert causes == {
        "c1": "swapped with the column minutes",
        "minutes": "swapped with the column c1",
    }
    assert signal.causes[0].words == "2 columns: columns changed places: c1, minutes"


def test_a_calm_window_has_no_causes() -> None:
    report, signals = judged({})
    assert (report.violations, signals) == ((), [])


def test_mixtures_are_looked_for_in_so_many_features_that_a_window_does_not_hold_up_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(causes, "MOST_SEARCHED", 3)
    some = np.arange(1_000) % 10 == 0
    broken = {
        name: np.where(some, 1_000.0, 1.0) * np.asarray(values)
        for name, values in healthy().items()
        if name.startswith("c") and name != "carrier"
    }
    report, _ = judged(broken)
    named = [each.cause.name for each in report.violations if each.cause is not None]
    assert len(named) > 5
    assert named == ["mixture_shift"] * 3 + ["unknown"] * (len(named) - 3)
