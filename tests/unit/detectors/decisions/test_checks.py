"""The checks: each by its name and text, each cause told once, and nothing told that chance
explains."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from detectors.decisions import checks
from detectors.decisions.checks import Checks, columns_violations
from detectors.decisions.rules import FeatureRules, Rules, rule
from detectors.profiles.baseline import Baseline, Constraint, Thresholds
from detectors.profiles.columns import Column, Numbers, Texts
from detectors.profiles.layout import FRACTIONAL, INTEGRAL, MISSING, STRING
from detectors.report import CHECKS, Violation
from detectors.statistics.measures import measure
from tests.support.made import Values, baseline, normal, texts, window

WHOLE = np.random.default_rng(0).integers(0, 1_000, 10_000).astype(float)


def violations(
    base: Baseline,
    data: Mapping[str, Values | Column],
    rules: Rules | None = None,
    own: Mapping[str, FeatureRules] | None = None,
) -> list[Violation]:
    counted, asked = window(base.layout, data), rules or Rules()
    measures = measure(base, counted)
    return Checks(
        base,
        measures,
        rule(asked, own or {}, base.constraints, measures, counted.rows),
        asked,
        own or {},
    ).run()


def only(found: list[Violation]) -> Violation:
    assert len(found) == 1, [one.check for one in found]
    return found[0]


def with_missing(values: list[float], missing: int) -> list[float | None]:
    return [*values, *[None] * missing]


def written(values: list[float], slots: list[int]) -> Numbers:
    return Numbers(np.array(values), np.array(slots, np.uint8))


NUMBERS = baseline({"x": normal(1, 10_000)})
CODES = baseline({"x": WHOLE})
WORDS = baseline({"t": texts({"a": 5_000, "b": 3_000, "c": 1_850, "d": 150})})


def test_a_window_like_the_baseline_breaks_nothing() -> None:
    assert violations(NUMBERS, {"x": normal(2, 2_000)}) == []
    assert violations(CODES, {"x": WHOLE[:2_000]}) == []
    assert violations(WORDS, {"t": texts({"a": 1_000, "b": 600, "c": 370, "d": 30})}) == []


def test_a_null_burst_is_one_violation_and_not_one_for_each_distance() -> None:
    one = only(violations(NUMBERS, {"x": with_missing(normal(2, 600).tolist(), 400)}))
    assert (one.feature, one.check, one.value, one.limit, one.n) == (
        "x",
        "completeness_check",
        0.6,
        1.0,
        1_000,
    )
    assert one.description == "Value: 0.6 does not meet the constraint requirement! "
    assert one.diagnosis == "null burst"
    assert one.overwhelming
    assert one.moved[0].label == "missing"


def test_a_loss_of_values_that_chance_explains_is_not_told() -> None:
    usual = baseline({"x": with_missing(normal(1, 9_000).tolist(), 1_000)})
    assert usual.constraints.features["x"].completeness == pytest.approx(0.9)
    assert violations(usual, {"x": with_missing(normal(2, 170).tolist(), 30)}) == []  # 15 % of 200
    assert (
        only(violations(usual, {"x": with_missing(normal(2, 1_700).tolist(), 300)})).check
        == "completeness_check"
    )
    assert violations(NUMBERS, {"x": with_missing(normal(2, 999).tolist(), 1)}) == []
    assert (
        violations(NUMBERS, {"x": with_missing(normal(2, 99_100).tolist(), 900)}) == []
    )  # 0.9 % is under completeness_gap


def test_a_column_without_a_single_value_is_missing() -> None:
    two = baseline({"x": normal(1, 5_000), "y": normal(2, 5_000)})
    one = only(violations(two, {"y": normal(3, 1_000)}))
    assert (one.feature, one.check, one.diagnosis) == ("x", "missing_column_check", "column lost")
    assert (
        "Number of columns in current dataset: 1, Number of columns in baseline constraints: 2"
        in one.description
    )


def test_one_malformed_value_is_no_violation() -> None:
    numbers = written([*WHOLE[:1_976].tolist(), float("nan")], [INTEGRAL] * 1_976 + [STRING])
    assert violations(CODES, {"x": numbers}) == []


def test_text_among_whole_numbers_breaks_the_type_with_the_contracts_sentence() -> None:
    numbers = written(
        [*WHOLE[:201].tolist(), *[float("nan")] * 120], [INTEGRAL] * 201 + [STRING] * 120
    )
    one = only(violations(CODES, {"x": numbers}))
    assert (one.check, one.value, one.limit) == ("data_type_check", 201 / 321, 0.99)
    assert (
        one.description
        == "Data type match requirement is not met. Expected data type: Integral, Expected match:"
        " 99.0%. Observed: Only 62.616822429906534% of data is Integral."
    )
    assert one.diagnosis == "type change: values written as string"


def test_whole_numbers_fit_fractional_but_decimals_do_not_fit_integral() -> None:
    assert (
        violations(NUMBERS, {"x": Numbers(normal(2, 1_000), np.full(1_000, INTEGRAL, np.uint8))})
        == []
    )
    one = only(
        violations(CODES, {"x": Numbers(WHOLE[:1_000], np.full(1_000, FRACTIONAL, np.uint8))})
    )
    assert (one.check, one.value, one.diagnosis) == (
        "data_type_check",
        0.0,
        "type change: values written as fractional",
    )
    assert one.overwhelming


def test_numbers_do_not_fit_string_unless_the_baseline_had_them() -> None:
    digits = baseline({"t": texts({"10001": 3_000, "10002": 2_000})})
    assert violations(digits, {"t": texts({"10001": 600, "10002": 400})}) == []
    found = violations(WORDS, {"t": texts({"7": 1_000})})
    assert [one.check for one in found] == ["data_type_check", "baseline_drift_check"]
    assert found[0].diagnosis == "type change: values written as integral"


def test_a_burst_of_nan_is_told_as_nan() -> None:
    values = normal(2, 1_000)
    values[:300] = np.nan
    one = only(violations(NUMBERS, {"x": values}))
    assert (one.check, one.value, one.diagnosis) == (
        "data_type_check",
        0.7,
        "type change: values written as NaN",
    )


def test_drift_is_told_with_the_contracts_sentence() -> None:
    one = only(violations(NUMBERS, {"x": normal(2, 1_000, mean=1.0)}))
    assert one.check == "baseline_drift_check"
    assert one.statistic == "psi"
    assert (
        one.description
        == f"Baseline drift distance: {one.value!r} exceeds threshold: {one.limit!r}"
    )
    assert one.moved
    assert one.overwhelming


def test_drift_beside_a_loss_of_values_is_told_where_the_loss_does_not_explain_it() -> None:
    found = violations(NUMBERS, {"x": with_missing(normal(2, 950, mean=3.0).tolist(), 50)})
    assert {one.check for one in found} == {"completeness_check", "baseline_drift_check"}


def test_domains_are_checked_only_where_there_are_any() -> None:
    strange = {"t": texts({"a": 500, "b": 300, "c": 150, "d": 15, "z": 35})}
    assert "categorical_values_check" not in {one.check for one in violations(WORDS, strange)}
    closed = baseline(
        {"t": texts({"a": 5_000, "b": 3_000, "c": 1_850, "d": 150})},
        {"t": Constraint(1.0, domains=("a", "b", "c", "d"))},
    )
    one = next(
        one for one in violations(closed, strange) if one.check == "categorical_values_check"
    )
    assert (one.value, one.limit) == (0.965, 0.99)
    assert one.description == "Value: 0.965 does not meet the constraint requirement! "


def test_a_rare_value_that_vanishes_is_found_though_psi_sleeps() -> None:
    # d has 1 % of the baseline: 40 of 4,000 are expected
    words = baseline({"t": texts({"a": 5_000, "b": 3_000, "c": 1_900, "d": 100})})
    gone = {"t": texts({"a": 2_020, "b": 1_220, "c": 760})}
    assert float(measure(words, window(words.layout, gone)).distances["psi"][0]) < 0.06
    one = only(violations(words, gone))
    assert (one.check, one.limit) == ("vanished_value_check", 30.0)
    assert one.value == pytest.approx(40.0)
    assert (one.moved[0].label, one.moved[0].before_count, one.moved[0].after_count) == (
        "d",
        100,
        0,
    )
    assert "d" not in one.description.split()


def test_a_column_without_a_value_is_told_by_its_name() -> None:
    gaps: list[str | None] = [None] * 500
    one = only(violations(WORDS, {"t": gaps}))
    assert (one.check, one.feature) == ("missing_column_check", "t")
    assert one.description.startswith("The column has no value in any row.")


def test_a_value_of_few_expected_occurrences_may_be_absent() -> None:
    assert violations(WORDS, {"t": texts({"a": 960, "b": 580, "c": 370})}) == []  # 28.7 expected


def test_a_value_that_the_baseline_saw_once_may_be_absent_from_a_large_window() -> None:
    once = baseline({"t": texts({"a": 999, "b": 1})})
    assert (
        violations(once, {"t": texts({"a": 100_000})}) == []
    )  # 100 expected, but the share is hardly known


def test_a_code_that_vanishes_is_found_too() -> None:
    codes = baseline({"x": [1.0] * 6_000 + [2.0] * 3_900 + [3.0] * 100})
    assert (
        only(violations(codes, {"x": [1.0] * 2_430 + [2.0] * 1_570})).check
        == "vanished_value_check"
    )


def test_an_atom_of_a_grid_that_vanishes_is_found_too() -> None:
    """4 % exact zeros in amounts that spread widely: PSI sees a cell of many values and sleeps."""
    spread = np.random.default_rng(3).lognormal(3, 1, 10_000)
    amounts = baseline({"x": np.where(np.arange(10_000) < 400, 0.0, spread)})
    assert violations(amounts, {"x": np.where(np.arange(10_000) < 400, 0.0, spread[::-1])}) == []
    one = only(violations(amounts, {"x": spread}))
    assert (one.check, one.value, one.moved[0].label, one.moved[0].before_count) == (
        "vanished_value_check",
        400.0,
        "0",
        400,
    )


def test_negative_values_are_told_where_the_baseline_had_none() -> None:
    amounts = np.random.default_rng(1).uniform(0.0, 100.0, 10_000)
    asked = baseline({"x": amounts}, {"x": Constraint(1.0, non_negative=True)})
    some = np.concatenate((amounts[:980], np.full(20, -40.0)))
    one = only(violations(asked, {"x": some}))
    assert (one.check, one.value) == ("non_negative_check", 0.02)
    assert "-40" not in one.description
    assert violations(asked, {"x": np.append(amounts[:999], -40.0)}) == []
    assert violations(baseline({"x": amounts}), {"x": some}) == []


def test_a_drift_below_zero_is_told_once() -> None:
    asked = baseline(
        {"x": np.random.default_rng(1).uniform(0.0, 100.0, 10_000)},
        {"x": Constraint(1.0, non_negative=True)},
    )
    assert only(violations(asked, {"x": np.full(1_000, -40.0)})).check == "baseline_drift_check"


def test_a_small_loss_is_not_overwhelming_however_certain() -> None:
    one = only(violations(NUMBERS, {"x": with_missing(normal(2, 9_700).tolist(), 300)}))
    assert (one.check, one.overwhelming) == ("completeness_check", False)


def test_too_few_rows_break_nothing() -> None:
    assert violations(NUMBERS, {"x": [None] * 99}) == []
    assert only(violations(NUMBERS, {"x": [None] * 100})).check == "missing_column_check"


def test_a_feature_can_be_left_out() -> None:
    burst: dict[str, Values] = {"x": [None] * 1_000}
    assert violations(NUMBERS, burst, own={"x": FeatureRules(enabled=False)}) == []
    assert (
        violations(baseline({"x": normal(1, 5_000)}, {"x": Constraint(1.0, evaluate=False)}), burst)
        == []
    )
    assert (
        violations(
            baseline({"x": normal(1, 5_000)}, None, Thresholds(evaluate_constraints=False)), burst
        )
        == []
    )


@pytest.mark.parametrize("rows", [100, 1_000])
def test_windows_without_drift_break_nothing_in_twenty_features(rows: int) -> None:
    names = [f"x{k}" for k in range(20)]
    rng = np.random.default_rng(9)

    def some(size: int) -> dict[str, Values | Column]:
        data: dict[str, Values | Column] = {}
        for k, name in enumerate(names):
            if k % 2:
                words = np.array([f"w{j}" for j in range(30)])[
                    np.minimum(rng.zipf(1.6, size), 30) - 1
                ]
                data[name] = Texts(
                    pa.array(words.tolist(), pa.string(), mask=rng.random(size) < 0.05)
                )
            else:
                slots = np.where(rng.random(size) < 0.05, MISSING, FRACTIONAL).astype(np.uint8)
                data[name] = Numbers(
                    np.where(slots == MISSING, np.nan, rng.lognormal(0, 1, size)), slots
                )
        return data

    def plain(one: Values | Column) -> Values:
        if isinstance(one, Texts):
            return [None if value is None else str(value) for value in one.values.to_pylist()]
        assert isinstance(one, Numbers)
        return [None if np.isnan(value) else float(value) for value in one.values]

    base = baseline({name: plain(values) for name, values in some(10_000).items()})
    alarms = sum(bool(violations(base, some(rows))) for _ in range(100))
    assert alarms <= 2  # alpha is 0.001 a window; the law's tails are up to four times heavier


def test_records_with_another_number_of_columns_are_told_by_their_share() -> None:
    rules = Rules()
    fewer, more = columns_violations(9, too_narrow=30, too_wide=40, rows=930, rules=rules)
    assert (fewer.check, fewer.value, fewer.n) == ("missing_column_check", 0.03, 1_000)
    assert (more.check, more.value) == ("extra_column_check", 0.04)
    assert "9" in fewer.description
    assert not fewer.overwhelming
    assert columns_violations(9, too_narrow=10, too_wide=0, rows=990, rules=rules) == []
    assert columns_violations(9, too_narrow=50, too_wide=0, rows=49, rules=rules) == []
    assert columns_violations(9, too_narrow=600, too_wide=0, rows=0, rules=rules)[0].overwhelming


def test_every_check_has_its_place_in_the_list() -> None:
    detectors = Path(checks.__file__).parent
    written = {
        name
        for path in detectors.rglob("*.py")
        for name in re.findall(r'"(\w+_check)"', path.read_text())
    }
    assert written == set(CHECKS)
    assert len(CHECKS) == len(set(CHECKS)) == 9
