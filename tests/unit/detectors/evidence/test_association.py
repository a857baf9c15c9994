"""The test of the dependence of two features: closed forms, others' numbers, and its law."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, chi2_contingency, poisson, spearmanr
from scipy.stats.contingency import association as scipy_association

from detectors.arrays import Floats, Ints
from detectors.statistics.evidence.association import (
    association,
    cramers_v,
    rank_correlations,
)
from detectors.statistics.laws import excess

ONES = np.ones(1)


def table(*rows: list[int]) -> Ints:
    """One table, padded to four levels."""
    out = np.zeros((1, 4, 4), np.int64)
    out[0, : len(rows), : len(rows[0])] = rows
    return out


def woolf(after: Ints, before: Ints) -> float:
    """The squared difference of the log odds ratios in its standard errors."""
    sides = [side[0, :2, :2].astype(float) for side in (after, before)]
    logs = [np.log(side[0, 0] * side[1, 1] / side[0, 1] / side[1, 0]) for side in sides]
    return float((logs[0] - logs[1]) ** 2 / sum((1.0 / side).sum() for side in sides))


def test_of_two_levels_it_compares_the_odds_ratios() -> None:
    after, before = table([520, 480], [460, 540]), table([5_300, 4_700], [4_800, 5_200])
    found = association(after, before, ONES)
    expected = chi2.sf(woolf(after, before), 1)
    assert found.p_value[0] == pytest.approx(expected, rel=0.02)
    assert (found.n[0], found.m[0]) == (2_000, 20_000)


def test_other_shares_of_levels_with_the_same_odds_ratios_are_no_change() -> None:
    before = np.array([[[400, 200, 100], [100, 300, 600], [50, 60, 70]]])
    scaled = before * np.array([3, 1, 2])[None, :, None] * np.array([1, 5, 2])[None, None, :]
    padded = [np.pad(side, ((0, 0), (0, 1), (0, 1))) for side in (scaled, before)]
    found = association(padded[0], padded[1], ONES)
    assert found.p_value[0] == pytest.approx(1.0, abs=1e-6)
    assert found.effect[0] == 0.0


def test_a_reversed_dependence_is_found_and_its_size_is_a_hellinger_distance() -> None:
    before, after = table([4_500, 500], [500, 4_500]), table([50, 450], [450, 50])
    found = association(after, before, ONES)
    assert found.p_value[0] < 1e-100
    independent = 2.0 * (np.sqrt([0.45, 0.05]) @ np.sqrt([0.05, 0.45]))
    # Hellinger's distance of the two tables; G sees it from the pooled table, near to the baseline.
    assert found.effect[0] == pytest.approx(np.sqrt(1.0 - independent), rel=0.25)


def test_dependent_rows_count_as_fewer() -> None:
    after, before = table([520, 480], [460, 540]), table([5_300, 4_700], [4_800, 5_200])
    one, four = (association(after, before, factor * ONES).p_value[0] for factor in (1.0, 4.0))
    assert chi2.isf(one, 1) == pytest.approx(4.0 * chi2.isf(four, 1), rel=0.01)


@pytest.mark.parametrize(
    "after",
    [table([0, 0]), table([10, 20]), table([10], [20])],
    ids=["no row", "one level of the first", "one level of the second"],
)
def test_what_cannot_depend_is_no_evidence(after: Ints) -> None:
    before = table([30, 40]) if after[0, 1].sum() == 0 else table([30], [40])
    found = association(after, before, ONES)
    assert (found.p_value[0], found.effect[0]) == (1.0, 0.0)


@pytest.mark.parametrize("n", [30, 100, 1_000])
@pytest.mark.parametrize("dependence", [0.0, 0.6, 0.95])
def test_p_values_are_at_most_three_times_too_small(n: int, dependence: float) -> None:
    """Of 10,000 pairs without a change, those below 0.01 are 100 in a perfect law."""
    shares = (1.0 - dependence) / 16.0 + dependence * np.eye(4) / 4.0
    rng = np.random.default_rng(n)
    tables = [rng.multinomial(rows, shares.ravel(), 10_000) for rows in (n, 20_000)]
    after, before = (side.reshape(-1, 4, 4) for side in tables)
    p_values = association(after, before, np.ones(10_000)).p_value
    assert (p_values < 0.01).sum() < 300
    assert (p_values < 1e-5).sum() <= 3


@pytest.mark.parametrize("n", [30, 50, 100, 1_000])
@pytest.mark.parametrize("level", [0.25, 0.55], ids=["even", "skewed"])
def test_p_values_of_few_rows_are_not_too_small(n: int, level: float) -> None:
    """Of 40,000 independent pairs 40 fall below 0.001 in a perfect law, give or take 6.3."""
    levels = np.array([level, *(np.array([10.0, 4.0, 1.0]) / 15.0 * (1.0 - level))])
    if level == 0.25:
        levels = np.full(4, 0.25)
    rng = np.random.default_rng(n)
    shares = np.outer(levels, levels).ravel()
    tables = [rng.multinomial(rows, shares, 40_000) for rows in (n, 20_000)]
    after, before = (side.reshape(-1, 4, 4) for side in tables)
    p_values = association(after, before, np.ones(40_000)).p_value
    assert (p_values <= 1e-3).sum() <= 40 + 4 * 6.3
    assert (p_values <= 1e-4).sum() <= 4 + 4 * 2


def test_the_excess_of_a_cell_is_the_mean_of_its_part_of_g() -> None:
    for expected in (0.5, 1.3, 7.7, 40.0, 80.0):
        count = np.arange(300)
        log = np.log(np.maximum(count, 1) / expected)
        part = 2.0 * (count * log - count + expected)
        mean = float(poisson.pmf(count, expected) @ part)
        assert excess(np.array([expected]))[0] == pytest.approx(mean - 1.0, rel=0.03)


def values_of(counts: Ints) -> tuple[Floats, Floats]:
    a, b = np.indices(counts[0].shape)
    return np.repeat(a.ravel(), counts.ravel()), np.repeat(b.ravel(), counts.ravel())


def test_measures_are_those_of_scipy() -> None:
    counts = np.random.default_rng(8).integers(1, 50, (1, 4, 4))
    assert rank_correlations(counts)[0] == pytest.approx(spearmanr(*values_of(counts)).statistic)
    assert cramers_v(counts)[0] == pytest.approx(scipy_association(counts[0], method="cramer"))
    assert chi2_contingency(counts[0]).dof == 9
