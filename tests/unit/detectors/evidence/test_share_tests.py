"""Tests of shares against exact fractions, order statistics by brute force, and SciPy."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import comb, factorial

import numpy as np
import pytest
from scipy import stats

from detectors.statistics.evidence.share_tests import risen
from detectors.statistics.evidence.tallies import SHARES
from detectors.statistics.laws import beta_binomial_tail, beta_binomial_tails
from stream.testing.baselines import baseline
from tests.support.evidence import counts_of, drawn, known, outcome_of, pooled_of, repeated


def beta(a: int, b: int) -> Fraction:
    return Fraction(factorial(a - 1) * factorial(b - 1), factorial(a + b - 1))


def exact_tail(k: int, n: int, a: int, b: int) -> Fraction:
    """The terms of the beta-binomial law, added as fractions."""
    terms = (comb(n, j) * beta(j + a, n - j + b) for j in range(max(k, 0), n + 1))
    return sum(terms, Fraction(0)) / beta(a, b)


@pytest.mark.parametrize("seed", range(40))
def test_tails_are_the_exact_fractions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, a, b = (int(rng.integers(1, 80)) for _ in range(3))
    k = int(rng.integers(0, n + 2))
    exact = float(exact_tail(k, n, a, b))
    assert beta_binomial_tail(k, n, a, b) == pytest.approx(exact, rel=1e-10)


def test_tails_are_those_of_scipy() -> None:
    k, n, a, b = np.array([[12, 100, 3, 40], [60, 100, 30, 40], [700, 1_000, 200, 150]]).T
    expected = stats.betabinom.sf(k - 1, n, a, b)
    tails = beta_binomial_tails(*(numbers.astype(float) for numbers in (k, n, a, b)))
    np.testing.assert_allclose(tails, expected, rtol=1e-6)


def test_far_tails_keep_their_digits() -> None:
    exact = exact_tail(60, 100, 6, 995)
    assert 0 < exact < 1e-40
    assert beta_binomial_tail(60, 100, 6, 995) == pytest.approx(float(exact), rel=1e-10)


def test_what_lies_beyond_the_outermost_values_follows_from_counting_all_orders() -> None:
    """Of 4 new and 5 old values, in all orders: new ones above the second largest old one."""
    new, old, outermost = 4, 5, 1
    orders = list(combinations(range(new + old), old))
    for k in range(new + 1):
        at_least = 0
        for places in orders:
            border = sorted(places)[-1 - outermost]
            at_least += sum(p > border and p not in places for p in range(new + old)) >= k
        tail = beta_binomial_tail(k, new, outermost + 1, old - outermost)
        assert tail == pytest.approx(at_least / len(orders), rel=1e-12)


def test_each_share_has_the_law_of_its_counts() -> None:
    words = baseline({"word": repeated(red=600, green=400)})
    counts = counts_of(words, {"word": repeated(red=80, green=12, purple=8)})
    p_value, effect, direction = outcome_of(pooled_of(words, counts), "unseen")
    assert p_value[0, 0] == pytest.approx(float(exact_tail(8, 100, 1, 1_000)), rel=1e-10)
    bias = (1 / 100 + 1 / 1_000) / 4
    assert effect[0, 0] == pytest.approx(np.sqrt((8 / 100 - bias) / 2), rel=1e-12)
    assert direction[0, 0] == 1


def test_missing_rows_are_a_share_of_all_rows() -> None:
    one = known(rows=1_000)
    number: list[float | None] = [None] * 30 + [50.0] * 270
    counts = counts_of(one, drawn(2, 300) | {"number": number})
    p_value, _, _ = outcome_of(pooled_of(one, counts), "missing")
    assert p_value[0, 0] == pytest.approx(float(exact_tail(30, 300, 1, 1_000)), rel=1e-10)
    assert p_value[0, 1:].tolist() == [1.0, 1.0, 1.0]


def test_values_beyond_all_of_the_baseline_are_below_and_above() -> None:
    one = known(rows=1_000)
    number = np.concatenate([np.full(20, -999.0), np.full(10, 9e9), np.full(170, 50.0)])
    pooled = pooled_of(one, counts_of(one, drawn(2, 200) | {"number": number}))
    for test, k in (("below", 20), ("above", 10)):
        expected = float(exact_tail(k, 200, 1, 1_000))
        assert outcome_of(pooled, test)[0][0, 0] == pytest.approx(expected, rel=1e-10)


def test_a_falling_share_is_no_evidence() -> None:
    one = known(rows=1_000)
    pooled = pooled_of(one, counts_of(one, drawn(3, 300) | {"holes": np.full(300, 0.0)}))
    assert outcome_of(pooled, "missing")[0][0, 3] == 1.0


def test_a_factor_divides_every_count() -> None:
    k, n, j, m = (np.array([number]) for number in (40.0, 400.0, 20.0, 2_000.0))
    tail = risen(k, n, j, m, np.array([4.0]))
    assert tail[0] == pytest.approx(float(exact_tail(10, 100, 6, 495)), rel=1e-10)


def test_every_share_is_tested() -> None:
    pooled = pooled_of(known(), counts_of(known(), drawn(4, 50)))
    assert all(outcome_of(pooled, name)[0].shape == (1, 4) for name in SHARES)
