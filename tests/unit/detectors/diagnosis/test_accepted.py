"""Ranges of conversions that a window accepts: the true one is inside, others are not."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.arrays import Floats
from detectors.diagnosis.accepted import accepted_factors, accepted_shifts, accepts
from detectors.diagnosis.number_sides import NumberSides
from stream.testing.baselines import normal, pair

BEFORE = np.random.default_rng(1).gamma(3.0, 5.0, 8_000)
AFTER = np.random.default_rng(2).gamma(3.0, 5.0, 1_000)


def sides(after: Floats, before: Floats = BEFORE) -> NumberSides:
    return NumberSides(pair(before, after), 0)


@pytest.mark.parametrize("factor", [1e-6, 0.01, 0.6, 1.0, 1.8, 60.0, 1e6])
def test_the_true_factor_is_accepted_and_far_ones_are_not(factor: float) -> None:
    found = accepted_factors(sides(AFTER * factor))
    assert factor in found
    assert found.low > factor / 1.4
    assert found.high < factor * 1.4


@pytest.mark.parametrize("offset", [-300.0, -4.0, 0.0, 2.0, 1e4])
def test_the_true_offset_is_accepted_and_far_ones_are_not(offset: float) -> None:
    found = accepted_shifts(sides(AFTER + offset))
    assert offset in found
    assert found.high - found.low < 2.0 * BEFORE.std()


def test_a_mirrored_window_accepts_a_negative_factor_alone() -> None:
    assert 1.0 in accepted_factors(sides(-AFTER), sign=-1.0)
    assert not accepted_factors(sides(-AFTER))
    assert not accepted_shifts(sides(-AFTER))


def test_a_factor_around_a_center_is_a_spread() -> None:
    before = normal(1, 8_000, mean=50.0, std=4.0)
    found = accepted_factors(
        sides(normal(2, 1_000, mean=50.0, std=12.0), before), center=float(before.mean())
    )
    assert 3.0 in found


def test_more_rows_narrow_the_range() -> None:
    rng = np.random.default_rng(5)
    few, many = (accepted_factors(sides(rng.gamma(3.0, 5.0, n) * 7.0)) for n in (200, 8_000))
    assert many.high - many.low < 0.5 * (few.high - few.low)


def test_a_rising_function_is_accepted_by_its_inverse() -> None:
    assert accepts(sides(np.log(AFTER)), np.exp)
    assert not accepts(sides(np.log(AFTER)), lambda at: 10.0**at)
