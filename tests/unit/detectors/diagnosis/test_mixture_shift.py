"""Part of the rows in another unit: ranges that hold the truth, units only where they are sure."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator

from detectors.diagnosis.mixture_fit import likelihood, profile
from detectors.diagnosis.number_sides import NumberSides
from detectors.statistics.distances.base import Pair
from detectors.violation import Cause
from tests.support.cause_faults import (
    Draw,
    Fault,
    Linear,
    Said,
    Truth,
    baseline_of,
    contradicts,
    lognormal_draw,
    normal_draw,
    outcome,
    said_of,
    window_of,
)

AREAS = lognormal_draw(5, 0.5)


def fault(draw: Draw, factor: float, share: float, offset: float = 0.0) -> Fault:
    return Fault(
        name="", draw=draw, change=Linear(factor, offset, share), right=("mixture_shift", "unknown")
    )


def said(of: Fault, rng: Generator, rows: int) -> Said:
    base = baseline_of(of, rng)
    return said_of(base, window_of(of, base, rng, rows))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("draw", "factor", "share"),
    [
        (AREAS, 2.2046, 0.1),
        (AREAS, 10.764, 0.05),
        (normal_draw(75, 12), 2.2046, 0.4),
        (lognormal_draw(2, 0.9), 1_000.0, 0.029),
        (normal_draw(500, 20), 0.001, 0.05),
    ],
)
def test_what_is_said_holds_the_share_and_the_factor_and_names_no_other_unit(
    draw: Draw, factor: float, share: float, seed: int
) -> None:
    of = fault(draw, factor, share)
    found = said(of, np.random.default_rng([seed, 31]), 1_000)
    assert outcome(of, found) != "wrong", found


def test_square_feet_are_a_range_of_factors_and_no_millimetres() -> None:
    of = fault(AREAS, 10.7639, 0.1)
    cause = said(of, np.random.default_rng(32), 3_000).cause
    assert cause.name == "mixture_shift"
    assert "centimetres" not in cause.words
    low, share, high = (float(cause.numbers[k]) for k in ("share_low", "share", "share_high"))
    assert low < share < high
    low, high = (float(cause.numbers[k]) for k in ("factor_low", "factor_high"))
    assert low < 10.7639 < high


def test_the_only_unit_in_a_narrow_range_is_named() -> None:
    of = fault(normal_draw(500, 20), 2.54, 0.2)
    cause = said(of, np.random.default_rng(33), 5_000).cause
    assert "in another unit: about 2.54 x, as from inches to centimetres" in cause.words


def test_the_share_of_an_interval_is_that_of_the_binomial_law_where_the_rows_are_apart() -> None:
    rng, n, k = np.random.default_rng(34), 1_000, 50
    of = fault(normal_draw(500, 20), 1_000.0, 0.0)
    base = baseline_of(of, rng)
    values = of.draw(rng, n)
    values[:k] *= 1_000.0
    window = window_of(
        Fault(name="", draw=of.draw, change=lambda r, x: values, right=()), base, rng, n
    )
    cause = said_of(base, window).cause
    # Twice the logarithm of the ratio of binomial likelihoods, of 1,000 rows and a baseline of
    # 20,000: 1 / (1 / 1,000 + 1 / 20,000) rows.
    share, worth = k / n, 1.0 / (1.0 / n + 1.0 / 20_000)

    def drop(p: float) -> float:
        lost = share * log(share / p) + (1.0 - share) * log((1.0 - share) / (1.0 - p))
        return 2.0 * worth * lost

    assert cause.numbers["share"] == pytest.approx(share, rel=1e-3)
    for end in ("share_low", "share_high"):
        assert drop(float(cause.numbers[end])) == pytest.approx(16.0, rel=0.02)


def test_the_most_likely_share_of_a_grid_is_that_of_the_profile() -> None:
    rng = np.random.default_rng(35)
    of = fault(AREAS, 6.0, 0.3)
    base = baseline_of(of, rng)
    sides = NumberSides(Pair(base.profile, window_of(of, base, rng, 1_000)), 0)
    found = profile(sides, np.array([6.0]), 0.0)
    assert found.shares[0] == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / 1_000) ** 0.5)
    # All rows, or none, are the ends of the shares: less likely than the best.
    assert found.likelihoods[0] > max(likelihood(sides, 1.0, 0.0), likelihood(sides, 6.0, 0.0))


@pytest.mark.parametrize("seed", range(6))
def test_a_population_that_was_known_and_grew_is_no_other_unit(seed: int) -> None:
    def humps(small: float) -> Draw:
        return lambda r, n: np.where(r.random(n) < small, r.normal(100, 20, n), r.normal(10, 2, n))

    grown = humps(0.15)
    of = Fault(name="", draw=humps(0.05), change=lambda r, x: grown(r, len(x)), right=("unknown",))
    found = said(of, np.random.default_rng([seed, 36]), 300)
    assert "mixture_shift" not in found.names


def numbers_of(words: str, **numbers: Any) -> Cause:
    return Cause(name="mixture_shift", words=words, numbers=numbers)


@pytest.mark.parametrize(
    ("cause", "wrong"),
    [
        (numbers_of("8 to 12 x", factor=10.0, factor_low=8.0, factor_high=12.0, offset=0.0), False),
        (numbers_of("8 to 10 x", factor=9.0, factor_low=8.0, factor_high=10.0, offset=0.0), True),
        (numbers_of("1.8 x + 32", factor=1.8, offset=32.0), True),
        (
            numbers_of(
                "as from centimetres to millimetres",
                factor=10.0,
                factor_low=8.0,
                factor_high=12.0,
                offset=0.0,
            ),
            True,
        ),
        (numbers_of("", share=0.1, share_low=0.06, share_high=0.2), True),
        (numbers_of("", share=0.1, share_low=0.04, share_high=0.2), False),
    ],
)
def test_an_answer_is_wrong_if_its_numbers_are(cause: Cause, wrong: bool) -> None:
    assert contradicts(cause, Truth(factor=10.764, offset=0.0, share=0.05)) == wrong
