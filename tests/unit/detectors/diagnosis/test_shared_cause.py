"""Violations with one cause are one sentence, and the most urgent action is asked for."""

from __future__ import annotations

import pytest

from detectors.diagnosis.shared_cause import KEPT, action_of, in_words, shared_causes
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
    looks = Cause(
        name="mean_shift", words=words + ", or another factor", action="look", numbers=numbers
    )
    trains = Cause(name="mean_shift", words=words, action="retrain", numbers=numbers)
    found = shared_causes([reason("a", looks), reason("b", looks), *map_of("cd", trains)])
    assert [(shared.words, shared.action) for shared in found] == [
        (
            "2 columns: the mean has moved, or a factor or another sign explains it as well: a, b",
            "look",
        ),
        ("2 columns: the mean has moved: c, d", "retrain"),
    ]


def map_of(features: str, cause: Cause) -> list[Violation]:
    return [reason(feature, cause) for feature in features]


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
