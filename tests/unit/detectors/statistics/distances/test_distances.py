"""Each distance on inputs with a closed form, and on inputs that mislead other distances."""

from __future__ import annotations

from math import erfc, exp, log, sqrt
from statistics import NormalDist

import numpy as np
import pytest

from detectors.arrays import Floats
from detectors.profiles.layout import Layout
from detectors.statistics.catalogue import DISTANCES
from detectors.statistics.distances import psi
from detectors.statistics.distances.base import Pair, normal_shift
from stream.testing.baselines import feature, normal, pair, texts, window


def distance(name: str, pair: Pair) -> float:
    """The value of the only feature."""
    return float(DISTANCES[name].distances(pair)[0])


TWO = pair(texts({"a": 600, "b": 400}), texts({"a": 300, "b": 700}))


def test_psi_is_its_formula_on_cells_with_half_a_count_added() -> None:
    p = np.array([600.5, 400.5]) / 1001
    q = np.array([300.5, 700.5]) / 1001
    assert distance("psi", TWO) == pytest.approx(float(((q - p) * np.log(q / p)).sum()), rel=1e-12)


def test_jensen_shannon_is_the_root_with_the_logarithm_to_base_2() -> None:
    p = np.array([0.6, 0.4])
    q = np.array([0.3, 0.7])
    middle = (p + q) / 2
    divergence = float((p * np.log2(p / middle) + q * np.log2(q / middle)).sum()) / 2
    assert distance("jensen_shannon", TWO) == pytest.approx(sqrt(divergence), rel=1e-12)


def test_hellinger_is_its_formula() -> None:
    assert distance("hellinger", TWO) == pytest.approx(sqrt(1 - sqrt(0.18) - sqrt(0.28)), rel=1e-9)


def test_l_infinity_is_the_largest_gap_of_a_share() -> None:
    assert distance("l_infinity", TWO) == pytest.approx(0.3)


def test_chi_squared_is_the_p_value_of_the_two_by_two_table() -> None:
    small = pair(texts({"a": 60, "b": 40}), texts({"a": 50, "b": 50}))
    statistic = 200 * (60 * 50 - 40 * 50) ** 2 / (110 * 90 * 100 * 100)
    assert distance("chi_squared", small) == pytest.approx(erfc(sqrt(statistic / 2)), rel=1e-9)


def test_disjoint_values_have_the_largest_distance() -> None:
    apart = pair(texts({"a": 1000}), texts({"z": 1000}))
    assert distance("jensen_shannon", apart) == pytest.approx(1.0)
    assert distance("hellinger", apart) == pytest.approx(1.0)
    assert distance("l_infinity", apart) == pytest.approx(1.0)
    assert distance("chi_squared", apart) < 1e-300
    p = 1000.5 / 1001
    q = 0.5 / 1001
    assert distance("psi", apart) == pytest.approx(2 * (p - q) * log(p / q), rel=1e-12)


def test_small_cells_are_merged_into_one_before_psi_is_summed() -> None:
    # expected counts p * n * m / (n + m): 485 for a, 3 for each of the other five, so these five
    # make one cell
    before = {"a": 970, **{f"r{k}": 6 for k in range(5)}}
    after = {"a": 970, "r0": 30}
    sides = pair(texts(before), texts(after))
    # a; r0 with 36 in both, expected 9; r1 to r4 merged, 24 in both
    assert (sides.merged_cells.left[0], sides.merged_cells.merged[0]) == (3, 4)
    p = np.array([970.5, 6.5, 24.5]) / 1001.5
    q = np.array([970.5, 30.5, 0.5]) / 1001.5
    assert distance("psi", sides) == pytest.approx(
        float(((q - p) * np.log(q / p)).sum()), rel=1e-12
    )


def test_small_distances_are_one_quantity_to_second_order() -> None:
    moved = pair(normal(1, 200_000), normal(2, 200_000, mean=0.1))
    value = distance("psi", moved)
    assert distance("hellinger", moved) == pytest.approx(sqrt(value / 8), rel=0.01)
    assert distance("jensen_shannon", moved) == pytest.approx(sqrt(value / (8 * log(2))), rel=0.01)


@pytest.mark.parametrize("shift", [0.05, 0.25, 1.0, 10.0, 3_600.0])
def test_wasserstein_of_a_shift_is_the_shift_however_far(shift: float) -> None:
    values = normal(3, 20_000)
    moved = pair(values, values + shift)
    exact = shift / float(values.std())
    assert distance("wasserstein", moved) == pytest.approx(exact, rel=0.05)


def test_wasserstein_is_never_below_the_gap_between_the_exact_means() -> None:
    values = normal(3, 20_000)
    for factor in (60.0, 3_600.0):
        after = values * factor + factor
        assert distance("wasserstein", pair(values, after)) >= abs(
            after.mean() - values.mean()
        ) / values.std() * (1 - 1e-12)


def test_wasserstein_is_in_baseline_deviations_whatever_the_unit() -> None:
    values = normal(4, 5_000)
    after = normal(5, 5_000, mean=0.5)
    expected = distance("wasserstein", pair(values, after))
    assert distance("wasserstein", pair(values * 1e6, after * 1e6)) == pytest.approx(
        expected, rel=1e-9
    )


def exact_wasserstein(before: Floats, after: Floats) -> float:
    points = np.sort(np.concatenate((before, after)))
    f, g = (
        np.searchsorted(np.sort(side), points, side="right") / len(side) for side in (before, after)
    )
    return float((np.abs(f - g)[:-1] * np.diff(points)).sum() / before.std())


def exact_ks(before: Floats, after: Floats) -> float:
    points = np.sort(np.concatenate((before, after)))
    f, g = (
        np.searchsorted(np.sort(side), points, side="right") / len(side) for side in (before, after)
    )
    return float(np.abs(f - g).max())


@pytest.mark.parametrize("seed", range(8))
def test_binned_distances_are_close_to_those_of_the_raw_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before = rng.gamma(2.0, 3.0, 8_000)
    after = rng.gamma(2.0 + 0.2 * seed, 3.0, 2_000)
    moved = pair(before, after)
    assert distance("wasserstein", moved) == pytest.approx(
        exact_wasserstein(before, after), abs=0.02
    )
    low = exact_ks(before, after) - distance("ks", moved)
    assert -1e-12 <= low <= 0.02


def test_two_separated_numbers_have_a_ks_of_one() -> None:
    assert distance("ks", pair(normal(1, 500), normal(2, 500, mean=1_000.0))) == pytest.approx(1.0)


def test_a_constant_baseline_has_no_unit_for_wasserstein_but_other_distances_change() -> None:
    moved = pair([3.0] * 200, [4.0] * 200)
    assert np.isnan(distance("wasserstein", moved))
    assert distance("ks", moved) == pytest.approx(1.0)
    assert distance("psi", moved) > 5


def test_a_value_below_the_baselines_smallest_counts_from_below() -> None:
    assert distance(
        "ks", pair([1.0] * 9 + [2.0], [0.0] * 2 + [1.0] * 3 + [2.0] * 5)
    ) == pytest.approx(0.4)
    assert distance("wasserstein", pair([1.0, 3.0], [0.0, 2.0])) == pytest.approx(1.0)


def test_numbers_that_are_all_missing_have_no_distance() -> None:
    values: list[float | None] = [None] * 300
    all_missing = pair(normal(1, 300), values)
    assert all(np.isnan(distance(name, all_missing)) for name in DISTANCES)


def test_zeros_and_a_long_tail_move_where_quantile_edges_collapse() -> None:
    rng = np.random.default_rng(6)
    before = np.where(rng.random(5_000) < 0.9, 0.0, rng.lognormal(3, 1, 5_000))
    same, fewer = (
        np.where(rng.random(5_000) < share, 0.0, rng.lognormal(3, 1, 5_000)) for share in (0.9, 0.8)
    )
    assert distance("psi", pair(before, same)) < 0.01
    assert distance("psi", pair(before, fewer)) > 0.05


def test_contributions_add_up_to_psi_where_no_cell_is_small() -> None:
    moved = pair(normal(1, 20_000), normal(2, 20_000, mean=0.3))
    assert psi.contributions(moved).sum() == pytest.approx(distance("psi", moved), rel=1e-12)


def test_each_feature_has_its_own_value_in_one_call() -> None:
    before = {f"x{s}": normal(s, 500) for s in range(3)}
    after = {f"x{s}": normal(s + 9, 400, mean=s / 3) for s in range(3)}
    layout = Layout(tuple(feature(name, values) for name, values in before.items()))
    together = Pair(window(layout, before), window(layout, after))
    alone = [pair(before[name], after[name]) for name in before]
    for name in ("psi", "ks", "jensen_shannon", "hellinger", "wasserstein"):
        assert DISTANCES[name].distances(together) == pytest.approx(
            [distance(name, sides) for sides in alone], rel=1e-12
        )


@pytest.mark.parametrize("gap", [0.01, 0.1, 0.5, 0.99])
def test_a_normal_shift_moves_the_distribution_functions_apart_by_the_gap(gap: float) -> None:
    assert 2 * NormalDist().cdf(normal_shift(gap) / 2) - 1 == pytest.approx(gap, rel=1e-9)


def test_the_equivalents_of_one_gap_are_their_formulas() -> None:
    d = normal_shift(0.1)
    expected = {
        "psi": d**2,
        "hellinger": sqrt(1 - exp(-(d**2) / 8)),
        "jensen_shannon": sqrt(d**2 / (8 * log(2))),
        "wasserstein": d,
        "ks": 0.1,
        "l_infinity": 0.1,
    }
    equivalents = {name: DISTANCES[name].equivalent(0.1) for name in expected}
    assert equivalents == pytest.approx(expected, rel=1e-12)
