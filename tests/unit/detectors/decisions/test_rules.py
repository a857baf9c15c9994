"""Limits: never below noise, no verdict without enough rows, and a feature's own limit first."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
import pytest

from detectors.decisions.rules import FeatureRules, Rules, rule_values
from detectors.decisions.rulings import Ruling, binomial_excess, rule
from detectors.profiles.baseline import Constraint, Constraints, Thresholds
from detectors.statistics.catalogue import DISTANCES
from detectors.statistics.measures import Measures
from stream.testing.baselines import Values, baseline, normal, texts, window

BASE = baseline({"x": normal(1, 10_000), "t": texts({"a": 6_000, "b": 4_000})})


def rulings(
    rows: int,
    mean: float = 0.0,
    rules: Rules | None = None,
    feature_rules: Mapping[str, FeatureRules] | None = None,
    constraints: Constraints | None = None,
) -> list[Ruling]:
    """The rulings on a number, whose mean is given, and on a text without drift."""
    words = np.random.default_rng(3).choice(["a", "b"], rows, p=[0.6, 0.4]).tolist()
    counted = window(BASE.layout, {"x": normal(2, rows, mean=mean), "t": words})
    return rule(
        rules or Rules(mode="threshold"),
        feature_rules or {},
        constraints or BASE.constraints,
        Measures(BASE.profile, counted),
        rows,
    )


def test_the_limit_is_the_noise_in_a_small_window_and_the_configured_limit_in_a_large_one() -> None:
    small = rulings(120)[0]
    large = rulings(50_000)[0]
    assert small.limit == small.noise > 0.1
    assert large.limit == pytest.approx(0.063163, rel=1e-4)
    assert large.limit > large.noise


@pytest.mark.parametrize("statistic", ["psi", "ks", "hellinger", "jensen_shannon", "wasserstein"])
def test_one_threshold_means_one_drift_whichever_statistic_decides(statistic: str) -> None:
    """After a shift by 0.2513 deviations, two normal distribution functions are 0.1 apart."""
    before = normal(5, 200_000)
    after = normal(6, 200_000, mean=0.2513)
    base = baseline({"x": before})
    measures = Measures(base.profile, window(base.layout, {"x": after}))
    assert float(measures.distances[statistic][0]) == pytest.approx(
        DISTANCES[statistic].equivalent(0.1), rel=0.1
    )


@pytest.mark.parametrize(("shift", "lowest", "highest"), [(0.0, 0.0, 0.02), (0.3, 0.9, 1.0)])
def test_a_shift_by_a_third_of_a_deviation_is_detected_and_no_shift_is_not(
    shift: float, lowest: float, highest: float
) -> None:
    """Twenty features, one of which moves; a hundred windows of a thousand rows."""
    base = baseline({f"x{k}": normal(k, 10_000) for k in range(20)})
    alarms = 0
    for seed in range(100):
        data: dict[str, Values] = {
            f"x{k}": normal(1_000 + 20 * seed + k, 1_000, shift if k == 0 else 0.0)
            for k in range(20)
        }
        measures = Measures(base.profile, window(base.layout, data))
        verdicts = rule(Rules(mode="threshold"), {}, base.constraints, measures, 1_000)
        alarms += any(ruling.verdict == "violation" for ruling in verdicts)
    assert lowest <= alarms / 100 <= highest


def test_alpha_is_divided_among_the_judged_features() -> None:
    measures = Measures(
        BASE.profile, window(BASE.layout, {"x": normal(2, 500), "t": texts({"a": 300, "b": 200})})
    )
    both = rule(Rules(mode="threshold"), {}, BASE.constraints, measures, 500)
    alone = rule(
        Rules(mode="threshold"), {"t": FeatureRules(enabled=False)}, BASE.constraints, measures, 500
    )
    assert both[0].noise == pytest.approx(float(DISTANCES["psi"].noise(measures.pair, 0.0005)[0]))
    assert alone[0].noise == pytest.approx(float(DISTANCES["psi"].noise(measures.pair, 0.001)[0]))
    assert alone[1].verdict == "disabled"


def test_below_min_n_rows_there_is_no_verdict_however_large_the_drift() -> None:
    assert {ruling.verdict for ruling in rulings(99, mean=9.0)} == {"insufficient"}
    assert rulings(100, mean=9.0)[0].verdict == "violation"
    assert (
        rulings(100, mean=9.0, rules=Rules(mode="threshold", min_n=101))[0].verdict
        == "insufficient"
    )


def test_overwhelming_evidence_needs_twice_the_limit_and_five_hundred_rows() -> None:
    assert rulings(500, mean=3.0)[0].overwhelming
    assert not rulings(499, mean=3.0)[0].overwhelming
    assert rulings(499, mean=3.0)[0].verdict == "violation"
    modest = rulings(20_000, mean=0.3)[0]
    assert modest.verdict == "violation"
    assert 0.063 < modest.value < 0.126  # far beyond all noise, but under twice the limit
    assert not modest.overwhelming


def test_the_most_specific_limit_applies() -> None:
    thresholds = Constraints(
        {}, Thresholds(comparison_threshold=0.3, categorical_comparison_threshold=0.4)
    )
    assert [ruling.limit for ruling in rulings(50_000, constraints=thresholds)] == [
        DISTANCES["psi"].equivalent(0.3),
        DISTANCES["psi"].equivalent(0.4),
    ]
    assert [
        ruling.limit
        for ruling in rulings(
            50_000, rules=Rules(mode="threshold", limit=0.2), constraints=thresholds
        )
    ] == [0.2, 0.2]
    own = {"x": FeatureRules(limit=0.5)}
    assert [
        ruling.limit
        for ruling in rulings(
            50_000,
            rules=Rules(mode="threshold", limit=0.2),
            feature_rules=own,
            constraints=thresholds,
        )
    ] == [0.5, 0.2]
    assert (
        rulings(50_000, feature_rules={"x": FeatureRules(limit=0.0)})[0].limit
        == rulings(50_000)[0].noise
    )


def test_each_kind_of_feature_has_a_statistic_that_is_defined_for_it() -> None:
    assert [
        ruling.statistic for ruling in rulings(500, rules=Rules(mode="threshold", statistic="ks"))
    ] == [
        "ks",
        "psi",
    ]
    assert [
        ruling.statistic
        for ruling in rulings(500, rules=Rules(mode="threshold", statistic="l_infinity"))
    ] == [
        "psi",
        "l_infinity",
    ]
    assert [
        ruling.statistic
        for ruling in rulings(500, rules=Rules(mode="threshold", statistic="hellinger"))
    ] == [
        "hellinger",
        "hellinger",
    ]
    assert (
        rulings(500, feature_rules={"x": FeatureRules(statistic="wasserstein")})[0].statistic
        == "wasserstein"
    )


def test_the_switches_of_the_baseline_disable_judgement() -> None:
    off = Constraints({"x": Constraint(evaluate=False)}, Thresholds())
    assert [ruling.verdict for ruling in rulings(500, mean=3.0, constraints=off)] == [
        "disabled",
        "ok",
    ]
    for thresholds in (
        Thresholds(perform_comparison=False),
        Thresholds(evaluate_constraints=False),
    ):
        assert {
            ruling.verdict
            for ruling in rulings(500, mean=3.0, constraints=Constraints({}, thresholds))
        } == {"disabled"}


def test_a_share_is_only_too_large_where_chance_does_not_explain_it() -> None:
    assert not binomial_excess(1, 100, 0.0, 10_000, 0.001)
    assert binomial_excess(10, 100, 0.0, 10_000, 0.001)
    assert not binomial_excess(60, 100, 0.5, 10_000, 0.001)
    assert binomial_excess(600, 1_000, 0.5, 10_000, 0.001)
    # 30 baseline rows hardly determine the share
    assert not binomial_excess(600, 1_000, 0.5, 30, 0.001)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_the_binomial_bound_is_rarely_exceeded_by_chance(share: float) -> None:
    rng = np.random.default_rng(5)
    hits = sum(
        binomial_excess(
            float(rng.binomial(300, share)), 300, rng.binomial(3_000, share) / 3_000, 3_000, 0.01
        )
        for _ in range(4_000)
    )
    assert hits <= 40 + 3 * 6.3


def test_a_report_names_the_rules_in_force_and_omits_unset_ones() -> None:
    named = rule_values(Rules(mode="threshold", k=1))
    assert named["k"] == 1
    assert "limit" not in named
    of_evidence = {"false_alarms", "effect", "early"}
    assert set(named) | {"limit", "conditions"} | of_evidence == set(Rules.__struct_fields__)
    assert of_evidence <= set(rule_values(Rules(mode="evidence")))


@pytest.mark.parametrize(
    "text",
    [
        '{"k": 0}',
        '{"alpha": 0}',
        '{"alpha": 1}',
        '{"limit": -1}',
        '{"type_match": 1.5}',
        '{"m": 3}',
    ],
)
def test_rules_out_of_range_are_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=Rules)


def test_without_a_floor_a_limit_applies_as_it_stands() -> None:
    plain = rulings(120, rules=Rules(mode="threshold", limit=0.1, floor="none", min_n=1))[0]
    assert (plain.limit, plain.noise > 0.1) == (0.1, True)


def test_the_mode_sagemaker_has_the_limits_of_the_file_and_the_floor_of_driftline() -> None:
    own = {"x": FeatureRules(limit=0.5)}
    rules = Rules(mode="sagemaker", limit=0.4)
    assert rulings(50_000, rules=rules, feature_rules=own)[0].limit == rulings(50_000)[0].limit
    small = rulings(120, rules=rules)[0]
    assert small.limit == small.noise
    assert (rules.least_type_match, rules.least_domain_match, rules.tolerated_loss) == (1, 1, 0)
