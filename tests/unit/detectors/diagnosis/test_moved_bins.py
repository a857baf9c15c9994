"""What moved is named, largest first, and the cause where one fits; no cause is made up where none
does."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.arrays import Floats
from detectors.diagnosis.moved_bins import MOST, moved
from detectors.diagnosis.unit_change import diagnosis
from detectors.report import BinShift
from detectors.statistics.distances import psi
from detectors.statistics.distances.base import Pair
from tests.support.made import normal, pair, texts

FAHRENHEIT = normal(1, 5_000, mean=55.0, std=18.0)
MINUTES = np.random.default_rng(2).gamma(2.0, 8.0, 5_000)


def most_moved(one: Pair) -> tuple[BinShift, ...]:
    return moved(one, 0, psi.contributions(one))


def test_the_value_that_moved_most_comes_first_with_both_counts() -> None:
    first, second, *_ = most_moved(
        pair(texts({"a": 800, "b": 150, "c": 50}), texts({"a": 390, "b": 85, "c": 525}))
    )
    assert (first.label, first.before_count, first.after_count, first.before, first.after) == (
        "c",
        50,
        525,
        0.05,
        0.525,
    )
    assert second.label == "a"
    assert first.contribution > second.contribution > 0


def test_a_null_burst_names_the_missing_values() -> None:
    values: list[float | None] = [*normal(2, 500).tolist(), *[None] * 500]
    first = most_moved(pair(normal(1, 5_000), values))[0]
    assert (first.label, first.before_count, first.after_count, first.after) == (
        "missing",
        0,
        500,
        0.5,
    )


def test_at_most_five_are_named() -> None:
    assert len(most_moved(pair(normal(1, 5_000), normal(2, 5_000, mean=2.0)))) == MOST


def test_equal_counts_move_nothing() -> None:
    assert most_moved(pair(texts({"a": 10, "b": 5}), texts({"a": 10, "b": 5}))) == ()


@pytest.mark.parametrize(
    ("before", "after", "cause"),
    [
        (FAHRENHEIT, (normal(3, 2_000, mean=55.0, std=18.0) - 32) * 5 / 9, "Fahrenheit to Celsius"),
        ((FAHRENHEIT - 32) * 5 / 9, normal(3, 2_000, mean=55.0, std=18.0), "Celsius to Fahrenheit"),
        (MINUTES, MINUTES[:2_000] * 60, "minutes to seconds"),
        (MINUTES * 60, MINUTES[:2_000], "seconds to minutes"),
        (MINUTES, MINUTES[:2_000] * 1000, "kilo to units"),
        (MINUTES, MINUTES[:2_000] * 100, "shares to percent"),
        (MINUTES, MINUTES[:2_000] / 100, "percent to shares"),
        (MINUTES, -MINUTES[:2_000], "sign has changed"),
    ],
)
def test_a_change_of_unit_is_named(before: Floats, after: Floats, cause: str) -> None:
    assert cause in diagnosis(pair(before, after), 0)


OTHER = [
    *(normal(4, 2_000, mean=mean) for mean in (2.0, -1.0, 0.1)),
    normal(4, 2_000, std=0.2),
    normal(4, 2_000) ** 2,
]


@pytest.mark.parametrize("after", OTHER)
def test_no_cause_is_named_where_none_fits(after: Floats) -> None:
    assert diagnosis(pair(normal(1, 5_000), after), 0) == ""


def test_one_absurd_value_does_not_hide_a_change_of_unit() -> None:
    after = np.append((normal(3, 2_000, mean=55.0, std=18.0) - 32) * 5 / 9, 1e9)
    assert "Fahrenheit to Celsius" in diagnosis(pair(FAHRENHEIT, after), 0)


def test_a_feature_that_stands_still_is_frozen() -> None:
    assert diagnosis(pair(normal(1, 5_000), [0.25] * 1_000), 0).startswith("frozen")


def test_a_feature_that_always_stood_still_is_not_frozen() -> None:
    assert diagnosis(pair([3.0] * 500, [3.0] * 500), 0) == ""


def test_a_new_value_and_a_vanished_one_are_told_apart() -> None:
    before = texts({"a": 500, "b": 400, "c": 100})
    assert (
        diagnosis(pair(before, texts({"a": 450, "b": 350, "c": 100, "z": 100})), 0)
        == "a value that the baseline does not know"
    )
    assert diagnosis(pair(before, texts({"a": 600, "b": 400})), 0) == "a value has vanished"
    assert diagnosis(pair(before, texts({"a": 300, "b": 600, "c": 100})), 0) == ""
