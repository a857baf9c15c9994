"""The methods of ``constraints.json``: ``Simple`` without noise, ``ChiSquared`` as a p-value."""

from __future__ import annotations

from math import erfc, sqrt

import numpy as np
import pytest

from detectors.decisions.catalogue import size_of
from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.rules import FeatureRules, Rules
from detectors.decisions.window_span import WindowSpan
from detectors.p_values import nearness
from detectors.profiles.baseline import Baseline, Constraints, Thresholds
from detectors.report import FeatureReport, WindowReport
from detectors.statistics.catalogue import DISTANCES
from detectors.violation import Violation
from stream.commands.judged_again import judged_again
from stream.testing.baselines import Values, baseline, normal, texts, window

BASE = baseline({"x": normal(1, 10_000), "t": texts({"a": 6_000, "b": 4_000})})
SPAN = WindowSpan(model="m", variant="A", start_ms=0, end_ms=60_000)


def of(thresholds: Thresholds) -> Baseline:
    return BASE.constrained(Constraints({}, thresholds))


def judged(
    base: Baseline,
    data: dict[str, Values],
    rules: Rules | None = None,
    own: dict[str, FeatureRules] | None = None,
) -> WindowReport:
    judge = Judge("j", rules or Rules(mode="threshold"), {"m": own or {}})
    return judge.report(SPAN, base, window(base.layout, data), EpisodeState())


def words(a: int, b: int) -> dict[str, Values]:
    return {"x": normal(2, a + b), "t": texts({"a": a, "b": b})}


def text_of(report: WindowReport) -> FeatureReport:
    return report.features[1]


def violation_of(report: WindowReport) -> Violation:
    (violation,) = [each for each in report.violations if each.feature == "t"]
    return violation


CHI = of(Thresholds(categorical_drift_method="ChiSquared", categorical_comparison_threshold=0.05))


def two_by_two(a: int, b: int) -> float:
    """Pearson's p-value of the window beside the 6,000 and 4,000 of the baseline."""
    n, all_rows = a + b, 10_000 + a + b
    statistic = 0.0
    for before, after in ((6_000, a), (4_000, b)):
        pooled = (before + after) / all_rows
        statistic += (before - 10_000 * pooled) ** 2 / (10_000 * pooled)
        statistic += (after - n * pooled) ** 2 / (n * pooled)
    return erfc(sqrt(statistic / 2))


def test_simple_compares_with_the_threshold_where_robust_leaves_out_chance() -> None:
    data: dict[str, Values] = {
        "x": normal(2, 120, mean=0.3),
        "t": texts({"a": 72, "b": 48}),
    }
    robust, simple = judged(BASE, data), judged(of(Thresholds(comparison_method="Simple")), data)
    number = simple.features[0]
    asked = DISTANCES["psi"].equivalent(0.1)
    assert asked < (number.value or 0.0) < (number.noise or 0.0), "chance explains the distance"
    assert (robust.state, robust.features[0].limit) == ("ok", number.noise)
    assert (simple.state, number.limit, number.verdict) == ("violations", asked, "violation")
    (violation,) = simple.violations
    assert (violation.feature, violation.limit, violation.overwhelming) == ("x", asked, False)


def test_simple_and_robust_agree_in_a_window_whose_noise_is_below_the_limit() -> None:
    data: dict[str, Values] = {
        "x": normal(2, 50_000, mean=0.3),
        "t": texts({"a": 30_000, "b": 20_000}),
    }
    robust, simple = judged(BASE, data), judged(of(Thresholds(comparison_method="Simple")), data)
    assert robust.features == simple.features
    assert robust.violations == simple.violations


@pytest.mark.parametrize(("a", "b"), [(600, 400), (580, 420), (560, 440), (400, 600)])
def test_a_p_value_below_the_threshold_is_a_violation(a: int, b: int) -> None:
    report = judged(CHI, words(a, b))
    text, p_value = text_of(report), two_by_two(a, b)
    assert text.deciding == "chi_squared"
    assert text.value == pytest.approx(p_value, rel=1e-9)
    assert (text.limit, text.asked_limit) == (0.05, 0.05)
    assert text.noise == pytest.approx(0.001 / 2), "alpha, over two judged features"
    assert text.verdict == ("violation" if p_value < 0.05 else "ok")
    assert (text.nearness > 1.0) == (p_value < 0.05)
    assert report.features[0].deciding == "psi", "numbers are compared as before"


def test_the_texts_of_the_violation_say_that_the_value_is_below_the_limit() -> None:
    violation = violation_of(judged(CHI, words(560, 440)))
    assert violation.check == "baseline_drift_check"
    assert violation.value < violation.limit
    assert violation.description.endswith("is below threshold: 0.05")
    assert violation.summary.startswith("chi-squared p-value 0.014, below the limit 0.05: ")


def test_without_a_threshold_of_its_own_text_has_that_of_numbers() -> None:
    both = of(Thresholds(comparison_threshold=0.02, categorical_drift_method="ChiSquared"))
    assert text_of(judged(both, words(560, 440))).limit == 0.02


def test_chance_gives_a_violation_as_often_as_the_threshold_says() -> None:
    rng = np.random.default_rng(8)
    counts = [int(rng.binomial(1_000, 0.6)) for _ in range(2_000)]
    below = [two_by_two(a, 1_000 - a) < 0.05 for a in counts]
    assert 0.03 <= np.mean(below) <= 0.08
    for a, expected in list(zip(counts, below, strict=True))[:40]:
        verdict = text_of(judged(CHI, words(a, 1_000 - a))).verdict
        assert (verdict == "violation") == expected


def test_a_text_of_one_value_cannot_drift_as_long_as_it_has_no_other() -> None:
    base = baseline({"t": texts({"a": 5_000})}).constrained(CHI.constraints)
    (feature,) = judged(base, {"t": texts({"a": 1_000})}).features
    assert (feature.value, feature.verdict) == (1.0, "ok")
    assert feature.distances["chi_squared"] is None
    (moved,) = judged(base, {"t": texts({"b": 1_000})}).features
    assert moved.verdict == "violation"


def test_the_size_of_a_violation_grows_with_the_drift_and_not_with_the_rows() -> None:
    near, far, more = (
        size_of(violation_of(judged(CHI, words(*counts))))
        for counts in ((2_600, 2_400), (2_200, 2_800), (13_000, 12_000))
    )
    assert far > 2 * near
    assert more < 2 * near


@pytest.mark.parametrize(
    ("a", "b", "overwhelming"),
    [(250, 250, False), (150, 350, True), (149, 350, False), (540, 460, False)],
)
def test_one_window_is_enough_only_far_beyond_chance_and_with_five_hundred_rows(
    a: int, b: int, overwhelming: bool
) -> None:
    assert violation_of(judged(CHI, words(a, b))).overwhelming is overwhelming


@pytest.mark.parametrize(
    ("rules", "own", "deciding", "limit"),
    [
        (Rules(mode="threshold"), {}, "chi_squared", 0.05),
        (Rules(mode="threshold", limit=0.3), {}, "psi", 0.3),
        (
            Rules(mode="threshold", statistic="hellinger"),
            {},
            "hellinger",
            DISTANCES["hellinger"].equivalent(0.05),
        ),
        (Rules(mode="threshold"), {"t": FeatureRules(limit=0.3)}, "psi", 0.3),
        (Rules(mode="threshold"), {"t": FeatureRules(statistic="l_infinity")}, "l_infinity", 0.05),
    ],
)
def test_a_limit_or_a_statistic_of_the_configuration_goes_first(
    rules: Rules, own: dict[str, FeatureRules], deciding: str, limit: float
) -> None:
    text = text_of(judged(CHI, words(30_000, 20_000), rules, own))
    assert (text.deciding, text.limit) == (deciding, limit)


@pytest.mark.parametrize("base", [CHI, of(Thresholds(comparison_method="Simple"))])
def test_a_report_is_judged_again_to_the_same_numbers(base: Baseline) -> None:
    report = judged(base, words(560, 440))
    again = judged_again(report, base)
    assert again.features == report.features
    assert [(each.value, each.limit, each.n) for each in again.violations] == [
        (each.value, each.limit, each.n) for each in report.violations
    ]


def test_nearness_is_one_at_the_limit_and_rises_with_the_drift() -> None:
    for statistic, values in (("psi", (0.0, 0.05, 0.2)), ("chi_squared", (1.0, 0.3, 0.001))):
        none, less, more = (nearness(statistic, value, 0.1) for value in values)
        assert nearness(statistic, 0.1, 0.1) == 1.0
        assert none == 0.0 < less < 1.0 < more
