"""A change of how features depend on each other: found, told once, and recovered from."""

from __future__ import annotations

from io import StringIO

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from rich.console import Console

from detectors.decisions.budget import JOINT_PART, window_alpha
from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.rules import FeatureRules, Rules
from detectors.decisions.window_span import WindowSpan
from detectors.profiles.baseline import Baseline
from detectors.profiles.calendar import Calendar
from detectors.profiles.dependence import Dependence
from detectors.profiles.joint_choice import counting_pairs_of
from detectors.profiles.seasons import Seasons
from detectors.report import WindowReport
from stream.baselining.build import make
from stream.baselining.joint_features import few_rows_lines
from stream.commands.explained_joint import print_joint
from stream.commands.judged_again import judged_again
from stream.testing.baselines import Values, window

MINUTE = 60_000
EVIDENCE = Rules(mode="evidence")
Frame = dict[str, Values]


def rows(seed: int, n: int, rho: float, shift: float = 0.0) -> Frame:
    """Area and rooms that correlate with ``rho``, and a city that depends on neither."""
    rng = np.random.default_rng(seed)
    area = rng.normal(size=n)
    rooms = rho * area + np.sqrt(1.0 - rho * rho) * rng.normal(size=n)
    city = rng.choice(["a", "b", "c"], n, p=[0.5, 0.3, 0.2])
    return {"area": (area + shift).tolist(), "rooms": rooms.tolist(), "city": city.tolist()}


def pair_baseline() -> Baseline:
    table = pa.table({k: pa.array(v).cast(pa.string()) for k, v in rows(1, 10_000, 0.8).items()})
    return make(lambda: [table], joint=()).baseline


BASE = pair_baseline()


def report(
    frame: Frame,
    state: EpisodeState | None = None,
    *,
    rules: Rules = EVIDENCE,
    own: dict[str, FeatureRules] | None = None,
    base: Baseline = BASE,
    minute: int = 0,
) -> WindowReport:
    judge = Judge("j", rules, {"m": own or {}})
    start = minute * MINUTE
    span = WindowSpan(model="m", variant="v", start_ms=start, end_ms=start + MINUTE)
    return judge.report(span, base, window(base.layout, frame), state or EpisodeState())


def test_a_correlation_that_vanishes_is_found_in_one_window() -> None:
    drifted = report(rows(2, 1_000, 0.0))
    (violation,) = drifted.violations
    assert (violation.feature, violation.check) == ("(joint)", "joint_drift_check")
    assert violation.summary.startswith("area and rooms: correlation 0.7")
    assert "over 1 window: association test (1,000 rows)" in violation.summary
    assert violation.overwhelming
    assert violation.cause is not None
    assert (violation.cause.name, violation.cause.action) == ("unknown", "look")
    joint = drifted.joint
    assert joint is not None
    assert joint.features == ("area", "rooms", "city")
    assert (joint.judged, joint.drifted, len(joint.pairs)) == (3, 1, 3)
    worst = joint.pairs[0]
    assert (worst.first, worst.second, worst.holds) == ("area", "rooms", True)
    assert all(feature.verdict == "ok" for feature in drifted.features)


def test_a_calm_window_reports_its_pairs_and_their_part_of_the_budget() -> None:
    calm = report(rows(3, 1_000, 0.8))
    assert (calm.state, calm.violations) == ("ok", ())
    assert calm.joint is not None
    alpha = window_alpha(EVIDENCE.false_alarms, MINUTE, early=True)
    assert calm.joint.budget == pytest.approx(JOINT_PART * alpha)
    assert calm.joint.pairs[0].allowed == pytest.approx(calm.joint.budget / 3)
    spent = sum(feature.evidence.budget for feature in calm.features if feature.evidence)
    assert spent == pytest.approx(0.99 * (1.0 - JOINT_PART) * alpha)


def test_all_parts_of_a_window_add_up_to_its_budget() -> None:
    span = WindowSpan(model="m", variant="v", start_ms=0, end_ms=MINUTE)
    profile = window(BASE.layout, rows(3, 1_000, 0.8))
    evidence = Judge("j", EVIDENCE)._evidence(span, MINUTE, BASE, profile, EpisodeState(), None)
    assert evidence is not None
    assert evidence.joint is not None
    alpha = window_alpha(EVIDENCE.false_alarms, MINUTE, early=True)
    parts = evidence.budget.sum() + 2.0 * evidence.width_alpha + evidence.joint.alpha
    assert parts == pytest.approx(alpha, rel=1e-12)


def test_a_feature_that_drifted_by_itself_takes_no_part_in_pairs() -> None:
    drifted = report(rows(4, 1_000, 0.0, shift=1.0))
    assert {violation.feature for violation in drifted.violations} == {"area"}
    assert drifted.joint is not None
    assert (drifted.joint.judged, drifted.joint.drifted) == (1, 0)
    assert {(pair.first, pair.second) for pair in drifted.joint.pairs} == {("rooms", "city")}
    assert {pair.reason for pair in drifted.joint.unjudged} == {"area has drifted by itself"}


def test_a_feature_without_weight_and_a_window_of_few_rows_are_not_judged() -> None:
    own = {"rooms": FeatureRules(weight=0.0)}
    unweighted = report(rows(5, 1_000, 0.0), own=own)
    assert unweighted.violations == ()
    small = report(rows(6, 29, 0.0))
    assert small.joint is not None
    assert (small.joint.judged, small.joint.pairs) == (0, ())
    assert {pair.reason for pair in small.joint.unjudged} == {"29 rows, 30 are needed"}
    assert unweighted.joint is not None
    reasons = [(pair.first, pair.second, pair.reason) for pair in unweighted.joint.unjudged]
    assert reasons == [
        ("area", "rooms", "rooms has a weight of 0"),
        ("rooms", "city", "rooms has a weight of 0"),
    ]


def test_a_pair_whose_rows_depend_on_each_other_says_what_they_count_as() -> None:
    base = BASE.depending(Dependence((1_000,), {"rooms": (80.0,)}))
    joint = report(rows(5, 1_000, 0.0), base=base).joint
    assert joint is not None
    assert [(pair.first, pair.second) for pair in joint.pairs] == [("area", "city")]
    words = "rows depend on each other: 1,000 rows count as 12 independent ones, 30 are needed"
    assert [(pair.first, pair.second, pair.n) for pair in joint.unjudged] == [
        ("area", "rooms", 1_000),
        ("rooms", "city", 1_000),
    ]
    assert {pair.reason for pair in joint.unjudged} == {words}
    (line,) = few_rows_lines(base)
    assert line == f"pairs with 'rooms' are judged in larger windows alone: {words}"
    assert few_rows_lines(BASE) == []
    out = StringIO()
    assert print_joint(Console(file=out, width=200), joint, joint)
    assert f"not judged: area, rooms: {words}" in out.getvalue()


def test_an_effect_below_the_limit_is_no_violation() -> None:
    own = {name: FeatureRules(effect=0.9) for name in ("area", "rooms")}
    assert report(rows(7, 1_000, 0.0), own=own).violations == ()


def test_other_modes_count_pairs_and_do_not_judge_them() -> None:
    shown = report(rows(8, 1_000, 0.0), rules=Rules(mode="threshold")).joint
    assert shown is not None
    assert (shown.features, shown.judged, shown.budget) == (("area", "rooms", "city"), 0, 0.0)


def test_a_baseline_without_the_pairs_is_the_one_that_never_had_them() -> None:
    table = pa.table({k: pa.array(v).cast(pa.string()) for k, v in rows(1, 10_000, 0.8).items()})
    plain, stripped = make(lambda: [table]).baseline, counting_pairs_of(BASE, ())
    assert stripped.fingerprint == plain.fingerprint
    assert stripped.profile.encode() == plain.profile.encode()
    assert report(rows(9, 1_000, 0.0), base=stripped).joint is None
    assert counting_pairs_of(BASE, None) is BASE


def test_the_counts_of_seasons_lose_the_same_pairs() -> None:
    key = ("3",)
    seasons = Seasons(Calendar(by=("hour_of_day",)), {key: BASE.profile})
    two = counting_pairs_of(BASE.seasonal(seasons), {"area", "city"})
    assert two.seasons is not None
    assert two.seasons.profiles[key].pairs.tolist() == two.profile.pairs.tolist()
    assert two.seasons.profiles[key].counts.tolist() == BASE.profile.counts.tolist()


def test_a_choice_of_features_keeps_their_counts() -> None:
    two = counting_pairs_of(BASE, {"area", "city"})
    table = pa.table({k: pa.array(v).cast(pa.string()) for k, v in rows(1, 10_000, 0.8).items()})
    made = make(lambda: [table], joint=("area", "city")).baseline
    assert two.fingerprint == made.fingerprint
    assert two.profile.pairs.tolist() == made.profile.pairs.tolist()


def test_it_is_one_episode_that_recovers() -> None:
    judge, state, told = Judge("j", EVIDENCE), EpisodeState(), []
    for minute, rho in enumerate([0.8, 0.0, 0.0, 0.0, *[0.8] * 8]):
        found = report(rows(20 + minute, 1_000, rho), state, minute=minute)
        state, signals = judge.advance(state, found, BASE)
        told += [(minute, signal.kind, signal.features) for signal in signals]
    (opened, recovered) = told
    assert opened == (1, "opened", ("(joint)",))
    assert recovered[1:] == ("recovered", ("(joint)",))
    assert recovered[0] >= 5


def test_the_counts_in_a_report_give_the_same_verdict() -> None:
    drifted = report(rows(2, 1_000, 0.0))
    again = judged_again(msgspec.json.decode(msgspec.json.encode(drifted), type=WindowReport), BASE)
    assert again.joint == drifted.joint
    assert again.violations == drifted.violations
