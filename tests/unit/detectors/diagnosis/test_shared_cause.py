"""Violations with one cause are one sentence, and the most urgent action is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.diagnosis.shared_cause import KEPT, WORDS, action_of, in_words, shared_causes
from detectors.violation import Action, Cause, Violation

NULL = Cause(
    name="null_burst",
    words="all values are null",
    action="repair_pipeline",
    numbers={"share": 1.0, "share_before": 0.0},
)
UNKNOWN = Cause(name="unknown", words="no known cause fits")


def reason(feature: str, cause: Cause | None) -> Violation:
    return Violation(
        feature=feature,
        check="baseline_drift_check",
        statistic="psi",
        value=1.0,
        limit=0.1,
        n=1_000,
        description="",
        cause=cause,
    )


def unit(factor: float) -> Cause:
    return Cause(
        name="unit_change",
        words=f"unit change: values are about {factor:g} x",
        action="repair_pipeline",
        numbers={"factor": factor},
    )


def test_ten_columns_that_are_all_null_are_one_sentence() -> None:
    (found,) = shared_causes([reason(f"c{k}", NULL) for k in range(10)])
    assert found.words == "10 columns: all values are null: c0, c1, c2, c3, c4 and 5 others"
    assert (found.count, found.action) == (10, "repair_pipeline")


def test_one_column_keeps_its_own_words() -> None:
    (found,) = shared_causes([reason("a", unit(60.0))])
    assert found.words == "a: unit change: values are about 60 x"


def test_factors_that_differ_are_different_causes() -> None:
    found = shared_causes([reason("a", unit(60.0)), reason("b", unit(60.2)), reason("c", unit(7))])
    assert [shared.features for shared in found] == [("a", "b"), ("c",)]


def test_a_feature_with_two_violations_of_one_cause_counts_once() -> None:
    (found,) = shared_causes([reason("a", NULL), reason("a", NULL)])
    assert found.features == ("a",)


def test_unknown_causes_and_checks_without_one_are_left_out() -> None:
    assert shared_causes([reason("a", UNKNOWN), reason("b", None)]) == ()


def test_at_most_twenty_features_are_listed() -> None:
    (found,) = shared_causes([reason(f"c{k}", NULL) for k in range(500)])
    assert (found.count, len(found.features)) == (500, KEPT)


def test_a_group_says_why_a_person_has_to_look() -> None:
    numbers: dict[str, float | str] = {"shift_deviations": 1.0}
    words = "the mean is 1 deviations higher"
    looks = [
        Cause(name="mean_shift", words=text, action="look", numbers=numbers)
        for text in (words + ", or another factor", words + ", or the sign has changed")
    ]
    trains = [
        Cause(name="mean_shift", words=text, action="retrain", numbers=numbers)
        for text in (words, "the mean is 2 deviations lower")
    ]
    found = shared_causes([*map(reason, "ab", looks), *map(reason, "cd", trains)])
    assert [(shared.words, shared.action) for shared in found] == [
        (
            "2 columns: the mean has moved, or a factor or another sign explains it as well: a, b",
            "look",
        ),
        ("2 columns: the mean has moved: c, d", "retrain"),
    ]


def told(name: str, words: str, action: Action = "repair_pipeline", **numbers: Any) -> Cause:
    return Cause(name=name, words=words, action=action, numbers=numbers)


UNEQUAL = (
    (
        told("format_change", "28.7 % ... 'a' for 'A'", share=0.287, kind="case"),
        told("format_change", "89.2 % ... 'x' for 'X'", share=0.892, kind="case"),
        "known values have another writing (case), 28.7 to 89.2 % of the rows",
    ),
    (
        told("new_value", "rose from 10.3 % to 100 %: 'p'", share=1.0, share_before=0.103),
        told("new_value", "rose from 2 % to 100 %: 'q'", share=1.0, share_before=0.02),
        "values that the baseline does not know, 100 % of the rows",
    ),
    (
        told("null_burst", "nulls rose from 0 % to 5 %", share=0.05, share_before=0.0),
        told("null_burst", "nulls rose from 1 % to 12 %", share=0.12, share_before=0.01),
        "values are missing, 5 to 12 % of the rows",
    ),
    (
        told("type_change", "3 % ...", share=0.03, written_as="strings"),
        told("type_change", "40 % ...", share=0.4, written_as="strings"),
        "values are written as another type (strings), 3 to 40 % of the rows",
    ),
    (
        told("unit_change", "60.1 x ...", factor=60.1, factor_low=58.0, factor_high=62.0),
        told("unit_change", "60 x, as ...", factor=60.0, factor_low=57.0, factor_high=61.0),
        "values are in another unit, factor 57 to 62",
    ),
    (
        told("mixture_shift", "5 % ...", share=0.05, share_low=0.04, share_high=0.06, factor=60.0),
        told("mixture_shift", "30 % ...", share=0.3, share_low=0.28, share_high=0.32, factor=60.0),
        "part of the rows is in another unit, factor 60, 4 to 32 % of the rows",
    ),
    (
        told("offset", "... 66 deviations", offset=1_000.0, shift_deviations=66.0),
        told("offset", "... 20 deviations", offset=1_000.4, shift_deviations=20.0),
        "an amount was added to all values, offset 1,000",
    ),
    (
        told("scaling", "... 1.28 ...", "look", factor=1.28, factor_low=1.2, factor_high=1.4),
        told("scaling", "... 1.31 ...", "look", factor=1.31, factor_low=1.25, factor_high=1.36),
        "all values have a factor, factor 1.2 to 1.4",
    ),
    (
        told("log_taken", "the natural logarithm", transform="ln"),
        told("log_taken", "the natural logarithm, or log(1 + x)", transform="ln"),
        "a logarithm was taken, or the inverse of one (ln)",
    ),
    (
        told("default_value", "5 % (0)", share=0.05, at=0.0),
        told("default_value", "9 % (7)", share=0.09, at=7.0),
        "a part of the values was replaced by one value, 5 to 9 % of the rows",
    ),
    (
        told("sentinel", "5 % (-1)", share=0.05, at=-1.0),
        told("sentinel", "9 % (-999)", share=0.09, at=-999.0),
        "a part of the values is one outside of the usual range, 5 to 9 % of the rows",
    ),
    (
        told("partly_frozen", "60 % (1)", share=0.6, at=1.0),
        told("partly_frozen", "70 % (2)", share=0.7, at=2.0),
        "a part of the rows has a single value, 60 to 70 % of the rows",
    ),
    (
        told("renamed_value", "'a' is now 'b'", share=0.3, value="b"),
        told("renamed_value", "'c' is now 'd'", share=0.2, value="d"),
        "known values have new names, 20 to 30 % of the rows",
    ),
    (
        told("clipped", "above 5 (10 %)", share_above=0.1, at=5.0),
        told("clipped", "above 7 (20 %)", share_above=0.2, at=7.0),
        "values are clipped to a limit",
    ),
    (
        told("truncated", "above 5 (10 %)", share_above=0.1, at=5.0),
        told("truncated", "below 7 (20 %)", share_below=0.2, at=7.0),
        "rows beyond a limit are lost",
    ),
    (
        told("vanished_value", "'a'", values=1.0, share_before=0.1),
        told("vanished_value", "'b'", values=1.0, share_before=0.2),
        "known values have vanished",
    ),
    (
        told("mix_shift", "from 45 to 25 %", "retrain", share=0.25, share_before=0.45),
        told("mix_shift", "from 10 to 25 %", "retrain", share=0.25, share_before=0.1),
        "known values have other shares",
    ),
    (
        told("variance_change", "1.9 times", "retrain", deviation_ratio=1.9),
        told("variance_change", "0.5 times", "retrain", deviation_ratio=0.5),
        "the values spread differently",
    ),
    (
        told("swapped_columns", "swapped with b", column="b", columns=2.0),
        told("swapped_columns", "swapped with a", column="a", columns=2.0),
        "columns changed places",
    ),
)
"""Two causes of one kind with unequal numbers, and what is true of both."""


@pytest.mark.parametrize(
    ("one", "other", "words"), UNEQUAL, ids=[one.name for one, _, _ in UNEQUAL]
)
def test_what_two_unequal_columns_share_is_said_without_the_numbers_of_one(
    one: Cause, other: Cause, words: str
) -> None:
    for pair in ((one, other), (other, one)):
        (found,) = shared_causes([reason("t1", pair[0]), reason("t2", pair[1])])
        assert found.words == f"2 columns: {words}: t1, t2"


def test_every_cause_that_may_differ_between_columns_has_general_words() -> None:
    assert {one.name for one, _, _ in UNEQUAL} >= set(WORDS) - {
        "mean_shift",
        "standardised",
        "rounded",
    }


def of(action: Action) -> Violation:
    return reason("a", Cause(name="x", words="x", action=action))


@pytest.mark.parametrize(
    ("reasons", "action"),
    [
        ([], "look"),
        ([reason("a", None)], "look"),
        ([of("look"), of("retrain")], "retrain"),
        ([of("retrain"), of("repair_pipeline"), of("look")], "repair_pipeline"),
    ],
)
def test_a_repair_comes_before_a_retraining_and_that_before_a_look(
    reasons: list[Violation], action: Action
) -> None:
    assert action_of(reasons) == action


def test_the_words_of_a_signal_name_what_columns_share_and_what_to_do() -> None:
    causes = shared_causes([reason("a", NULL), reason("b", NULL), reason("c", unit(60.0))])
    assert in_words(causes, "repair_pipeline") == [
        "2 columns: all values are null: a, b",
        "what to do: repair the pipeline",
    ]
