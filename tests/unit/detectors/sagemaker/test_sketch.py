from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.arrays import Floats
from detectors.profiles.distinct import MOST_VALUES, merged, of_numbers, of_texts
from detectors.sagemaker.sketch import (
    MOST_ROWS,
    capacity,
    distinct_items,
    highest_items,
    level_sizes,
    levels_of,
    rank_error,
)


def largest_gap(values: Floats, levels: list[list[float]]) -> float:
    """The largest difference between the ranks in the sketch and those of the rows."""
    kept = distinct_items(levels)
    ranks = np.searchsorted(np.sort(values), kept.values, side="right")
    return float(np.abs(np.cumsum(kept.weights) - ranks).max() / len(values))


def test_sizes_of_the_levels_that_the_service_wrote_for_2333_rows() -> None:
    assert level_sizes(2_333) == [283, 1_025]


@given(st.integers(0, 10**12))
def test_the_items_stand_for_exactly_the_rows(rows: int) -> None:
    sizes = level_sizes(rows)
    assert sum(size << level for level, size in enumerate(sizes)) == rows
    top = len(sizes) - 1
    assert all(size <= capacity(top - level) for level, size in enumerate(sizes))


def test_up_to_2050_rows_all_are_kept() -> None:
    values = np.random.default_rng(1).integers(0, 40, MOST_ROWS).astype(float)
    assert levels_of(of_numbers(np.sort(values))) == [np.sort(values).tolist()]


@pytest.mark.parametrize("rows", [2_051, 4_100, 50_001, 400_000])
@pytest.mark.parametrize("different", [3, 700, 2_000])
def test_a_sketch_of_more_rows_weighs_as_much_and_ranks_nearly_alike(
    rows: int, different: int
) -> None:
    values = np.sort(np.random.default_rng(rows).integers(0, different, rows) / 7.0)
    levels = levels_of(of_numbers(values))
    assert sum(len(level) << h for h, level in enumerate(levels)) == rows
    assert largest_gap(values, levels) <= 3 * rank_error(levels)


def test_a_sketch_does_not_depend_on_the_parts_in_which_the_rows_were_counted() -> None:
    values = np.random.default_rng(3).normal(size=9_000).round(2)
    whole = of_numbers(np.sort(values))
    halves = merged(of_numbers(np.sort(values[5_000:])), of_numbers(np.sort(values[:5_000])))
    assert levels_of(halves) == levels_of(whole)


def test_where_values_were_left_out_the_others_stand_for_all_rows() -> None:
    values = np.sort(np.random.default_rng(4).normal(size=30_000))
    found = of_numbers(values)
    assert len(found.ranks) == MOST_VALUES
    levels = levels_of(found)
    assert sum(len(level) << h for h, level in enumerate(levels)) == 30_000
    assert largest_gap(values, levels) < 4 * 0.5 / np.sqrt(MOST_VALUES)


def test_repeated_items_weigh_all_together_or_as_the_highest() -> None:
    levels = [[3.0, 1.0, 3.0], [3.0, 2.0], [2.0, float("nan")]]
    together, highest = distinct_items(levels), highest_items(levels)
    assert together.values.tolist() == highest.values.tolist() == [1.0, 2.0, 3.0]
    assert together.weights.tolist() == [1.0, 6.0, 4.0]
    assert highest.weights.tolist() == [1.0, 4.0, 2.0]
    assert (together.total, highest.total) == (11.0, 7.0)


def test_nothing_has_a_sketch_without_items_and_without_error() -> None:
    levels = levels_of(of_numbers(np.empty(0)))
    assert levels == [[]]
    assert rank_error(levels) == rank_error([]) == distinct_items([]).total == 0.0


def test_the_rank_error_of_a_sketch_with_few_heavy_items_is_larger() -> None:
    even = [[0.0] * 100] * 3 + [[0.0] * 1_100]
    assert 0.0 < rank_error(even) < 0.002
    assert rank_error([[0.0]] * 11 + [[0.0] * 3]) > rank_error(even)


def test_texts_have_no_sketch() -> None:
    with pytest.raises(TypeError):
        levels_of(of_texts(pa.array(["a"]), np.array([1])))
