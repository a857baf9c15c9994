"""The checks: each has a name and a text, reports a cause once, and does not report chance."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from detectors.decisions.catalogue import CHECKS, size_of
from detectors.decisions.checks.base import COLUMNS, Check, CheckedWindow
from detectors.decisions.rules import FeatureRules, Rules
from detectors.decisions.rulings import rule
from detectors.decisions.violations import ORDERED, violations_of
from detectors.profiles.baseline import Baseline, Constraint, Thresholds
from detectors.profiles.columns import Column, Numbers, Texts
from detectors.profiles.layout import FRACTIONAL, INTEGRAL, MISSING, STRING
from detectors.profiles.profile import Profile
from detectors.statistics.measures import measure
from detectors.violation import Violation
from stream.baselining.build import make
from stream.testing.baselines import Values, baseline, normal, texts, window

WHOLE = np.random.default_rng(0).integers(0, 1_000, 10_000).astype(float)


def checked(
    base: Baseline,
    counted: Profile,
    rules: Rules | None = None,
    feature_rules: Mapping[str, FeatureRules] | None = None,
    *,
    too_narrow: int = 0,
    too_wide: int = 0,
    expose_values: bool = False,
) -> CheckedWindow:
    measures = measure(base, counted)
    in_force = rules or Rules(mode="threshold")
    return CheckedWindow(
        baseline=base,
        measures=measures,
        rulings=rule(in_force, feature_rules or {}, base.constraints, measures, counted.rows),
        rules=in_force,
        feature_rules=feature_rules,
        rows=counted.rows,
        too_narrow=too_narrow,
        too_wide=too_wide,
        expose_values=expose_values,
    )


def violations(
    base: Baseline,
    data: Mapping[str, Values | Column],
    rules: Rules | None = None,
    feature_rules: Mapping[str, FeatureRules] | None = None,
    *,
    expose_values: bool = False,
) -> list[Violation]:
    counted = window(base.layout, data)
    return violations_of(checked(base, counted, rules, feature_rules, expose_values=expose_values))


def only(violations: list[Violation]) -> Violation:
    assert len(violations) == 1, [violation.check for violation in violations]
    return violations[0]


def names(violations: list[Violation]) -> list[str]:
    return [violation.check for violation in violations]


def with_missing(values: list[float], missing: int) -> list[float | None]:
    return [*values, *[None] * missing]


def written(values: list[float], slots: list[int]) -> Numbers:
    return Numbers(np.array(values), np.array(slots, np.uint8))


NUMBERS = baseline({"x": normal(1, 10_000)})
CODES = baseline({"x": WHOLE})
WORDS = baseline({"t": texts({"a": 5_000, "b": 3_000, "c": 1_850, "d": 150})})


def test_a_window_like_the_baseline_has_no_violations() -> None:
    assert violations(NUMBERS, {"x": normal(2, 2_000)}) == []
    assert violations(CODES, {"x": WHOLE[:2_000]}) == []
    assert violations(WORDS, {"t": texts({"a": 1_000, "b": 600, "c": 370, "d": 30})}) == []


def test_a_null_burst_is_one_violation_and_not_one_for_each_distance() -> None:
    violation = only(violations(NUMBERS, {"x": with_missing(normal(2, 600).tolist(), 400)}))
    assert (violation.feature, violation.check) == ("x", "completeness_check")
    assert (violation.value, violation.limit, violation.n) == (0.6, 0.99, 1_000)
    assert violation.description == "Value: 0.6 does not meet the constraint requirement! "
    assert violation.summary == "completeness 60 %, at least 99 % required (n = 1,000)"
    assert violation.diagnosis == "nulls rose from 0 % to 40 %"
    assert violation.overwhelming
    assert violation.moved == ()


def test_a_loss_of_values_that_chance_explains_is_no_violation() -> None:
    incomplete = baseline({"x": with_missing(normal(1, 9_000).tolist(), 1_000)})
    assert incomplete.constraints.features["x"].completeness == pytest.approx(0.9)
    assert (
        violations(incomplete, {"x": with_missing(normal(2, 170).tolist(), 30)}) == []
    )  # 15 % of 200
    certain = violations(incomplete, {"x": with_missing(normal(2, 1_700).tolist(), 300)})
    assert only(certain).check == "completeness_check"
    assert only(certain).diagnosis == "nulls rose from 10 % to 15 %"
    assert violations(NUMBERS, {"x": with_missing(normal(2, 999).tolist(), 1)}) == []
    # 0.9 % is under completeness_gap
    assert violations(NUMBERS, {"x": with_missing(normal(2, 99_100).tolist(), 900)}) == []


def test_a_column_without_a_single_value_is_missing() -> None:
    two = baseline({"x": normal(1, 5_000), "y": normal(2, 5_000)})
    violation = only(violations(two, {"y": normal(3, 1_000)}))
    assert (violation.feature, violation.check) == ("x", "missing_column_check")
    assert violation.diagnosis == "column missing"
    assert violation.summary == "column missing: no value in 1,000 rows"
    assert violation.description == (
        "The column has no value in any row. There are missing columns in current dataset. Number"
        " of columns in current dataset: 1, Number of columns in baseline constraints: 2"
    )


def test_a_single_malformed_value_is_no_violation() -> None:
    numbers = written([*WHOLE[:1_976].tolist(), float("nan")], [INTEGRAL] * 1_976 + [STRING])
    assert violations(CODES, {"x": numbers}) == []


def test_text_among_whole_numbers_is_a_type_violation_with_sagemakers_description() -> None:
    numbers = written(
        [*WHOLE[:201].tolist(), *[float("nan")] * 120], [INTEGRAL] * 201 + [STRING] * 120
    )
    violation = only(violations(CODES, {"x": numbers}))
    assert (violation.check, violation.value, violation.limit) == (
        "data_type_check",
        201 / 321,
        0.99,
    )
    assert (
        violation.description
        == "Data type match requirement is not met. Expected data type: Integral, Expected match:"
        " 99.0%. Observed: Only 62.616822429906534% of data is Integral."
    )
    assert (
        violation.summary == "62.6 % of the values are Integral, at least 99 % required (n = 321)"
    )
    assert violation.diagnosis == "values are written as strings"


def test_whole_numbers_match_fractional_but_decimals_do_not_match_integral() -> None:
    whole = Numbers(normal(2, 1_000), np.full(1_000, INTEGRAL, np.uint8))
    assert violations(NUMBERS, {"x": whole}) == []
    decimals = Numbers(WHOLE[:1_000], np.full(1_000, FRACTIONAL, np.uint8))
    violation = only(violations(CODES, {"x": decimals}))
    assert (violation.check, violation.value) == ("data_type_check", 0.0)
    assert violation.diagnosis == "values are written as fractional numbers"
    assert violation.overwhelming


def test_numbers_do_not_match_string_unless_the_baseline_had_them() -> None:
    digits = baseline({"t": texts({"10001": 3_000, "10002": 2_000})})
    assert violations(digits, {"t": texts({"10001": 600, "10002": 400})}) == []
    type_change, drift = violations(WORDS, {"t": texts({"7": 1_000})})
    assert (type_change.check, drift.check) == ("data_type_check", "baseline_drift_check")
    assert type_change.diagnosis == "values are written as whole numbers"
    assert drift.diagnosis == "new category values rose from 0 % to 100 %"


@pytest.mark.parametrize(
    ("value", "diagnosis"), [(np.nan, "values are NaN"), (-np.inf, "values are infinite")]
)
def test_a_burst_of_nan_or_of_infinities_is_named(value: float, diagnosis: str) -> None:
    values = normal(2, 1_000)
    values[:300] = value
    violation = only(violations(NUMBERS, {"x": values}))
    assert (violation.check, violation.value) == ("data_type_check", 0.7)
    assert violation.diagnosis == diagnosis


def test_drift_has_sagemakers_description_and_a_summary_of_the_moved_values() -> None:
    violation = only(violations(NUMBERS, {"x": normal(2, 1_000, mean=1.0)}))
    assert (violation.check, violation.statistic) == ("baseline_drift_check", "psi")
    value = violation.value
    limit = violation.limit
    assert violation.description == (
        f"Baseline drift distance: {value!r} exceeds threshold: {limit!r}"
    )
    assert re.fullmatch(
        rf"PSI {value:.2g}, limit 0.063: values moved from \[-inf, \S+\) to \[\S+, inf\)",
        violation.summary,
    )
    assert violation.moved
    assert violation.overwhelming


def test_drift_next_to_a_loss_of_values_is_reported_where_the_loss_does_not_explain_it() -> None:
    shifted = with_missing(normal(2, 950, mean=3.0).tolist(), 50)
    assert names(violations(NUMBERS, {"x": shifted})) == [
        "completeness_check",
        "baseline_drift_check",
    ]


def test_drift_by_a_far_outlier_names_no_bins_with_small_shifts() -> None:
    values = np.append(normal(1, 10_000)[:2_000], 5_000.0)
    wasserstein = {"x": FeatureRules(statistic="wasserstein")}
    drift = only(violations(NUMBERS, {"x": values}, feature_rules=wasserstein))
    assert re.fullmatch(r"Wasserstein [\d.]+, limit 0\.25", drift.summary)


def test_drift_into_new_values_sums_up_their_hashed_bins() -> None:
    new = {f"new {k}": 2 for k in range(100)}
    drift = only(violations(WORDS, {"t": texts({"a": 300, "b": 300, "c": 185, "d": 15, **new})}))
    assert drift.summary.endswith(": values moved from value #0 to new values")
    assert drift.diagnosis == "new category values rose from 0 % to 20 %"


def test_a_summary_names_the_most_frequent_new_values_if_they_may_be_exposed() -> None:
    known = {"a": 300, "b": 300, "c": 185, "d": 15}
    few = {"t": texts({**known, "winter": 120, "it's \x1b[2J": 80})}
    many = {"t": texts({**known, **{f"new {k}": 2 for k in range(100)}})}
    closed = only(violations(WORDS, few))
    assert closed.summary.endswith(": values moved from value #0 to new values")
    exposed = only(violations(WORDS, few, expose_values=True))
    assert exposed.summary.endswith(
        """: values moved from 'a' to new values: 'winter', "it's \\x1b[2J\""""
    )
    some = only(violations(WORDS, many, expose_values=True)).summary
    assert re.search(r"to new values: 'new \d+', 'new \d+', 'new \d+' and others$", some)


def test_new_values_outside_of_a_domain_are_named_if_they_may_be_exposed() -> None:
    known = {"a": 500, "b": 300, "c": 150}
    closed = baseline(
        {"t": texts({"a": 5_000, "b": 3_000, "c": 1_850, "d": 150})},
        {"t": Constraint(1.0, domains=("a", "b", "allowed"))},
    )
    strange = {"t": texts({**known, "allowed": 30, "winter": 20})}
    for exposed, end in ((False, "(n = 1,000)"), (True, "(n = 1,000); new values: 'winter'")):
        violation = violations(closed, strange, expose_values=exposed)[0]
        assert violation.check == "categorical_values_check"
        assert violation.summary.endswith(end)


CLOSED = baseline(
    {"t": texts({"a": 5_000, "b": 3_000, "c": 1_850, "d": 150})},
    {"t": Constraint(1.0, domains=("a", "b", "c", "d"))},
)


def test_domains_are_checked_only_where_they_are_configured() -> None:
    strange = {"t": texts({"a": 500, "b": 300, "c": 150, "d": 15, "z": 35})}
    assert "categorical_values_check" not in names(violations(WORDS, strange))
    violation = violations(CLOSED, strange)[0]
    assert violation.check == "categorical_values_check"
    assert (violation.value, violation.limit) == (0.965, 0.99)
    assert violation.description == "Value: 0.965 does not meet the constraint requirement! "
    assert violation.summary == (
        "96.5 % of the values are in the domain, at least 99 % required (n = 1,000)"
    )
    assert violation.diagnosis == "new category values rose from 0 % to 3.5 %"


def test_values_that_only_the_domain_excludes_are_not_called_new() -> None:
    words = baseline({"t": texts({"a": 5_000, "b": 5_000})}, {"t": Constraint(1.0, domains=("a",))})
    violation = only(violations(words, {"t": texts({"a": 500, "b": 500})}))
    assert violation.check == "categorical_values_check"
    assert violation.diagnosis == "values outside the domain"


def test_a_rare_value_that_vanishes_is_reported_although_its_psi_is_small() -> None:
    # d has 1 % of the baseline: 40 of 4,000 are expected
    words = baseline({"t": texts({"a": 5_000, "b": 3_000, "c": 1_900, "d": 100})})
    without = {"t": texts({"a": 2_020, "b": 1_220, "c": 760})}
    assert float(measure(words, window(words.layout, without)).distances["psi"][0]) < 0.06
    violation = only(violations(words, without))
    assert (violation.check, violation.limit) == ("vanished_value_check", 30.0)
    assert violation.value == pytest.approx(40.0)
    (shift,) = violation.moved
    assert (shift.label, shift.before_count, shift.after_count) == ("d", 100, 0)
    assert "d" not in violation.description.split()
    assert violation.summary == "a known value vanished: 40 expected, none seen"


def test_a_summary_names_values_only_if_they_may_be_exposed() -> None:
    words = baseline({"t": texts({"a": 5_000, "b": 3_000, "c": 1_900, "d": 100})})
    without = {"t": texts({"a": 2_020, "b": 1_220, "c": 760})}
    vanished = only(violations(words, without, expose_values=True))
    assert vanished.summary == "value 'd' vanished: 40 expected, none seen"
    moved = {"t": texts({"a": 200, "b": 100, "c": 695, "d": 5})}
    closed, exposed = (
        only(violations(words, moved, expose_values=exposed)).summary for exposed in (False, True)
    )
    assert closed.endswith(": values moved from value #0 to value #2")
    assert exposed.endswith(": values moved from 'a' to 'c'")


def test_a_column_without_a_value_is_reported_by_its_name() -> None:
    gaps: list[str | None] = [None] * 500
    violation = only(violations(WORDS, {"t": gaps}))
    assert (violation.check, violation.feature) == ("missing_column_check", "t")


def test_a_value_with_few_expected_occurrences_may_be_absent() -> None:
    assert violations(WORDS, {"t": texts({"a": 960, "b": 580, "c": 370})}) == []  # 28.7 expected


def test_a_value_counted_once_in_the_baseline_may_be_absent_from_a_large_window() -> None:
    once = baseline({"t": texts({"a": 999, "b": 1})})
    # 100 expected, but a single occurrence hardly determines the share
    assert violations(once, {"t": texts({"a": 100_000})}) == []


def test_a_code_that_vanishes_is_reported() -> None:
    codes = baseline({"x": [1.0] * 6_000 + [2.0] * 3_900 + [3.0] * 100})
    violation = only(violations(codes, {"x": [1.0] * 2_430 + [2.0] * 1_570}))
    assert violation.check == "vanished_value_check"


def test_an_atom_of_a_grid_that_vanishes_is_reported() -> None:
    """4 % exact zeros among amounts that spread widely share a cell with many other values."""
    spread = np.random.default_rng(3).lognormal(3, 1, 10_000)
    amounts = baseline({"x": np.where(np.arange(10_000) < 400, 0.0, spread)})
    assert violations(amounts, {"x": np.where(np.arange(10_000) < 400, 0.0, spread[::-1])}) == []
    violation = only(violations(amounts, {"x": spread}))
    assert (violation.check, violation.value) == ("vanished_value_check", 400.0)
    assert (violation.moved[0].label, violation.moved[0].before_count) == ("0", 400)


def test_negative_values_are_reported_where_the_baseline_had_none() -> None:
    amounts = np.random.default_rng(1).uniform(0.0, 100.0, 10_000)
    non_negative = baseline({"x": amounts}, {"x": Constraint(1.0, non_negative=True)})
    with_negative = np.concatenate((amounts[:980], np.full(20, -40.0)))
    violation = only(violations(non_negative, {"x": with_negative}))
    assert (violation.check, violation.value) == ("non_negative_check", 0.02)
    assert violation.summary == (
        "2 % of the values are negative, at most 0.1 % allowed (n = 1,000)"
    )
    assert "-40" not in violation.description + violation.summary
    assert violations(non_negative, {"x": np.append(amounts[:999], -40.0)}) == []
    assert violations(baseline({"x": amounts}), {"x": with_negative}) == []


def test_a_drift_below_zero_is_reported_once() -> None:
    non_negative = baseline(
        {"x": np.random.default_rng(1).uniform(0.0, 100.0, 10_000)},
        {"x": Constraint(1.0, non_negative=True)},
    )
    violation = only(violations(non_negative, {"x": np.full(1_000, -40.0)}))
    assert (violation.check, violation.value) == ("non_negative_check", 1.0)
    assert violation.overwhelming
    mirrored = -np.random.default_rng(2).gamma(2.0, 10.0, 1_000)
    assert only(violations(non_negative, {"x": mirrored})).check == "non_negative_check"


def test_a_few_negative_values_beside_another_drift_are_not_its_cause() -> None:
    amounts = np.random.default_rng(1).uniform(0.0, 100.0, 10_000)
    non_negative = baseline({"x": amounts}, {"x": Constraint(1.0, non_negative=True)})
    squeezed = np.concatenate((amounts[:950] / 3.0, np.full(50, -1.0)))
    assert only(violations(non_negative, {"x": squeezed})).check == "baseline_drift_check"


def test_values_just_below_zero_count_as_negative() -> None:
    amounts = np.random.default_rng(1).uniform(0.01, 100.0, 10_000)
    non_negative = baseline({"x": amounts}, {"x": Constraint(1.0, non_negative=True)})
    mixed = np.concatenate((amounts[:950], np.full(50, -1.0)))
    assert only(violations(non_negative, {"x": mixed})).check == "non_negative_check"


def test_a_small_loss_is_not_overwhelming_however_certain() -> None:
    violation = only(violations(NUMBERS, {"x": with_missing(normal(2, 9_700).tolist(), 300)}))
    assert (violation.check, violation.overwhelming) == ("completeness_check", False)


def test_too_few_rows_have_no_violations() -> None:
    assert violations(NUMBERS, {"x": [None] * 99}) == []
    assert only(violations(NUMBERS, {"x": [None] * 100})).check == "missing_column_check"


def test_a_feature_can_be_excluded() -> None:
    burst: dict[str, Values] = {"x": [None] * 1_000}
    numbers = {"x": normal(1, 5_000)}
    off = baseline(numbers, {"x": Constraint(1.0, evaluate=False)})
    all_off = baseline(numbers, None, Thresholds(evaluate_constraints=False))
    assert violations(NUMBERS, burst, feature_rules={"x": FeatureRules(enabled=False)}) == []
    assert violations(off, burst) == []
    assert violations(all_off, burst) == []


@pytest.mark.parametrize("rows", [100, 1_000])
def test_windows_without_drift_have_no_violations_in_twenty_features(rows: int) -> None:
    names = [f"x{k}" for k in range(20)]
    rng = np.random.default_rng(9)

    def drawn(size: int) -> dict[str, Values | Column]:
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

    def as_values(column: Values | Column) -> Values:
        if isinstance(column, Texts):
            return [None if value is None else str(value) for value in column.values.to_pylist()]
        assert isinstance(column, Numbers)
        return [None if np.isnan(value) else float(value) for value in column.values]

    base = baseline({name: as_values(values) for name, values in drawn(10_000).items()})
    alarms = sum(bool(violations(base, drawn(rows))) for _ in range(100))
    assert alarms <= 2  # alpha is 0.001 a window; the law's tails are up to four times heavier


def of_records(rows: int, too_narrow: int = 0, too_wide: int = 0) -> list[Violation]:
    """Violations of all columns: ``rows`` that fit, and records of the wrong width."""
    columns = tuple(f"c{k}" for k in range(8))
    base = baseline({"x": normal(1, 1_000)})
    nine = Baseline(base.layout, base.profile, base.constraints, ("x", *columns))
    counted = window(base.layout, {"x": normal(2, rows)}) if rows else Profile(base.layout)
    window_of_nine = checked(nine, counted, too_narrow=too_narrow, too_wide=too_wide)
    return [
        violation for violation in violations_of(window_of_nine) if violation.feature == COLUMNS
    ]


def test_records_with_another_number_of_columns_are_reported_by_their_share() -> None:
    fewer, more = of_records(930, too_narrow=30, too_wide=40)
    assert (fewer.check, fewer.value, fewer.n) == ("missing_column_check", 0.03, 1_000)
    assert (more.check, more.value) == ("extra_column_check", 0.04)
    assert fewer.description == (
        "30 of 1000 records have fewer columns than the 9 of the baseline constraints."
    )
    assert fewer.summary == "3 % of 1,000 records have fewer than 9 columns, at most 1 % allowed"
    assert more.summary == "4 % of 1,000 records have more than 9 columns, at most 1 % allowed"
    assert not fewer.overwhelming
    assert of_records(990, too_narrow=10) == []
    assert of_records(49, too_narrow=50) == []
    assert of_records(0, too_narrow=600)[0].overwhelming


def test_records_of_the_wrong_width_are_reported_even_if_feature_checks_are_disabled() -> None:
    off = baseline({"x": normal(1, 1_000)}, None, Thresholds(evaluate_constraints=False))
    assert names(violations_of(checked(off, Profile(off.layout), too_wide=500))) == [
        "extra_column_check"
    ]


def test_the_nine_checks_are_discovered_by_their_files_and_run_in_order() -> None:
    own = [
        "completeness_check",
        "missing_column_check",
        "data_type_check",
        "categorical_values_check",
        "extra_column_check",
        "baseline_drift_check",
        "vanished_value_check",
        "non_negative_check",
        "change_check",
    ]
    assert [check.name for check in ORDERED if check.name in own] == own
    assert all(CHECKS[name].name == name for name in CHECKS)


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_every_check_has_a_docstring(name: str) -> None:
    assert type(CHECKS[name]) is not Check
    assert (type(CHECKS[name]).__doc__ or "").strip().endswith(".")


@pytest.mark.parametrize(
    ("check", "value", "limit", "size"),
    [
        ("baseline_drift_check", 0.5, 0.1, 0.5),
        ("non_negative_check", 0.02, 0.001, 0.02),
        ("extra_column_check", 0.04, 0.01, 0.04),
        ("completeness_check", 0.25, 1.0, 0.75),
        ("data_type_check", 0.5, 0.75, 0.25),
        ("vanished_value_check", 400.0, 30.0, 1.0),
        ("change_check", 0.9, 0.1, 1.0),
        ("check_of_a_distribution_that_was_uninstalled", 0.5, 0.1, 0.5),
    ],
)
def test_the_size_of_a_violation_is_that_of_its_check(
    check: str, value: float, limit: float, size: float
) -> None:
    violation = Violation(
        feature="x",
        check=check,
        statistic="s",
        value=value,
        limit=limit,
        n=1_000,
        description="",
    )
    assert size_of(violation) == size


def empty_column(rows: int = 10_000) -> Baseline:
    """A baseline with a column ``promo`` that has no value."""
    columns = {"x": [str(k % 7) for k in range(rows)], "promo": [None] * rows}
    arrays = {name: pa.array(values, pa.string()) for name, values in columns.items()}
    return make(lambda: [pa.table(arrays)]).baseline


def filled(values: int, rows: int = 1_000) -> Mapping[str, Column]:
    texts = pa.array([*["SUMMER"] * values, *[None] * (rows - values)], pa.string())
    return {
        "x": Numbers((np.arange(rows) % 7).astype(np.float64), integral=True),
        "promo": Texts(texts),
    }


@pytest.mark.parametrize(("values", "share"), [(1_000, 1.0), (300, 0.3), (20, 0.02)])
def test_values_in_a_column_that_had_none_are_one_violation(values: int, share: float) -> None:
    violation = only(violations(empty_column(), filled(values)))
    assert (violation.feature, violation.check) == ("promo", "empty_column_check")
    assert (violation.value, violation.limit, violation.n) == (share, 0.0, 1_000)
    assert violation.overwhelming == (share > 0.05)
    assert "SUMMER" not in violation.summary + violation.description


def test_a_column_that_stays_empty_or_has_a_stray_value_is_no_violation() -> None:
    assert violations(empty_column(), filled(0)) == []
    assert violations(empty_column(), filled(1)) == []


def test_a_domain_allows_values_of_a_column_that_had_none() -> None:
    base = empty_column()
    allowed = {**base.constraints.features, "promo": Constraint(domains=("SUMMER",))}
    constrained = base.constrained(msgspec.structs.replace(base.constraints, features=allowed))
    assert violations(constrained, filled(1_000)) == []
