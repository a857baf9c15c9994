"""The chi-squared law against printed tables and closed forms."""

from __future__ import annotations

from math import erfc, exp, factorial, sqrt

import pytest

from detectors.statistics.chi2 import quantile, tail

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
"""Upper quantiles as NIST's handbook prints them (section 1.3.6.7.4), with the digits of an
independent implementation."""


@pytest.mark.parametrize(("alpha", "dof", "expected"), TABLE)
def test_quantiles_are_those_of_the_table(alpha: float, dof: int, expected: float) -> None:
    assert quantile(alpha, dof) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("x", [1e-6, 0.1, 1.0, 5.0, 30.0, 100.0, 500.0, 1300.0])
def test_one_degree_of_freedom_is_the_normal_law(x: float) -> None:
    assert tail(x, 1) == pytest.approx(erfc(sqrt(x / 2)), rel=1e-10)


@pytest.mark.parametrize("dof", [2, 4, 10, 40])
@pytest.mark.parametrize("x", [0.01, 1.0, 9.0, 41.0, 200.0])
def test_even_degrees_of_freedom_are_a_poisson_sum(x: float, dof: int) -> None:
    expected = exp(-x / 2) * sum((x / 2) ** k / factorial(k) for k in range(dof // 2))
    assert tail(x, dof) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("alpha", [0.5, 1e-3, 1e-9, 1e-9 / 5_000])
@pytest.mark.parametrize("dof", [1, 2, 9, 65, 1_063])
def test_the_quantile_undoes_the_tail_also_far_out(alpha: float, dof: int) -> None:
    assert tail(quantile(alpha, dof), dof) == pytest.approx(alpha, rel=1e-6)


def test_two_degrees_of_freedom_have_a_closed_quantile() -> None:
    for alpha in (0.1, 1e-4, 1e-12):
        assert exp(-quantile(alpha, 2) / 2) == pytest.approx(alpha, rel=1e-9)


def test_the_edges_are_certain() -> None:
    assert tail(0.0, 3) == 1.0
    assert tail(-1.0, 3) == 1.0
    assert tail(1e6, 3) == 0.0
    assert quantile(0.001, 0) == 0.0
    assert quantile(0.001, -1) == 0.0
