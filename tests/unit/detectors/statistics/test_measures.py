"""The numbers of a window are those of plain numpy on its rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from detectors.profiles.columns import Numbers, Texts
from detectors.profiles.layout import BOOLEAN, INTEGRAL, MISSING, STRING
from detectors.profiles.profile import Profile
from detectors.statistics.catalogue import DISTANCES
from detectors.statistics.measures import measure
from stream.testing.baselines import baseline, normal, texts, window

BASE = baseline(
    {
        "x": normal(1, 4_000, mean=50.0, std=3.0),
        "flag": [0.0, 1.0] * 2_000,
        "t": texts({"a": 3_000, "b": 1_000}),
    }
)
VALUES = np.concatenate(
    (
        normal(2, 90, mean=51.0, std=4.0),
        [np.nan, np.nan, np.inf, -np.inf, -np.inf, 7.0, 20.0, 99.0, 1e6, -1e6],
    )
)
WINDOW = window(
    BASE.layout,
    {"x": VALUES, "flag": [None] * 25 + [1.0] * 75, "t": ["a", "b", "new", None] * 25},
)
MEASURES = measure(BASE, WINDOW)
FINITE = VALUES[np.isfinite(VALUES)]


def test_n_is_the_rows_of_the_window_for_each_feature() -> None:
    assert MEASURES.n.tolist() == [100, 100, 100]


def test_missing_nan_and_infinite_values_are_counted_separately() -> None:
    assert MEASURES.missing.tolist() == [0, 25, 25]
    assert MEASURES.nan.tolist() == [2, 0, 0]
    assert MEASURES.inf.tolist() == [3, 0, 0]
    assert MEASURES.completeness.tolist() == [1.0, 0.75, 0.75]


def test_moments_are_those_of_the_finite_numbers() -> None:
    assert MEASURES.mean[0] == pytest.approx(FINITE.mean(), rel=1e-9)
    assert MEASURES.std[0] == pytest.approx(FINITE.std(), rel=1e-9)
    assert MEASURES.sum[0] == pytest.approx(FINITE.sum(), rel=1e-9)
    assert (MEASURES.low[0], MEASURES.high[0]) == (-1e6, 1e6)
    assert (MEASURES.mean[1], MEASURES.std[1], MEASURES.sum[1]) == (1.0, 0.0, 75.0)


def test_moments_of_numbers_far_from_zero_keep_their_digits() -> None:
    values = 1e9 + normal(5, 1_000)
    far = baseline({"x": values})
    assert measure(far, far.profile).std[0] == pytest.approx(values.std(), rel=1e-9)


def test_text_has_no_moments() -> None:
    for numbers in (MEASURES.mean, MEASURES.std, MEASURES.sum, MEASURES.low, MEASURES.high):
        assert np.isnan(numbers[2])


def test_outliers_of_codes_are_values_that_the_baseline_does_not_have() -> None:
    codes = baseline({"x": [1.0] * 600 + [2.0] * 400})
    measures = measure(codes, window(codes.layout, {"x": [1.0] * 90 + [7.0] * 6 + [1.5] * 4}))
    assert measures.outliers[0] == 0.1


def test_outliers_lie_beyond_the_smallest_and_largest_value_of_the_baseline() -> None:
    feature = BASE.layout.features[0]
    outside = int((np.clip(FINITE, feature.low, feature.high) != FINITE).sum())
    assert outside >= 5
    assert MEASURES.outliers[0] == pytest.approx(outside / len(FINITE))
    assert measure(BASE, BASE.profile).outliers[0] == 0.0


def test_written_types_are_counted_separately() -> None:
    slots = np.array(
        [MISSING, BOOLEAN, STRING, STRING, INTEGRAL, INTEGRAL, INTEGRAL, INTEGRAL], np.uint8
    )
    half_nan = Numbers(np.array([np.nan] * 4 + [1.0, 2.0, 3.0, 4.0]), slots)
    typed = measure(
        BASE,
        window(
            BASE.layout,
            {"x": half_nan, "t": Texts(pa.array(["7", "1.5", "true", "a", None, "a", "a", "a"]))},
        ),
    )
    assert {name: int(counts[0]) for name, counts in typed.types.items()} == {
        "integral": 4,
        "fractional": 0,
        "boolean": 1,
        "string": 2,
    }
    assert {name: int(counts[2]) for name, counts in typed.types.items()} == {
        "integral": 1,
        "fractional": 1,
        "boolean": 1,
        "string": 4,
    }
    assert typed.type_share("integral")[0] == pytest.approx(4 / 7)
    assert typed.missing.tolist() == [1, 8, 1]


def test_an_empty_window_has_nan_measures_and_raises_no_error() -> None:
    empty = measure(BASE, Profile(BASE.layout))
    for numbers in (
        empty.completeness,
        empty.mean,
        empty.std,
        empty.sum,
        empty.low,
        empty.high,
        empty.outliers,
    ):
        assert np.isnan(numbers).all()
    assert set(empty.distances) == set(DISTANCES)
    for values in empty.distances.values():
        assert np.isnan(values).all()


def test_an_entirely_missing_feature_has_nan_only_where_values_are_needed() -> None:
    all_missing = measure(
        BASE, window(BASE.layout, {"x": [None] * 50, "flag": [1.0] * 50, "t": ["a"] * 50})
    )
    assert all_missing.completeness.tolist() == [0.0, 1.0, 1.0]
    assert np.isnan(all_missing.mean[0])
    assert all_missing.mean[1] == 1.0


def test_equal_counts_have_a_distance_of_zero() -> None:
    same = measure(BASE, BASE.profile)
    for name, values in same.distances.items():
        expected = 1.0 if name == "chi_squared" else 0.0
        assert np.nanmax(np.abs(values - expected)) < 1e-12, name


def test_a_baseline_without_features_has_no_numbers() -> None:
    empty = baseline({})
    measures = measure(empty, empty.profile)
    assert measures.n.tolist() == []
    assert all(values.tolist() == [] for values in measures.distances.values())


def test_the_type_match_is_the_share_written_as_the_features_type() -> None:
    slots = np.array([MISSING, BOOLEAN, STRING, INTEGRAL, INTEGRAL], np.uint8)
    values = {
        "x": Numbers(np.array([np.nan] * 3 + [1.0, 2.0]), slots),
        "flag": Numbers(np.array([0.0, 1.0, 1.0, 0.5, np.nan])),
        "t": Texts(pa.array(["7", "a", "b", None, "a"])),
    }
    measures = measure(BASE, window(BASE.layout, values))
    assert measures.type_match.tolist() == pytest.approx([2 / 4, 3 / 5, 3 / 4])
    assert measures.baseline_type_match.tolist() == [1.0, 1.0, 1.0]
    assert np.isnan(measure(BASE, Profile(BASE.layout)).type_match).all()
