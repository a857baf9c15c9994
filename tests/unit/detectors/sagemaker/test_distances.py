from __future__ import annotations

from math import sqrt
from time import process_time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.arrays import Floats
from detectors.profiles.baseline import Baseline, Constraints, Thresholds
from detectors.profiles.columns import Numbers
from detectors.profiles.distinct import of_numbers
from detectors.profiles.fold import Fold
from detectors.profiles.layout import Layout
from detectors.profiles.profile import Profile
from detectors.profiles.reference import Reference
from detectors.report import SagemakerFigures
from detectors.sagemaker.chi_squared import p_value
from detectors.sagemaker.distances import (
    Steps,
    figures,
    largest_gap,
    robust,
    steps,
    window_steps,
)
from detectors.sagemaker.sketch import Weighted, highest_items, levels_of, ranks_below
from detectors.sagemaker.weighted_values import in_order
from stream.baselining.build import make
from tests.unit.detectors.sagemaker.oracle import corrected, numerical_gap
from tests.unit.detectors.sagemaker.profiles import (
    Column,
    baseline,
    number_feature,
    values,
    window,
)

SIMPLE = Thresholds(comparison_method="Simple")
CHI_SQUARED = Thresholds(categorical_drift_method="ChiSquared")
PUBLISHED = {
    "length": (0.17354640931273702, 6_376, 233, 64),
    "diameter": (0.14440240796849557, 5_056, 215, 57),
    "whole_weight": (0.11630482464065406, 11_215, 303, 119),
    "shell_weight": (0.11238588915222741, 5_957, 233, 72),
}
"""Distances that a run published in June 2026, and the only integers K, n, m that give them: the
gap between n different values of the window and m of the baseline is ``K / (n * m)``."""


def compared(
    before: Column, after: Column, thresholds: Thresholds | None = None
) -> SagemakerFigures:
    of = baseline({"x": before}, thresholds)
    found = figures(of, window(of, {"x": after}))[0]
    assert found is not None
    return found


def columns_with_gap(k: int, n: int, m: int) -> tuple[list[float], list[float]]:
    """``n`` and ``m`` different numbers whose distribution functions are ``k / (n * m)`` apart.

    Up to 1 there are ``i`` of the first and ``j`` of the second, and ``i / n - j / m`` is the gap.
    The first come late everywhere else, so that the gap is largest there.
    """
    i = next(i for i in range(1, n) if (i * m - k) % n == 0 and i * m >= k)
    j = (i * m - k) // n
    ours = [*((a + 1) / i for a in range(i)), *(1 + (a + 1) / (n - i) for a in range(n - i))]
    theirs = [*(b / j for b in range(j)), *(1 + (b + 0.01) / (m - j) for b in range(m - j))]
    return ours, theirs


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_distances_are_reproduced(name: str) -> None:
    distance, k, n, m = PUBLISHED[name]
    ours, theirs = columns_with_gap(k, n, m)
    found = compared(theirs, [*ours, *ours[: 321 - n]])
    assert (found.method, found.n, found.m, found.threshold) == ("Robust", n, m, 0.1)
    assert found.uncorrected == pytest.approx(k / (n * m), abs=1e-15)
    assert found.distance == pytest.approx(distance, abs=1e-12)
    assert found.exceeds


def test_vectors_of_deequ_for_numbers() -> None:
    before, after = [2.0, 3.0, 4.0, 5.0], [1.0, 2.0, 3.0, 4.0]
    assert compared(before, after, SIMPLE).distance == 0.25
    assert compared(before, after).distance == 0.0
    assert compared(before, after).uncorrected == 0.25


@pytest.mark.parametrize(
    ("before", "gap"),
    [
        ({"a": 11, "b": 20, "c": 25, "d": 10, "e": 10}, 0.06015037593984962),
        ({"f": 11, "a": 20, "c": 25, "d": 10, "e": 10}, 0.2857142857142857),
    ],
)
def test_vectors_of_deequ_for_text(before: dict[str, int], gap: float) -> None:
    found = compared(before, {"a": 10, "b": 20, "c": 25, "d": 10, "e": 5})
    assert (found.method, found.distance, found.exceeds) == ("LInfinity", 0.0, False)
    assert found.uncorrected == pytest.approx(gap, abs=1e-15)


@pytest.mark.parametrize(
    ("before", "after", "p"),
    [
        (
            {"a": 223, "b": 20, "c": 25, "d": 12, "e": 13, "f": 15},
            {"a": 207, "b": 20, "c": 25, "d": 14, "e": 25, "g": 13},
            3.3640191298478506e-5,
        ),
        (
            {"a": 223, "b": 20, "c": 25, "d": 12, "e": 13},
            {"a": 207, "b": 20, "c": 25, "d": 14, "e": 25},
            0.013227994814265176,
        ),
    ],
)
def test_vectors_of_deequ_for_the_chi_squared_test(
    before: dict[str, int], after: dict[str, int], p: float
) -> None:
    found = compared(before, after, CHI_SQUARED)
    assert found.distance == pytest.approx(p, abs=1e-12)
    assert (found.method, found.uncorrected, found.exceeds) == ("ChiSquared", None, True)


@pytest.mark.parametrize(
    ("after", "before", "statistic", "cells"),
    [
        (
            {"a": 100, "b": 20, "c": 25, "d": 10, "e": 5, "f": 2},
            {"a": 100, "b": 22, "c": 25, "d": 5, "e": 13, "f": 2},
            8.789790456457125,
            5,
        ),
        (
            {"a": 100, "b": 40, "c": 30, "d": 10},
            {"a": 100, "b": 40, "c": 30, "e": 4},
            0.38754325259515626,
            3,
        ),
        (
            {"a": 100, "b": 4, "c": 3, "d": 27},
            {"a": 100, "b": 4, "c": 3, "d": 34},
            1.1507901668129925,
            3,
        ),
        (
            {"a": 100, "b": 4, "c": 3, "d": 27, "e": 20, "f": 20, "g": 20, "h": 20},
            {"a": 100, "b": 2, "c": 1, "d": 34, "e": 20, "f": 20, "g": 20, "h": 20},
            6.827423492761593,
            7,
        ),
    ],
)
def test_small_categories_are_merged_as_in_the_vectors_of_deequ(
    after: dict[str, int], before: dict[str, int], statistic: float, cells: int
) -> None:
    from scipy.stats import chi2

    assert p_value(after, before) == pytest.approx(chi2.sf(statistic, cells - 1), abs=1e-12)


def test_without_two_categories_there_is_no_p_value() -> None:
    few = {"a": 100, "b": 4, "c": 3}
    assert p_value(few, few) is None
    assert p_value({"z": 5}, {"a": 100, "b": 100}) is None
    assert p_value({}, {}) is None
    found = compared(few, few, CHI_SQUARED)
    assert (found.distance, found.exceeds) == (None, False)


@given(
    st.lists(st.integers(-8, 8), min_size=1, max_size=40),
    st.lists(st.lists(st.integers(-8, 8), max_size=12), min_size=1, max_size=4),
)
def test_the_distance_equals_the_plain_loops(after: list[int], levels: list[list[int]]) -> None:
    levels[0].append(0)
    numbers = [[float(item) for item in level] for level in levels]
    gap, n, m = numerical_gap([[float(value) for value in after]], numbers)
    found = largest_gap(
        window_steps(values([float(a) for a in after])), steps(highest_items(numbers))
    )
    assert found == pytest.approx(gap, abs=1e-15)
    assert robust(found, n, m) == pytest.approx(corrected(gap, n, m), abs=1e-15)


@pytest.mark.parametrize("different", [3, 40, 1_200, 10**9])
@pytest.mark.parametrize("rows", [2_050, 2_051, 30_000])
def test_more_rows_are_compared_by_the_sketch_that_the_values_have(
    rows: int, different: int
) -> None:
    generator = np.random.default_rng(rows + different)
    found = of_numbers(np.sort(generator.integers(0, different, rows) * 1.5))
    direct, sketched = window_steps(found), steps(highest_items(levels_of(found)))
    assert direct.values.tolist() == sketched.values.tolist()
    assert direct.shares == pytest.approx(sketched.shares, abs=1e-15)
    reference = [[float(i) for i in range(50)], [float(2 * i) for i in range(30)]]
    gap, _, _ = numerical_gap(levels_of(found), reference)
    assert largest_gap(direct, steps(highest_items(reference))) == pytest.approx(gap, abs=1e-12)


@given(st.lists(st.floats(0, 9), max_size=9), st.lists(st.integers(0, 9), max_size=9))
def test_ranks_below_an_end_are_those_that_searching_finds(
    ends: list[float], ranks: list[int]
) -> None:
    a, b = np.sort(np.array(ends, float)), np.sort(np.array(ranks, float))
    assert ranks_below(a, b).tolist() == np.searchsorted(b, a).tolist()


@pytest.mark.parametrize("often", [0, 1, 40, 300])
def test_values_in_order_keep_their_counts(often: int) -> None:
    generator = np.random.default_rng(often)
    numbers = generator.permutation(300).astype(np.float64)
    counts = np.ones(300, np.int64)
    counts[:often] = generator.integers(2, 9, often)
    ordered, found = in_order(numbers, counts)
    assert ordered.tolist() == sorted(numbers)
    assert dict(zip(ordered, found, strict=True)) == dict(zip(numbers, counts, strict=True))


def random_steps(generator: np.random.Generator, size: int, shift: int) -> Steps:
    different = np.unique(generator.integers(0, 3_000, size) + float(shift))
    return steps(Weighted(different, np.exp2(generator.integers(0, 4, len(different)))))


@pytest.mark.parametrize("n", [1, 9, 100, 2_000])
@pytest.mark.parametrize("m", [1, 7, 8, 9, 1_000])
@pytest.mark.parametrize("shift", [-99_999, -500, 0, 3, 99_999])
def test_the_largest_gap_is_that_of_all_values(n: int, m: int, shift: int) -> None:
    generator = np.random.default_rng(n + m)
    ours, theirs = (random_steps(generator, size, moved) for size, moved in ((n, shift), (m, 0)))
    together = np.unique(np.concatenate((ours.values, theirs.values)))
    f, g = (each.shares[each.values.searchsorted(together, "right")] for each in (ours, theirs))
    assert largest_gap(ours, theirs) == np.abs(f - g).max()
    assert largest_gap(ours, ours) == 0.0


def test_other_frequencies_of_the_same_values_are_no_distance() -> None:
    assert compared([0.0] * 99 + [1.0], [0.0] + [1.0] * 99, SIMPLE).distance == 0.0


def test_four_different_values_never_violate_and_many_do() -> None:
    before = [float(i) for i in range(2_000)]
    few, many = (
        compared(before, [-1.0, -2.0, -3.0, -4.0]),
        compared(before, [-1.0 - b for b in before]),
    )
    assert few.uncorrected == many.uncorrected == 1.0
    assert few.distance == pytest.approx(1.0 - 1.8 * sqrt(1 / 4 + 1 / 2_000), abs=1e-15)
    assert (few.exceeds, many.exceeds) == (False, True)


def test_each_kind_has_its_own_threshold() -> None:
    thresholds = Thresholds(
        comparison_threshold=0.4, categorical_comparison_threshold=0.3, comparison_method="Simple"
    )
    assert compared([1.0, 2.0], [1.0, 3.0], thresholds).exceeds
    assert compared([1.0], [1.0], thresholds).threshold == 0.4
    assert compared({"a": 1}, {"a": 1}, thresholds).threshold == 0.3
    assert compared({"a": 1}, {"a": 1}).threshold == 0.1


def test_what_cannot_be_compared() -> None:
    of = baseline({"number": [1.0], "text": {"a": 3}, "unknown": [1.0], "many": {"a": 1}})
    del of.references["unknown"]
    of.references["many"] = Reference(categories=None)
    number, text, unknown, many = figures(of, window(of, {"many": {"a": 1}}))
    assert unknown is None
    assert many is None
    assert number is not None
    assert text is not None
    assert (number.distance, number.n, number.m) == (None, 0.0, 1.0)
    assert (text.distance, text.exceeds, text.m) == (None, False, 3.0)


def test_texts_beyond_the_sample_are_counted_where_the_baseline_has_them() -> None:
    of = baseline({"x": {"a": 60, "b": 40}})
    after = {"a": 3_000, "b": 2_000, **{f"new {i}": 1 for i in range(5_000)}}
    profile = window(of, {"x": after})
    profile.counts[profile.layout.bins(0).start :][:2] = 3_000, 2_000
    found = figures(of, profile)[0]
    assert found is not None
    assert not profile.values[0].complete
    assert (found.n, found.m) == (10_000.0, 100.0)
    assert found.uncorrected == pytest.approx(0.3, abs=1e-15)


def test_200_features_take_less_than_50_ms() -> None:
    generator = np.random.default_rng(1)
    features = tuple(number_feature(f"f{i}") for i in range(200))
    layout = Layout(features)
    known = levels_of(of_numbers(np.sort(generator.normal(size=20_000))))
    reference = Reference(levels=tuple(map(tuple, known)))
    references = {feature.name: reference for feature in features}
    of = Baseline(layout, Profile(layout), Constraints(), tuple(references), references)
    profile = Profile(layout)
    for i in range(200):
        profile.add_values(i, of_numbers(np.sort(generator.normal(size=2_000))))
    assert min(_seconds(of, profile) for _ in range(7)) < 0.05


def _seconds(of: Baseline, profile: Profile) -> float:
    start = process_time()
    figures(of, profile)
    return process_time() - start


@pytest.mark.parametrize("constant", [0.0, 1.0, 2.5, -3.0])
def test_a_frequent_value_weighs_the_same_whether_it_is_in_the_sample_or_not(
    constant: float,
) -> None:
    generator = np.random.default_rng(8)
    before, after = (_half_constant(generator, constant, rows) for rows in (3_000, 20_000))
    training = pa.table({"x": pa.array(map(str, before.tolist()), pa.string())})
    of = make(lambda: [training]).baseline
    profile = Fold([of.layout], keep_values=True).fold(
        {"x": Numbers(after)}, [0], np.array([0, len(after)])
    )[0]
    (found,) = figures(of, profile)
    assert found is not None
    assert not profile.values[0].complete
    all_values = highest_items([sorted(after.tolist())])
    assert found.n == pytest.approx(10_001, rel=0.03)
    assert found.uncorrected == pytest.approx(
        largest_gap(steps(all_values), steps(highest_items(of.references["x"].levels))), abs=0.03
    )


def _half_constant(generator: np.random.Generator, constant: float, rows: int) -> Floats:
    values = generator.lognormal(size=rows)
    values[::2] = constant
    return values
