"""Judging by evidence: horizons, budget, recovery, and what a report shows of it."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest

from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.rules import FeatureRules, Rules
from detectors.decisions.window_span import WindowSpan
from detectors.profiles.baseline import Constraint, Constraints, Thresholds
from detectors.profiles.profile import Profile
from detectors.report import WindowReport
from detectors.statistics.evidence.horizons import History
from stream.commands.judged_again import judged_again
from stream.testing.baselines import Values, baseline, texts, window
from tests.unit.detectors.decisions.evidence_stream import (
    BASE,
    EVIDENCE,
    HOUR,
    judge,
    rows,
    run,
    signals,
)


def calm(seed: int, windows: int, n: int = 1_000) -> list[dict[str, Values]]:
    rng = np.random.default_rng(seed)
    return [rows(rng, n) for _ in range(windows)]


def test_a_window_judged_alone_equals_one_with_an_empty_history() -> None:
    profile = window(BASE.layout, rows(np.random.default_rng(2), 500, mean=0.4))
    span = WindowSpan(model="m", variant="v", start_ms=0, end_ms=HOUR)
    alone = judge().report(span, BASE, profile, EpisodeState())
    assert alone == judge().report(span, BASE, profile, EpisodeState(), History())


def test_windows_together_show_a_shift_that_one_does_not() -> None:
    rng = np.random.default_rng(30)
    drifted = [rows(rng, 1_000, mean=0.1) for _ in range(6)]
    alone = [run([frame])[0].report.state for frame in drifted]
    assert alone.count("ok") >= 4
    results = run([*calm(4, 10), *drifted])
    (window_number, kind), *_ = signals(results)
    assert (kind, 10 <= window_number <= 15) == ("opened", True)
    (signal,) = results[window_number].signals
    (reason,) = signal.reasons
    assert (reason.feature, reason.check, reason.overwhelming) == (
        "x",
        "baseline_drift_check",
        True,
    )
    assert reason.finding is not None
    assert reason.finding.horizon > 1
    assert reason.n == reason.finding.n == 1_000 * reason.finding.horizon
    assert "values are larger" in reason.summary


def test_thirty_rows_are_judged_and_no_rows_are_not() -> None:
    results = run([*calm(5, 3, n=30), {}])
    assert [result.report.state for result in results] == ["ok", "ok", "ok", "insufficient"]
    assert results[-1].report.notes == ("no rows",)


@pytest.mark.parametrize(
    ("change", "feature", "check"),
    [
        ({"missing": 0.03}, "x", "completeness_check"),
        ({"missing": 1.0}, "x", "missing_column_check"),
        ({"new": 0.02}, "c", "categorical_values_check"),
        ({"mean": 1.0}, "x", "baseline_drift_check"),
    ],
)
def test_each_subject_is_a_violation_of_its_check(
    change: dict[str, float], feature: str, check: str
) -> None:
    report = run([rows(np.random.default_rng(6), 1_000, **change)])[0].report
    assert [(each.feature, each.check) for each in report.violations] == [(feature, check)]


def test_a_small_loss_of_values_and_a_small_effect_are_tolerated() -> None:
    rng = np.random.default_rng(7)
    frames = [rows(rng, 20_000, missing=0.003) for _ in range(3)]
    assert signals(run(frames)) == []
    rules = Rules(mode="evidence", completeness_gap=0.001)
    assert signals(run(frames, judge(rules)))[0][1] == "opened"
    shifted = [rows(rng, 20_000, mean=0.1) for _ in range(3)]
    assert signals(run(shifted)) != []
    assert signals(run(shifted, judge(Rules(mode="evidence", effect=0.1)))) == []
    assert signals(run(shifted, judge(features={"x": FeatureRules(effect=0.1)}))) == []


def test_a_feature_without_weight_is_reported_and_never_signalled() -> None:
    frames = [rows(np.random.default_rng(8), 1_000, mean=2.0)]
    (result,) = run(frames, judge(features={"x": FeatureRules(weight=0.0)}))
    assert (result.report.violations, result.signals) == ((), [])
    x, y, _ = (feature.evidence for feature in result.report.features)
    assert x is not None
    assert y is not None
    assert (x.budget, x.findings[0].holds) == (0.0, True)
    # an hour of 30 days, two features; a fifth is for looks into open windows
    assert y.budget == pytest.approx(1 / 720 * 0.8 * 0.99 / 2)


def test_constraints_of_the_file_restrict_what_evidence_finds() -> None:
    frame = rows(np.random.default_rng(9), 1_000, missing=0.1)
    for constraints in (
        Constraints(features={"x": Constraint(completeness=0.5)}),
        Constraints(features={"x": Constraint(completeness=1.0, evaluate=False)}),
        Constraints(thresholds=Thresholds(evaluate_constraints=False)),
    ):
        report = run([frame], base=BASE.constrained(constraints))[0].report
        assert report.violations == ()


def test_after_a_recovery_the_windows_before_it_raise_nothing() -> None:
    rng = np.random.default_rng(10)
    broken = [rows(rng, 1_000, mean=3.0) for _ in range(2)]
    results = run([*calm(11, 5), *broken, *calm(12, 70)])
    assert [kind for _, kind in signals(results)] == ["opened", "recovered"]
    (_, recovered) = signals(results)
    assert recovered[0] <= 5 + 2 + 8
    after = [result.report for result in results[recovered[0] + 1 :]]
    assert {report.state for report in after} == {"ok"}


def test_an_episode_that_spreads_worsens_once_a_cool_down() -> None:
    rng = np.random.default_rng(13)
    frames = [
        *calm(14, 2),
        rows(rng, 1_000, mean=3.0),
        rows(rng, 1_000, mean=3.0, new=0.5),
        rows(rng, 1_000, mean=3.0, new=0.5, negative=0.5),
        *(rows(rng, 1_000, mean=3.0, new=0.5, negative=0.5) for _ in range(30)),
    ]
    found = signals(run(frames))
    assert found[:2] == [(2, "opened"), (3, "worsened")]
    assert all(number >= 3 + 24 for number, _ in found[2:])


def test_a_daily_cycle_gives_at_most_two_signals_a_day() -> None:
    rng = np.random.default_rng(15)
    days = 5
    cycle = [0.5 * np.sin(2 * np.pi * hour / 24) for hour in range(24 * days)]
    found = signals(run([rows(rng, 1_000, mean=mean) for mean in cycle]))
    assert 1 <= len(found) <= 2 * days


def test_replay_of_the_same_reports_gives_the_same_episodes() -> None:
    rng = np.random.default_rng(16)
    frames = [*calm(17, 3), *(rows(rng, 1_000, mean=0.3) for _ in range(5)), *calm(18, 8)]
    results = run(frames)
    state, again = EpisodeState(), []
    for result in results:
        report = msgspec.json.decode(msgspec.json.encode(result.report), type=WindowReport)
        state, raised = judge().advance(state, report, BASE)
        again.append(raised)
    assert again == [result.signals for result in results]
    assert state == results[-1].state


def test_a_report_alone_gives_every_number_of_its_evidence_again() -> None:
    rng = np.random.default_rng(19)
    results = run([*calm(20, 4), *(rows(rng, 300, mean=0.15, missing=0.012) for _ in range(6))])
    pooled = 0
    for result in results:
        report = msgspec.json.decode(msgspec.json.encode(result.report), type=WindowReport)
        again = judged_again(report, BASE)
        pooled += bool(report.pooled)
        assert again.violations == report.violations
        assert again.pooled == report.pooled
        for feature, repeated in zip(report.features, again.features, strict=True):
            assert feature.evidence is not None
            assert repeated.evidence is not None
            assert repeated.evidence.budget == pytest.approx(feature.evidence.budget, rel=1e-12)
    assert pooled


def test_a_calm_report_holds_no_tallies() -> None:
    assert all(result.report.pooled == b"" for result in run(calm(21, 5)))


def test_records_of_a_wrong_width_need_more_than_chance() -> None:
    profile = window(BASE.layout, rows(np.random.default_rng(22), 50))
    span = WindowSpan(model="m", variant="v", start_ms=0, end_ms=HOUR, too_narrow=2)
    assert judge().report(span, BASE, profile, EpisodeState()).violations == ()
    span = msgspec.structs.replace(span, too_narrow=20)
    (violation,) = judge().report(span, BASE, profile, EpisodeState()).violations
    assert (violation.check, violation.overwhelming) == ("missing_column_check", True)


def test_negative_values_are_named_as_such() -> None:
    base = BASE.constrained(Constraints(features={"y": Constraint(non_negative=True)}))
    frame = rows(np.random.default_rng(23), 1_000, negative=0.02)
    report = run([frame], base=base)[0].report
    assert [(each.feature, each.check) for each in report.violations] == [
        ("y", "non_negative_check")
    ]


def test_a_report_in_json_has_the_evidence_of_each_feature() -> None:
    report = json.loads(msgspec.json.encode(run(calm(24, 1))[0].report))
    evidence = report["features"][0]["evidence"]
    assert set(evidence) == {"budget", "spent", "findings", "factor", "lingers"}
    (finding,) = evidence["findings"]
    assert finding["subject"] == "drift"
    assert finding["allowed"] / finding["p_value"] <= evidence["spent"] < 1.0
    assert finding["p_value"] < 1.0
    assert report["rules"]["every_ms"] == HOUR


def test_revisions_and_incomplete_windows_are_not_remembered() -> None:
    profile = Profile(BASE.layout)
    profile.rows = 1
    for change, remembered in (({}, True), ({"revision": 1}, False), ({"incomplete": True}, False)):
        span = WindowSpan(model="m", variant="v", start_ms=0, end_ms=HOUR, **change)
        report = judge(EVIDENCE).report(span, BASE, profile, EpisodeState())
        assert judge(EVIDENCE).remembers(report) is remembered
        assert judge(Rules(mode="threshold")).remembers(report) is False


def test_a_domain_that_is_narrower_than_the_baseline_is_violated() -> None:
    narrow = Constraints(features={"c": Constraint(domains=("a", "b", "c"))})
    wide = Constraints(features={"c": Constraint(domains=("a", "b", "c", "d"))})
    frame = rows(np.random.default_rng(25), 500)
    (violation,) = run([frame], base=BASE.constrained(narrow))[0].report.violations
    assert (violation.feature, violation.check) == ("c", "categorical_values_check")
    assert run([frame], base=BASE.constrained(wide))[0].report.violations == ()


def test_a_drift_that_earlier_windows_show_names_no_bins_of_a_window_without_values() -> None:
    rng = np.random.default_rng(61)
    frames = [rows(rng, 1_000, mean=0.12) for _ in range(6)]
    report = run([*frames, {**rows(rng, 5), "x": [None] * 5}])[-1].report
    found = next(each for each in report.violations if each.check == "baseline_drift_check")
    assert found.finding is not None
    assert (found.feature, found.finding.horizon > 1, found.moved) == ("x", True, ())
    assert "values moved from" not in found.summary
    assert msgspec.json.decode(msgspec.json.encode(report), type=WindowReport) == report


def test_a_value_that_vanishes_from_a_window_far_larger_than_the_baseline_is_a_drift() -> None:
    base = baseline({"c": texts({"x": 900, "y": 100})})
    report = run([{"c": texts({"x": 30_000})}], base=base)[0].report
    assert [(each.feature, each.check) for each in report.violations] == [
        ("c", "baseline_drift_check")
    ]
