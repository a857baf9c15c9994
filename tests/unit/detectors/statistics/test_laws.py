"""The shared sampling laws: chi-squared against printed tables and closed forms."""

from __future__ import annotations

from math import erfc, exp, factorial, sqrt

import numpy as np
import pytest
from scipy.special import chdtri

from detectors.statistics.laws import (
    UNSCREENED,
    sampling_scale,
    screened_tails,
    upper_quantile,
    upper_tail,
    upper_tails,
)
from stream.testing.baselines import pair

TABLE = [
    (0.05, 1, 3.841458820694124),
    (0.01, 1, 6.6348966010212145),
    (0.001, 1, 10.827566170662733),
    (0.05, 9, 16.918977604620448),
    (0.001, 9, 27.877164871256568),
    (0.05, 30, 43.77297182574219),
    (0.01, 100, 135.80672317102676),
    (0.001, 100, 149.44925277903874),
    (0.95, 10, 3.9402991361190605),
]
"""Upper quantiles as printed in NIST's handbook (section 1.3.6.7.4), with the digits of an
independent implementation."""


def quantile(alpha: float, dof: float) -> float:
    return float(upper_quantile(alpha, np.array([dof]))[0])


@pytest.mark.parametrize(("alpha", "dof", "expected"), TABLE)
def test_quantiles_are_those_of_the_printed_table(alpha: float, dof: int, expected: float) -> None:
    assert quantile(alpha, dof) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("x", [1e-6, 0.1, 1.0, 5.0, 30.0, 100.0, 500.0, 1300.0])
def test_one_degree_of_freedom_is_the_normal_law(x: float) -> None:
    assert upper_tail(x, 1) == pytest.approx(erfc(sqrt(x / 2)), rel=1e-10)


@pytest.mark.parametrize("dof", [2, 4, 10, 40])
@pytest.mark.parametrize("x", [0.01, 1.0, 9.0, 41.0, 200.0])
def test_even_degrees_of_freedom_are_a_poisson_sum(x: float, dof: int) -> None:
    expected = exp(-x / 2) * sum((x / 2) ** k / factorial(k) for k in range(dof // 2))
    assert upper_tail(x, dof) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("alpha", [0.5, 1e-3, 1e-9, 1e-9 / 5_000])
@pytest.mark.parametrize("dof", [1, 2, 9, 65, 1_063])
def test_the_quantile_inverts_the_tail_even_for_tiny_probabilities(alpha: float, dof: int) -> None:
    assert upper_tail(quantile(alpha, dof), dof) == pytest.approx(alpha, rel=1e-6)


def test_two_degrees_of_freedom_have_a_closed_quantile() -> None:
    for alpha in (0.1, 1e-4, 1e-12):
        assert exp(-quantile(alpha, 2) / 2) == pytest.approx(alpha, rel=1e-9)


def test_arguments_at_the_edge_of_the_domain_have_exact_results() -> None:
    assert upper_tail(0.0, 3) == 1.0
    assert upper_tail(-1.0, 3) == 1.0
    assert upper_tail(1e6, 3) == 0.0
    assert quantile(0.001, 0) == 0.0
    assert quantile(0.001, -1) == 0.0


@pytest.mark.parametrize("alpha", [1e-12, 1e-9, 1e-4, 0.001, 0.05, 0.5])
def test_quantiles_equal_scipys_except_for_the_last_digits(alpha: float) -> None:
    dof = np.array([*range(1, 60), *range(60, 2_001, 97)], np.float64)
    np.testing.assert_allclose(upper_quantile(alpha, dof), chdtri(dof, alpha), rtol=1e-12)


def test_quantiles_are_computed_for_an_array_and_nan_remains_nan() -> None:
    quantiles = upper_quantile(0.001, np.array([9.0, np.nan, 0.0, 100.0]))
    assert quantiles[[0, 2, 3]].tolist() == [quantile(0.001, 9), 0.0, quantile(0.001, 100)]
    assert np.isnan(quantiles[1])


def test_the_sampling_scale_needs_values_on_both_sides() -> None:
    values: list[float | None] = [1.0, 2.0, None]
    assert sampling_scale(pair(values, values * 4))[0] == pytest.approx(1 / 2 + 1 / 8, rel=1e-12)
    assert np.isnan(sampling_scale(pair(values, []))[0])


def test_screened_tails_are_exact_where_they_are_small() -> None:
    """Whatever the law: none that is left out is small, and most are left out."""
    dof = np.concatenate([np.zeros(50), np.geomspace(1.0, 1e6, 500)])[:, None]
    x = dof + np.linspace(-1.0, 40.0, 2_000) * np.sqrt(2.0 * dof + 1.0)
    dof = np.broadcast_to(dof, x.shape)
    exact, screened = upper_tails(x, dof), screened_tails(x, dof)
    small = exact <= UNSCREENED
    assert small.any()
    np.testing.assert_array_equal(screened[small], exact[small])
    assert (screened[~small] > UNSCREENED).all()
    assert screened_tails(np.array([np.nan, 50.0]), np.array([3.0, np.nan])).tolist() == [1.0, 1.0]
