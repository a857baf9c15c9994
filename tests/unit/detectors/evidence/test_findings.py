"""What is found in a window, what may be spent on it, and windows that say nothing."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from detectors.finding import EvidenceFinding
from detectors.profiles.baseline import Baseline, Constraints
from detectors.profiles.layout import Layout
from detectors.profiles.profile import Profile
from detectors.statistics.evidence.base import Pooled
from detectors.statistics.evidence.findings import (
    SUBJECTS,
    TESTS,
    Allowance,
    allowed_p_values,
    findings,
    horizons_of,
    subject_of,
)
from detectors.statistics.evidence.horizons import History, PastWindow
from detectors.statistics.evidence.tallies import TallyLayout
from stream.testing.baselines import Values, baseline, normal
from tests.support.evidence import counts_of, drawn, known, pooled_of, repeated

BASELINE = known()
SPIKED = np.where(np.arange(500) < 50, 50.0, np.asarray(drawn(2, 500)["number"], float))


def judged(features: int, alpha: float = 1e-6, effect: float = 0.0, windows: int = 64) -> Allowance:
    return Allowance(
        alpha=np.full(features, alpha),
        effect_limit=np.full(features, effect),
        windows=np.full(features, windows),
    )


def found(
    known: Baseline, data: dict[str, Values], **how: float
) -> list[dict[str, EvidenceFinding]]:
    pooled = pooled_of(known, counts_of(known, data))
    return findings(pooled, judged(pooled.layout.features, **how))  # type: ignore[arg-type]


def holding(results: list[dict[str, EvidenceFinding]]) -> list[tuple[int, str, str]]:
    return [
        (i, subject, finding.test)
        for i, by_subject in enumerate(results)
        for subject, finding in by_subject.items()
        if finding.holds
    ]


def test_what_the_tests_may_spend_adds_up_to_alpha() -> None:
    allowed = allowed_p_values(0.004)
    assert set(allowed) == set(TESTS)
    total = sum(p * horizons_of(test) for test, p in allowed.items())
    assert total == pytest.approx(0.004, rel=1e-12)


def test_each_test_belongs_to_a_subject() -> None:
    assert {subject_of(test) for test in TESTS} == set(SUBJECTS)


def test_a_calm_window_has_a_finding_on_the_drift_of_each_feature_that_does_not_hold() -> None:
    results = found(BASELINE, drawn(2, 500))
    assert [set(by_subject) for by_subject in results] == [{"drift"}] * 4
    assert holding(results) == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"words": repeated(red=250, purple=250)}, (2, "unseen")),
        ({"number": [None] * 250 + [50.0] * 250}, (0, "missing")),
        ({"number": np.where(np.arange(500) < 50, np.nan, 50.0)}, (0, "invalid")),
        ({"number": np.where(np.arange(500) < 50, -np.inf, 50.0)}, (0, "invalid")),
        ({"number": 60 + 10 * normal(3, 500)}, (0, "drift")),
        ({"number": SPIKED}, (0, "drift")),
    ],
    ids=["unseen", "missing", "nan", "infinite", "shift", "spike"],
)
def test_a_change_is_found_under_its_subject(
    changed: dict[str, Values], expected: tuple[int, str]
) -> None:
    results = holding(found(BASELINE, drawn(2, 500) | changed))
    assert expected in [(i, subject) for i, subject, _ in results]


def test_a_small_effect_does_not_hold_and_comes_after_one_that_does() -> None:
    changed = drawn(2, 500) | {"number": 60 + 10 * normal(3, 500)}
    assert holding(found(BASELINE, changed, effect=0.9)) == []
    finding = found(BASELINE, changed)[0]["drift"]
    assert finding.spent == 1.0
    assert finding.effect_limit == 0.0


def test_a_test_has_spent_all_that_it_was_allowed_at_a_p_value_of_that() -> None:
    finding = found(BASELINE, drawn(2, 500))[0]["drift"]
    half = msgspec.structs.replace(finding, p_value=2 * finding.allowed)
    assert (half.spent, half.strength) == (0.5, 2.0)
    assert msgspec.structs.replace(finding, p_value=finding.allowed).spent == 1.0
    assert msgspec.structs.replace(finding, p_value=0.0).spent == 1.0


@pytest.mark.parametrize("seed", range(4, 10))
def test_without_drift_the_strongest_finding_is_not_one_that_found_nothing(seed: int) -> None:
    """The test of a spike may spend most of all at its one horizon, and mostly its p-value is 1."""
    for by_subject in found(BASELINE, drawn(seed, 500)):
        assert by_subject["drift"].p_value < 0.99


def test_a_finding_states_its_horizon_rows_and_what_it_was_allowed() -> None:
    layout, history = TallyLayout(BASELINE), History()
    for k in range(3):
        shifted = counts_of(BASELINE, drawn(k, 100) | {"number": 53 + 10 * normal(k, 100)})
        sums = history.sums(k, layout.tallies(shifted))
        history.add(PastWindow(k, k + 1, layout.tallies(shifted)))
    pooled = Pooled(layout, sums, np.ones(4))
    finding = findings(pooled, judged(4))[0]["drift"]
    assert finding.n == 100 * finding.horizon
    assert finding.allowed == pytest.approx(allowed_p_values(1e-6)[finding.test])
    assert finding.direction in (0, 1)
    alone = findings(pooled, judged(4, windows=1))[0]["drift"]
    assert (alone.horizon, alone.n) == (1, 100)


def test_budgets_differ_by_feature() -> None:
    pooled = pooled_of(BASELINE, counts_of(BASELINE, drawn(2, 300)))
    each = Allowance(
        alpha=np.array([1e-3, 1e-6, 1e-9, 1e-2]), effect_limit=np.zeros(4), windows=np.full(4, 64)
    )
    for by_subject, alpha in zip(findings(pooled, each), (1e-3, 1e-6, 1e-9, 1e-2), strict=True):
        finding = by_subject["drift"]
        assert finding.allowed == pytest.approx(allowed_p_values(alpha)[finding.test])


def test_a_window_without_rows_gives_no_error_and_no_finding() -> None:
    results = found(BASELINE, {name: [] for name in ("number", "codes", "words", "holes")})
    assert holding(results) == []
    assert all(by_subject["drift"].p_value == 1.0 for by_subject in results)


def test_rows_without_values_are_missing_and_no_drift() -> None:
    results = found(BASELINE, {name: [None] * 50 for name in BASELINE.layout.index})
    assert {subject for _, subject, _ in holding(results)} == {"missing"}


def test_a_baseline_without_features() -> None:
    layout = Layout(())
    empty = Baseline(layout, Profile(layout), Constraints(), ())
    assert findings(pooled_of(empty, np.zeros(0, np.int64)), judged(0)) == []


@pytest.mark.parametrize(
    "values",
    [repeated(a=30, b=70), np.full(100, 7.0), np.tile([1.0, 2.0], 50)],
    ids=["text", "constant", "codes"],
)
def test_a_single_feature_of_each_kind_against_itself(values: Values) -> None:
    results = found(baseline({"x": values}), {"x": values}, alpha=0.5)
    assert holding(results) == []


def test_a_baseline_feature_without_rows() -> None:
    one = known()
    empty = Baseline(one.layout, Profile(one.layout), one.constraints, one.columns)
    assert holding(found(empty, drawn(2, 200))) == []
