"""A limit of ``constraints.json`` that was loosened holds: no other check reports the same."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from detectors.decisions.checks.base import CheckedWindow
from detectors.decisions.rules import Rules
from detectors.decisions.rulings import rule
from detectors.decisions.violations import violations_of
from detectors.profiles.baseline import Baseline, Constraint, Thresholds
from detectors.profiles.columns import Column, Numbers
from detectors.profiles.domains import added_bins
from detectors.profiles.layout import FRACTIONAL, HASHED_BINS, INTEGRAL, STRING
from detectors.statistics.measures import measure
from detectors.violation import Violation
from stream.testing.baselines import Values, baseline, normal, texts, window

WORDS: Mapping[str, Values] = {"t": texts({"a": 50_000, "b": 30_000, "c": 20_000})}
DOMAIN = ("a", "b", "c")
NUMBERS: Mapping[str, Values] = {"x": normal(1, 100_000)}
WHOLE: Mapping[str, Values] = {
    "x": np.random.default_rng(0).integers(0, 1_000, 50_000).astype(float)
}
CODES: Mapping[str, Values] = {"x": np.repeat([1.0, 2.0, 3.0], [500, 300, 200])}


def checked(base: Baseline, data: Mapping[str, Values | Column]) -> CheckedWindow:
    counted = window(base.layout, data)
    measures, rules = measure(base, counted), Rules(mode="threshold")
    return CheckedWindow(
        baseline=base,
        measures=measures,
        rulings=rule(rules, {}, base.constraints, measures, counted.rows),
        rules=rules,
        rows=counted.rows,
    )


def violations(base: Baseline, data: Mapping[str, Values | Column]) -> list[Violation]:
    return violations_of(checked(base, data))


def names(base: Baseline, data: Mapping[str, Values | Column]) -> list[str]:
    return [violation.check for violation in violations(base, data)]


def missing(share: float, rows: int = 10_000, mean: float = 0.0) -> Mapping[str, Values]:
    lost = round(share * rows)
    return {"x": [*normal(2, rows - lost, mean).tolist(), *[None] * lost]}


def written(values: list[float], slots: list[int]) -> Mapping[str, Column]:
    return {"x": Numbers(np.array(values), np.array(slots, np.uint8))}


def with_text(share: float, rows: int = 10_000) -> Mapping[str, Column]:
    lost = round(share * rows)
    numbers = normal(2, rows - lost).tolist()
    return written([*numbers, *[np.nan] * lost], [*[FRACTIONAL] * len(numbers), *[STRING] * lost])


def words(counts: Mapping[str, int]) -> Mapping[str, Values]:
    return {"t": texts(counts)}


@pytest.mark.parametrize("allowed", [0.5, 0.0, None])
def test_missing_values_that_completeness_allows_are_no_drift(allowed: float | None) -> None:
    base = baseline(NUMBERS, {"x": Constraint(completeness=allowed)})
    assert checked(base, missing(0.4)).rulings[0].verdict == "ok"
    assert names(base, missing(0.4)) == []
    assert names(baseline(NUMBERS), missing(0.4)) == ["completeness_check"]


def test_missing_values_that_fall_are_no_drift() -> None:
    base = baseline(missing(0.3, 50_000))
    assert checked(base, missing(0.0)).rulings[0].verdict == "ok"
    assert names(base, missing(0.0)) == []


def test_a_drift_beside_allowed_missing_values_is_reported_by_what_moved() -> None:
    base = baseline(NUMBERS, {"x": Constraint(completeness=0.5)})
    moved = {"x": [*normal(2, 6_000, 1.0).tolist(), *[None] * 4_000]}
    (violation,) = violations(base, moved)
    assert (violation.check, violation.n) == ("baseline_drift_check", 10_000)
    assert all(shift.label != "missing" for shift in violation.moved)
    without = violations(baseline(NUMBERS), {"x": normal(2, 6_000, 1.0)})
    assert violation.value == pytest.approx(without[0].value), "the others are not counted at all"


def test_text_that_the_type_threshold_allows_is_no_drift() -> None:
    base = baseline(NUMBERS, thresholds=Thresholds(datatype_check_threshold=0.9))
    assert checked(base, with_text(0.08)).rulings[0].verdict == "ok"
    assert names(base, with_text(0.08)) == []
    assert names(base, with_text(0.2)) == ["data_type_check"]
    assert names(baseline(NUMBERS), with_text(0.08)) == ["data_type_check"]


def test_new_words_that_the_domain_threshold_allows_are_no_drift() -> None:
    data = words({"a": 4_600, "b": 2_760, "c": 1_840, "new": 800})
    loose = Thresholds(domain_content_threshold=0.9)
    base = baseline(WORDS, {"t": Constraint(domains=DOMAIN)}, loose)
    assert checked(base, data).rulings[0].verdict == "violation"
    assert names(base, data) == []
    assert names(baseline(WORDS, {"t": Constraint(domains=DOMAIN)}), data) == [
        "categorical_values_check"
    ]
    assert names(baseline(WORDS), data) == ["baseline_drift_check"], "nothing else judges them"


def test_a_value_that_is_added_to_the_domain_is_allowed_from_then_on() -> None:
    base = baseline(WORDS, {"t": Constraint(domains=(*DOMAIN, "added"))})
    known = {"a": 3_500, "b": 2_100, "c": 1_400}
    assert names(base, words({**known, "added": 3_000})) == []
    assert names(base, words({"added": 3_000})) == []
    assert names(base, words({**known, "another": 3_000})) == ["categorical_values_check"]
    assert names(base, words({"a": 1_400, "b": 2_100, "c": 3_500, "added": 3_000})) == [
        "baseline_drift_check"
    ]


@pytest.mark.parametrize("word", ["a", "b", "c"])
def test_a_value_of_the_domain_that_is_spelled_anew_is_one_violation(word: str) -> None:
    data = words({w if w != word else "new": n for w, n in {"a": 500, "b": 300, "c": 200}.items()})
    strict = baseline(WORDS, {"t": Constraint(domains=DOMAIN)})
    assert names(strict, data) == ["categorical_values_check"]
    loose = Thresholds(domain_content_threshold=0.4)
    assert names(baseline(WORDS, {"t": Constraint(domains=DOMAIN)}, loose), data) == []
    assert names(baseline(WORDS, {"t": Constraint(domains=(*DOMAIN, "new"))}), data) == []


def test_a_code_that_is_replaced_by_another_is_one_violation() -> None:
    base = baseline(CODES, {"x": Constraint(domains=("1", "2", "3"))})
    codes = np.repeat([7.0, 2.0, 3.0], [500, 300, 200])
    assert names(base, {"x": codes}) == ["categorical_values_check"]


def test_more_drift_than_new_words_explain_is_a_violation_of_its_own() -> None:
    base = baseline(WORDS, {"t": Constraint(domains=DOMAIN)})
    found = names(base, words({"a": 1_000, "b": 3_000, "c": 5_000, "new": 1_000}))
    assert sorted(found) == ["baseline_drift_check", "categorical_values_check"]


def test_one_in_64_new_values_shares_the_hash_of_an_added_one() -> None:
    base = baseline(WORDS)
    allowed = added_bins(base.layout, 0, (*DOMAIN, "added"))
    others = [f"value {k}" for k in range(64_000)]
    counts = window(base.layout, {"t": others}).counts
    assert len(allowed) == 1
    assert int(counts[allowed[0]]) == pytest.approx(len(others) / HASHED_BINS, rel=0.15)


def test_a_known_value_that_the_domain_excludes_is_a_violation_and_its_absence_is_none() -> None:
    base = baseline(WORDS, {"t": Constraint(domains=("a", "b"))})
    assert names(base, words({"a": 6_250, "b": 3_750})) == []
    assert names(base, words({"a": 5_000, "b": 3_000, "c": 2_000})) == ["categorical_values_check"]


def test_the_domain_of_a_number_is_checked_on_its_bins() -> None:
    base = baseline(CODES, {"x": Constraint(domains=("1", "2.0"))})
    assert names(base, {"x": np.repeat([1.0, 2.0], [625, 375])}) == []
    for value in (3.0, 9.0):
        data = {"x": np.repeat([1.0, 2.0, value], [500, 300, 200])}
        (violation,) = violations(base, data)
        assert (violation.check, violation.value) == ("categorical_values_check", 0.8)


def test_a_declared_kind_of_number_is_required_in_place_of_the_counted_one() -> None:
    whole = np.asarray(WHOLE["x"])[:5_000].tolist()
    halves = written([x + 0.5 for x in whole], [FRACTIONAL] * len(whole))
    assert names(baseline(WHOLE), halves) == ["data_type_check"]
    assert names(baseline(WHOLE, {"x": Constraint(type="Fractional")}), halves) == []
    same = written(whole, [INTEGRAL] * len(whole))
    assert names(baseline(WHOLE, {"x": Constraint(type="Fractional")}), same) == []
    strict = baseline(NUMBERS, {"x": Constraint(type="Integral")})
    (violation,) = violations(strict, {"x": normal(2, 1_000)})
    assert violation.check == "data_type_check"
    assert violation.limit == 0.99, "the baseline's own share of whole numbers does not lower it"
    assert "Expected data type: Integral" in violation.description
    assert violation.diagnosis == "values are written as fractional numbers"


@pytest.mark.parametrize(("threshold", "limit"), [(1.0, 0.99), (0.995, 0.995), (0.9, 0.9)])
def test_a_threshold_below_one_applies_as_it_stands(threshold: float, limit: float) -> None:
    type_threshold = Thresholds(datatype_check_threshold=threshold)
    (violation,) = violations(baseline(NUMBERS, thresholds=type_threshold), with_text(0.3))
    assert (violation.check, violation.limit) == ("data_type_check", limit)
    content = Thresholds(domain_content_threshold=threshold)
    base = baseline(WORDS, {"t": Constraint(domains=DOMAIN)}, content)
    (violation,) = violations(base, words({"a": 3_500, "b": 2_100, "c": 1_400, "new": 3_000}))
    assert (violation.check, violation.limit) == ("categorical_values_check", limit)
