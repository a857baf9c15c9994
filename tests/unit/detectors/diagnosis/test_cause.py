"""The likely cause of a drift: named where it clearly fits, and not guessed otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.arrays import Floats
from detectors.diagnosis.cause import likely_cause
from detectors.diagnosis.unit_change import CONVERSIONS
from stream.testing.baselines import Values, normal, pair, texts

FAHRENHEIT = normal(1, 5_000, mean=55.0, std=18.0)
CELSIUS = (normal(3, 2_000, mean=55.0, std=18.0) - 32) * 5 / 9
MINUTES = np.random.default_rng(2).gamma(2.0, 8.0, 5_000)


def cause(before: Values, after: Values) -> str:
    return likely_cause(pair(before, after), 0)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (FAHRENHEIT, CELSIUS, "0.556 x - 17.8, as from Fahrenheit to Celsius"),
        (
            (FAHRENHEIT - 32) * 5 / 9,
            normal(3, 2_000, mean=55.0, std=18.0),
            "1.8 x + 32, as from Celsius to Fahrenheit",
        ),
        (MINUTES, MINUTES[:2_000] * 60, "60 x, as from minutes to seconds"),
        (MINUTES * 60, MINUTES[:2_000], "0.0167 x, as from seconds to minutes"),
        (MINUTES, MINUTES[:2_000] * 1000, "1,000 x, as from kilo to units"),
        (MINUTES, MINUTES[:2_000] * 100, "100 x, as from shares to percent"),
        (MINUTES, MINUTES[:2_000] / 100, "0.01 x, as from percent to shares"),
        (MINUTES, -MINUTES[:2_000], "-1 x, with the sign changed"),
    ],
)
def test_a_change_of_unit_is_named_with_its_formula(
    before: Floats, after: Floats, expected: str
) -> None:
    assert cause(before, after) == f"unit change: values are about {expected}"


@pytest.mark.parametrize("conversion", CONVERSIONS)
def test_every_known_conversion_is_recognized(conversion: tuple[float, float, str]) -> None:
    factor, offset, example = conversion
    spread = np.random.default_rng(7).gamma(9.0, 8.0, 5_000)
    assert cause(spread, factor * spread[:2_000] + offset).endswith(example)


@pytest.mark.parametrize(
    "after",
    [
        *(normal(4, 2_000, mean=mean) for mean in (2.0, -1.0, 0.1)),
        normal(4, 2_000, std=0.2),
        normal(4, 2_000) ** 2,
    ],
)
def test_no_cause_is_named_if_none_fits(after: Floats) -> None:
    assert cause(normal(1, 5_000), after) == ""


def test_a_single_absurd_value_does_not_hide_a_change_of_unit() -> None:
    assert "Fahrenheit to Celsius" in cause(FAHRENHEIT, np.append(CELSIUS, 1e9))


def test_a_feature_that_no_longer_varies_is_frozen() -> None:
    assert cause(normal(1, 5_000), [0.25] * 1_000) == "frozen: a single value"


def test_a_feature_that_never_varied_is_not_frozen() -> None:
    assert cause([3.0] * 500, [3.0] * 500) == ""


BEFORE = texts({"a": 500, "b": 400, "c": 100})


def test_new_category_values_are_named_with_their_shares() -> None:
    after = texts({"a": 450, "b": 350, "c": 100, "z": 100})
    assert cause(BEFORE, after) == "new category values rose from 0 % to 10 %"


def test_a_vanished_value_is_named_without_the_value() -> None:
    assert cause(BEFORE, texts({"a": 600, "b": 400})) == "a known value has vanished"


def test_known_values_that_exchange_their_shares_have_no_cause() -> None:
    assert cause(BEFORE, texts({"a": 300, "b": 600, "c": 100})) == ""
