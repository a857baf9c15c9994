"""Conditions: what can be written, what is met, and what a violation of one says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from detectors.decisions.condition_numbers import (
    OF_TYPES,
    OF_WINDOW,
    WindowNumbers,
    of_features,
)
from detectors.decisions.conditions import Verdict, condition, expects_rows, verdict
from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.rules import Rules
from detectors.decisions.window_span import WindowSpan
from detectors.errors import ConditionInvalid
from detectors.report import Signal, WindowReport
from stream.testing.baselines import Values, baseline, texts, window

PAGE = Path(__file__).parents[4] / "docs" / "conditions.md"
BASE = baseline(
    {
        "area": [float(k % 10) for k in range(1_000)],
        "unit price": [1.0, 2.0] * 500,
        "city": texts({"x": 500, "y": 500}),
    }
)


def judged(
    conditions: tuple[str, ...],
    data: dict[str, Values],
    *,
    expected: float | None = None,
    incomplete: bool = False,
    start_ms: int = 0,
    expose_values: bool = True,
) -> WindowReport:
    judge = Judge(
        "job", Rules(mode="threshold", conditions=conditions), expose_values=expose_values
    )
    span = WindowSpan(
        model="m",
        variant="v",
        start_ms=start_ms,
        end_ms=start_ms + 60_000,
        incomplete=incomplete,
        expected_rows=expected,
    )
    return judge.report(span, BASE, window(BASE.layout, data), EpisodeState())


def rows(
    count: int, area: float = 4.0, price: float | None = 1.5, city: str = "x"
) -> dict[str, Values]:
    return {"area": [area] * count, "unit price": [price] * count, "city": [city] * count}


def of_conditions(report: WindowReport) -> list[tuple[str, str]]:
    return [(v.feature, v.summary) for v in report.violations if v.check == "condition_check"]


def numbers(**of_window: float | None) -> WindowNumbers:
    return WindowNumbers(of_window, {})


def is_met(text: str, **of_window: float | None) -> bool:
    found = verdict([text], numbers(**of_window), 1, expose_values=True)
    return bool(found.violations)


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("rows < 100", True),
        ("rows <= 50", True),
        ("rows < 50", False),
        ("rows == 50 and expected_rows == 200", True),
        ("rows != 50 or not rows > 49", False),
        ("rows / expected_rows < 0.25", False),
        ("0.25 >= rows / expected_rows", True),
        ("abs(rows - expected_rows) >= 150", True),
        ("-rows + 2 * (expected_rows - 1) > 347", True),
        ("-rows + 2 * (expected_rows - 1) > 348", False),
        ("10 < rows < 60 < expected_rows", True),
        ("60 < rows < 10", False),
    ],
)
def test_a_condition_is_arithmetic_on_the_numbers_of_the_window(text: str, met: bool) -> None:
    assert is_met(text, rows=50, expected_rows=200.0, violations=0) is met


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("oulier_share(area) > 1", "`oulier_share` at character 1; did you mean 'outlier_share'?"),
        ("rows > 1 and mean(area) > baseline_maen(area)", "at character 27"),
        ("mean(ä) > 1 and mena(ä) > 1", "`mena` at character 17"),
        ("share(integrl, area) > 1", "did you mean 'integral'?"),
        ("mean(area)", "compares nothing"),
        ("rows", "compares nothing"),
        ("mean > 1", "`mean` at character 1 is of a column: write mean(COLUMN)"),
        ("rows(area) > 1", "write rows"),
        ("share(area) > 1", "other arguments than share(TYPE, COLUMN)"),
        ("mean(area, city) > 1", "other arguments than mean(COLUMN)"),
        ("mean(unit price) > 1", "put in quotes"),
        ("mean(unit-price) > 1", "`unit-price` at character 6 is no plain word"),
        ("rows = 1", "write `==`"),
        ("rows > 1 && rows < 3", "write `and`, `or`"),
        ("(rows > 1) + 1 > 0", "stands where a number is expected"),
        ("rows and 1", "`rows` at character 1 stands where a comparison is expected"),
        ("True", "stands where a number is expected"),
        ("'text' > 1", "stands where a number is expected"),
        ("rows > 1e999", "`1e999` at character 8 is too large a number"),
        ("rows < 1" + "0" * 400, "is too large a number"),
        ("1 > 0", "names no number of a window"),
        ("rows > 1or 2 > 3", "cannot be read at character 8"),
        ("", "cannot be read"),
        ("rows > 1; rows > 2", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, reason: str) -> None:
    with pytest.raises(ConditionInvalid, match=re.escape(reason)):
        condition(text)


@pytest.mark.parametrize(
    "text",
    [
        "rows.__class__ > 1",
        "().__class__.__bases__[0] > 1",
        "__import__('os').system('true') > 1",
        "[x for x in (1, 2)][0] > 1",
        "(lambda: 1)() > 0",
        "(1 if rows else 2) > 1",
        "f'{rows}' > 1",
        "9 ** 9 ** 9 ** 9 > 1",
        "1 << 10 > 1",
        "rows % 2 > 0",
        "(y := 3) > 1",
        "mean(area=1) > 1",
        "mean(*rows) > 1",
        "{1: 2}[1] > 1",
        "rows in (1, 2)",
        "rows is 1",
    ],
)
def test_nothing_but_arithmetic_on_numbers_is_accepted(text: str) -> None:
    with pytest.raises(ConditionInvalid):
        condition(text)


@pytest.mark.parametrize(
    "text",
    ["(" * 240 + "rows" + ")" * 240 + " > 1", "+" * 480 + "rows > 1", "-" * 480 + "rows > 1"],
)
def test_a_condition_that_nests_too_deeply_is_refused_without_a_crash(text: str) -> None:
    with pytest.raises(ConditionInvalid, match="nested too deeply|too many nested"):
        condition(text)


def test_the_longest_sum_that_a_condition_has_room_for_is_evaluated() -> None:
    text = "+".join(["rows"] * 99)
    assert len(f"{text}>98") == 497
    assert is_met(f"{text}>98", rows=1)
    assert not is_met(f"{text}>99", rows=1)


@pytest.mark.parametrize(
    "text",
    [
        f"rows * 1{'0' * 200} * 1{'0' * 200} > 1",
        "rows * 1e308 * 1e308 > 1",
        "1e308 * 10 > rows",
        "rows < 1e308 + 1e308",
        "rows / 1e-320 > 1",
        "rows * 1e200 * 1e200 - rows * 1e200 * 1e200 == 0",
    ],
)
def test_a_result_that_is_too_large_for_a_number_meets_nothing(text: str) -> None:
    found = verdict([text], numbers(rows=1), 1, expose_values=True)
    assert found.violations == ()
    assert found.notes == (f"condition `{text}` is not judged: a result in it is not defined",)


def test_a_violation_names_the_feature_the_numbers_and_the_words_of_the_user() -> None:
    report = judged(("mean(area) > 5",), rows(200, area=8.0))
    violation = next(v for v in report.violations if v.check == "condition_check")
    assert (violation.feature, violation.statistic) == ("area", "mean(area)")
    assert (violation.value, violation.limit, violation.n) == (8.0, 5.0, 200)
    assert violation.summary == "mean(area) = 8 > 5"
    assert violation.description == "Condition is met: mean(area) > 5"
    assert not violation.overwhelming
    verdicts = {feature.name: feature.verdict for feature in report.features}
    assert verdicts["area"] == "violation"


def test_the_numbers_of_a_feature_are_those_of_its_report() -> None:
    data: dict[str, Values] = {
        "area": [1.0, 2.0, 3.0, None],
        "unit price": [5.0] * 4,
        "city": ["x", "q", "q", "x"],
    }
    met = (
        "n(area) == 4",
        "missing(area) == 1",
        "completeness(area) == 0.75",
        "mean(area) == 2",
        "abs(sum(area) - 6) < 1e-9",
        "min(area) == 1",
        "max(area) == 3",
        "baseline_mean(area) == 4.5",
        "baseline_n(area) == 1000",
        "share(integral, area) == 1",
        "share(string, area) == 0",
        "share(string, city) == 1",
        "baseline_share(string, city) == 1",
        'outlier_share("unit price") == 1',
        "psi(city) > 0",
        "nan(area) == inf(area)",
    )
    assert len(of_conditions(judged(met, data))) == len(met)
    unmet = tuple(f"not ({text})" for text in met)
    assert of_conditions(judged(unmet, data)) == []


def test_every_number_of_the_report_has_a_name_and_is_on_the_page() -> None:
    names = {*of_features(), *OF_TYPES, *OF_WINDOW}
    assert {"mean", "missing", "psi", "ks", "baseline_mean", "baseline_completeness"} <= names
    rows_of_tables = re.findall(r"^\| (`.*?) \|", PAGE.read_text(), re.MULTILINE)
    listed = [name for row in rows_of_tables for name in re.findall(r"`(\w+)", row)]
    assert sorted(listed) == sorted(names)


def test_a_condition_on_rows_alone_has_no_feature_and_needs_no_least_rows() -> None:
    report = judged(("rows < 0.5 * expected_rows",), rows(20), expected=100.0)
    assert of_conditions(report) == [
        ("(rows)", "rows < 0.5 * expected_rows (rows = 20, expected_rows = 100)")
    ]
    assert report.state == "violations"
    assert report.expected_rows == 100.0
    assert judged(("rows < 0.5 * expected_rows",), rows(50), expected=100.0).state == "insufficient"


def test_a_number_that_is_not_defined_is_told_and_meets_nothing() -> None:
    data: dict[str, Values] = {
        "area": [None] * 200,
        "unit price": [1.0, 2.0] * 100,
        "city": ["x"] * 200,
    }
    report = judged(("mean(area) < 100", "rows < expected_rows"), data)
    assert of_conditions(report) == []
    assert report.notes == (
        "condition `mean(area) < 100` is not judged: mean(area) is not defined",
        "condition `rows < expected_rows` is not judged: expected_rows is not defined",
    )


def test_a_division_by_zero_meets_nothing() -> None:
    found = verdict(["1 / rows > 1"], numbers(rows=0), 0, expose_values=True)
    assert found == Verdict(
        (),
        ("condition `1 / rows > 1` is not judged: a result in it is not defined",),
    )


def test_what_is_not_needed_may_be_undefined() -> None:
    assert is_met("rows > 1 or rows > expected_rows", rows=2, expected_rows=None)
    assert not is_met("rows > expected_rows or rows > 1", rows=2, expected_rows=None)


def test_a_condition_over_columns_of_another_model_is_left_out() -> None:
    report = judged(("mean(elsewhere) > 0",), rows(200))
    assert of_conditions(report) == []
    assert report.notes == ()


def test_incomplete_windows_meet_no_condition() -> None:
    assert of_conditions(judged(("rows < 1000",), rows(200), incomplete=True)) == []


def test_the_smallest_number_of_a_feature_is_told_only_where_values_may_be() -> None:
    hidden = judged(("max(area) > 5",), rows(200, area=8.25), expose_values=False)
    violation = next(v for v in hidden.violations if v.check == "condition_check")
    assert "8.25" not in violation.summary
    assert (violation.value, violation.limit) == (1.0, 0.0)
    open_ = judged(("max(area) > 5",), rows(200, area=8.25))
    assert of_conditions(open_) == [("area", "max(area) = 8.25 > 5")]


def test_a_condition_is_confirmed_by_k_of_m_windows_as_other_violations() -> None:
    rules = Rules(mode="threshold", conditions=("n(area) > 150",), k=2, of=3)
    judge = Judge("job", rules)
    calm: dict[str, Values] = {
        "area": [float(k % 10) for k in range(200)],
        "unit price": [1.0, 2.0] * 100,
    }
    data: dict[str, Values] = {**calm, "city": ["x", "y"] * 100}
    state = EpisodeState()
    kinds: list[list[str]] = []
    for k in range(3):
        span = WindowSpan(model="m", variant="v", start_ms=k * 60_000, end_ms=(k + 1) * 60_000)
        report = judge.report(span, BASE, window(BASE.layout, data), state)
        state, signals = judge.advance(state, report, BASE)
        kinds.append([_kind(signal) for signal in signals])
    assert kinds == [[], ["opened area n(area) = 200 > 150"], []]


def _kind(signal: Signal) -> str:
    return f"{signal.kind} {signal.reasons[0].feature} {signal.reasons[0].summary}"


def test_a_report_shows_the_conditions_in_force() -> None:
    texts_ = ("rows < 5", "mean(area) > 100")
    assert judged(texts_, rows(200)).rules["conditions"] == "rows < 5\nmean(area) > 100"
    assert "conditions" not in judged((), rows(200)).rules


def test_expected_rows_are_asked_for_where_a_condition_names_them() -> None:
    assert expects_rows(["rows < 5", "mean(a) > 1 and rows < expected_rows"])
    assert not expects_rows(["rows < 5"])
