"""Exact sums, compared with Python's fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest

from detectors.quality.exact_sum import exact_square_sums, exact_sums, float_of, ratio

EXTREMES = [5e-324, -5e-324, 2.2e-308, -1e-310, 1e-3, 0.0, -0.0, 3.3, 1e16, 1.0, 1.7e308, -1.7e308]


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    any_bits = random.integers(-(2**63), 2**63 - 1, 2_000).view(np.float64)
    values = np.concatenate([EXTREMES * 20, any_bits[np.isfinite(any_bits)]])
    return values, random.choice([-1, 1], len(values)), random.integers(0, 7, len(values))


def exact(values: np.ndarray, weight: np.ndarray, group: np.ndarray, power: int) -> list[int]:
    totals = [Fraction(0)] * 8
    for value, sign, place in zip(values.tolist(), weight.tolist(), group.tolist(), strict=True):
        totals[place] += sign * Fraction(value) ** power
    return [int(total * 2 ** (1074 * power)) for total in totals]


def test_sums_of_any_doubles_are_exact(rows: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    values, weight, group = rows
    assert exact_sums([values], weight, group, 8) == [exact(values, weight, group, 1)]


def test_sums_of_squares_of_any_doubles_are_exact(
    rows: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    values, weight, group = rows
    assert exact_square_sums([values], weight, group, 8) == [exact(values, weight, group, 2)]


def test_columns_are_summed_apart(rows: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    values, weight, group = rows
    both = exact_sums([values, -values], weight, group, 8)
    assert both[1] == [-total for total in both[0]]


def test_a_million_rows_of_the_largest_limbs_do_not_overflow() -> None:
    value = float(2**53 - 1)
    rows = np.full(2**20, value)
    ones, zeros = np.ones(2**20, np.int64), np.zeros(2**20, np.int64)
    assert exact_sums([rows], ones, zeros, 1) == [[int(value) * 2**20 << 1074]]
    assert exact_square_sums([rows], -ones, zeros, 1) == [[-(int(value) ** 2) * 2**20 << 2148]]


def test_no_rows_have_the_sum_0() -> None:
    empty = np.empty(0, np.int64)
    assert exact_sums([np.empty(0)] * 2, empty, empty, 3) == [[0] * 3] * 2


def test_the_double_of_a_sum_is_the_nearest_one() -> None:
    values = np.array([0.1] * 10)
    [[total]] = exact_sums([values], np.ones(10, np.int64), np.zeros(10, np.int64), 1)
    assert float_of(total) == math.fsum(values.tolist())
    assert float_of(total, 10) == 0.1
    assert ratio(10**400, 1) == math.inf
