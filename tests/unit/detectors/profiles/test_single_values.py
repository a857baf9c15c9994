"""Numbers that differ by rounding from a known value count as that value, and others do not."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.profiles.layout import Feature, InferredType, Layout
from detectors.profiles.single_values import intervals
from stream.testing.baselines import feature, window

TENTHS = [k / 10 for k in range(1, 11)]
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def bins_of(counted: Feature, values: Sequence[float]) -> list[int]:
    """The bin of each value."""
    layout = Layout((counted,))
    return [
        int(np.flatnonzero(window(layout, {"x": [value]}).counts[layout.bins(0)])[0])
        for value in values
    ]


def roundings(value: float) -> list[float]:
    """The value after 32 bits, and after operations that would be exact for real numbers."""
    return [float(np.float32(value)), value * 3 / 3, value + 0.1 - 0.1, value * 1.1 / 1.1]


@pytest.mark.parametrize("values", [TENTHS, [0.0, *TENTHS], [k * 1e9 / 7 for k in range(1, 20)]])
def test_a_rounded_code_counts_as_the_code(values: list[float]) -> None:
    codes = feature("x", values * 10)
    assert codes.kind == "codes"
    for value, own in zip(values, bins_of(codes, values), strict=True):
        assert set(bins_of(codes, roundings(value))) == {own}
        assert codes.single_values[own] == value


def test_a_rounded_frequent_value_of_a_grid_counts_as_that_value() -> None:
    rng = np.random.default_rng(1)
    values = np.where(rng.random(5_000) < 0.3, rng.choice(TENTHS, 5_000), rng.normal(0, 1, 5_000))
    grid = feature("x", values)
    assert grid.kind == "grid"
    assert set(TENTHS) <= set(grid.single_values.values())
    for value in TENTHS:
        assert len(set(bins_of(grid, [value, *roundings(value)]))) == 1


def test_float32_values_of_a_grid_without_frequent_values_stay_in_their_bins() -> None:
    values = np.random.default_rng(2).normal(50, 10, 20_000).round(1)
    layout = Layout((feature("x", values),))
    before, after = (
        window(layout, {"x": rows}) for rows in (values, values.astype(np.float32).astype(float))
    )
    assert before.counts[layout.bins(0)].tolist() == after.counts[layout.bins(0)].tolist()


@pytest.mark.parametrize("value", [1_000_000.0, 16_000_000.0, 9e15])
def test_the_next_whole_number_is_another_value(value: float) -> None:
    codes = feature("x", [value, 1.0] * 10, "Integral")
    known, *others = bins_of(codes, [value, value - 1, value + 1])
    assert codes.single_values[known] == value
    assert known not in others


@pytest.mark.parametrize(
    "values",
    [
        [0.0, 5e-324],
        [9007199254740992.0, 9007199254740994.0],
        [0.3, 0.1 + 0.2, float(np.nextafter(0.1 + 0.2, 1))],
        [1.0, 1.0000001],
        [-1.7976931348623157e308, 1.7976931348623157e308],
        [0.0],
    ],
)
def test_close_values_stay_apart(values: list[float]) -> None:
    codes = feature("x", values * 3)
    bins = bins_of(codes, values)
    assert [codes.single_values[b] for b in bins] == values
    labels = Layout((codes,)).cell_labels(0)
    assert len(set(labels)) == len(labels) == len(values) + 1


@pytest.mark.parametrize("kind", ["Integral", "Fractional"])
@given(values=st.sets(FINITE, min_size=1, max_size=32).map(sorted))
def test_intervals_hold_their_value_and_rise(values: list[float], kind: InferredType) -> None:
    spans = intervals(values, kind)
    assert [span.value for span in spans] == values
    assert all(span.start <= span.value < span.stop for span in spans)
    assert all(a.stop <= b.start for a, b in pairwise(spans))


@given(values=st.lists(FINITE, min_size=1, max_size=60))
def test_every_column_of_finite_numbers_has_bins(values: list[float]) -> None:
    counted = feature("x", values)
    layout = Layout((counted,))
    inside = window(layout, {"x": values}).counts[layout.bins(0)]
    assert inside.sum() == len(values)
    if counted.kind == "codes":
        assert inside[sorted(counted.single_values)].sum() == len(values)


@pytest.mark.parametrize("law", ["cents", "tenths", "eighths", "continuous"])
def test_a_grid_holds_each_value_and_its_roundings_in_one_bin(law: str) -> None:
    rng = np.random.default_rng(3)
    values = {
        "cents": rng.integers(0, 300, 3_000) / 100.0,
        "tenths": np.where(rng.random(3_000) < 0.3, 0.3, rng.integers(0, 900, 3_000) / 10.0),
        "eighths": 0.1 - rng.integers(0, 500, 3_000) / 8.0,
        "continuous": rng.lognormal(3, 1, 3_000),
    }[law]
    grid = feature("x", values)
    assert grid.kind == "grid"
    own = np.searchsorted(grid.edges, values, side="right")
    for rounded in (
        values.astype(np.float32).astype(float),
        np.nextafter(values, np.inf),
        np.nextafter(values, -np.inf),
        values / 3.0 * 3.0,
        (values + 0.2) - 0.2,
    ):
        assert np.array_equal(np.searchsorted(grid.edges, rounded, side="right"), own)


def test_what_a_difference_leaves_of_zero_is_zero() -> None:
    grid = feature("x", [k / 100.0 for k in range(300)])
    assert len(set(bins_of(grid, [0.0, 0.3 - (0.1 + 0.2), (0.1 + 0.2) - 0.3]))) == 1
    assert bins_of(grid, [-0.01]) != bins_of(grid, [0.0])
