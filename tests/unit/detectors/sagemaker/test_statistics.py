"""The statistics of a profile as ``statistics.json`` has them, and the constraints from them."""

import math
from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from detectors.profiles import distinct
from detectors.profiles.binning import codes_feature, empty_feature, grid_feature, text_feature
from detectors.profiles.columns import Texts, numbers_from_text
from detectors.profiles.fold import fold
from detectors.profiles.layout import Feature, InferredType, Layout
from detectors.profiles.profile import Profile
from detectors.sagemaker.constraints import constraints
from detectors.sagemaker.statistics import statistics
from detectors.statistics_file import FeatureStatistics, NumericalStatistics
from stream.baselining.build import make


def with_values(feature: Feature, texts: Sequence[str | None]) -> Profile:
    """The profile of one column, with its distinct values."""
    column = pa.array(texts, pa.string())
    layout = Layout((feature,))
    if not feature.numeric:
        profile = fold(layout, {feature.name: Texts(column)})
        counted = Counter(text for text in texts if text is not None)
        if counted:
            counts = np.array(list(counted.values()))
            profile.add_values(0, distinct.of_texts(pa.array(list(counted)), counts))
        return profile
    numbers = numbers_from_text(column, feature.type == "Integral")
    profile = fold(layout, {feature.name: numbers})
    finite = numbers.values[np.isfinite(numbers.values)]
    if len(finite):
        profile.add_values(0, distinct.of_numbers(np.sort(finite)))
    return profile


def a_grid(kind: InferredType = "Fractional", low: float = 0.0, high: float = 100.0) -> Feature:
    quantiles = np.linspace(low, high, 129).tolist()
    return grid_feature("x", "feature", kind, quantiles, {}, low, high, 50.0, 29.0)


def only(profile: Profile) -> FeatureStatistics:
    (feature,) = statistics(profile).features
    return feature


def numbers_of(profile: Profile) -> NumericalStatistics:
    numbers = only(profile).numerical_statistics
    assert isinstance(numbers, NumericalStatistics)
    return numbers


def in_buckets(values: Sequence[float]) -> list[int]:
    """The counts of ten buckets of equal width, in plain loops."""
    low, high = min(values), max(values)
    bounds = [low + (high - low) * k / 10 for k in range(10)]
    counts = [0] * 10
    for value in values:
        counts[max(k for k in range(10) if bounds[k] <= value)] += 1
    return counts


def test_the_numbers_of_few_rows_are_exact() -> None:
    values = [round(float(x), 3) for x in np.random.default_rng(1).normal(50, 20, 500)]
    numbers = numbers_of(with_values(a_grid(), [*map(str, values), None, None]))
    mean = math.fsum(values) / 500
    assert (numbers.common.num_present, numbers.common.num_missing) == (500, 2)
    assert numbers.mean == pytest.approx(mean, rel=1e-12)
    assert numbers.sum == pytest.approx(math.fsum(values), rel=1e-12)
    deviation = math.sqrt(math.fsum((x - mean) ** 2 for x in values) / 500)
    assert numbers.std_dev == pytest.approx(deviation, rel=1e-12)
    assert (numbers.min, numbers.max) == (min(values), max(values))
    assert not isinstance(numbers.distribution, msgspec.UnsetType)
    kll = numbers.distribution.kll
    assert [bucket.count for bucket in kll.buckets] == in_buckets(values)
    assert kll.sketch.data == [sorted(values)]


def test_a_constant_column_has_its_whole_count_in_the_last_bucket() -> None:
    numbers = numbers_of(with_values(a_grid(), ["7.5"] * 40))
    assert not isinstance(numbers.distribution, msgspec.UnsetType)
    buckets = numbers.distribution.kll.buckets
    assert {(bucket.lower_bound, bucket.upper_bound) for bucket in buckets} == {(7.5, 7.5)}
    assert [bucket.count for bucket in buckets] == [0.0] * 9 + [40.0]
    assert (numbers.mean, numbers.std_dev) == (7.5, 0.0)


def test_of_many_values_buckets_follow_the_bins_and_weights_add_up_to_the_rows() -> None:
    """Half of the rows are one value. A sample of 2,048 of 20,000 values has it or has it not, and
    the other half of the rows has to weigh the same in both cases.
    """
    others = np.random.default_rng(2).uniform(0, 100, 20_000)
    values = [*others.tolist(), *[33.125] * 20_000]
    profile = with_values(a_grid(), list(map(repr, values)))
    assert not profile.values[0].complete
    numbers = numbers_of(profile)
    assert not isinstance(numbers.distribution, msgspec.UnsetType)
    kll = numbers.distribution.kll
    exact = in_buckets(values)
    largest = 20_000 / 128 * 1.5
    for bucket, count in zip(kll.buckets, exact, strict=True):
        assert abs(bucket.count - count) <= largest
    assert sum(bucket.count for bucket in kll.buckets) == 40_000
    weights = sum(len(level) * 2**i for i, level in enumerate(kll.sketch.data))
    assert weights == 40_000
    assert numbers.sum == pytest.approx(math.fsum(values), rel=1e-12)


def test_a_profile_without_values_has_the_counts_of_its_bins() -> None:
    values = np.random.default_rng(3).uniform(0, 100, 5_000)
    profile = with_values(a_grid(), list(map(repr, values.tolist())))
    profile.values.clear()
    numbers = numbers_of(profile)
    assert not isinstance(numbers.distribution, msgspec.UnsetType)
    buckets = numbers.distribution.kll.buckets
    assert sum(bucket.count for bucket in buckets) == 5_000
    assert all(abs(bucket.count - 500) < 150 for bucket in buckets)


def test_parts_in_any_order_give_the_same_statistics() -> None:
    values = np.random.default_rng(4).integers(0, 40_000, 9_000) / 400.0
    texts = list(map(repr, values.tolist()))
    parts = [with_values(a_grid(), texts[start : start + 900]) for start in range(0, 9_000, 900)]

    def of(order: Sequence[int]) -> FeatureStatistics:
        total = Profile(parts[0].layout)
        for k in order:
            total.merge(parts[k])
        return only(total)

    def discrete(feature: FeatureStatistics) -> object:
        numbers = feature.numerical_statistics
        assert isinstance(numbers, NumericalStatistics)
        return numbers.common, numbers.min, numbers.max, numbers.distribution

    assert discrete(of(range(10))) == discrete(of(range(9, -1, -1)))


@pytest.mark.parametrize(
    ("feature", "texts", "expected"),
    [
        (a_grid("Integral"), ["1", "2"], "Integral"),
        (a_grid("Integral"), ["1", "2.5"], "Fractional"),
        (a_grid("Fractional"), ["1", "2"], "Fractional"),
        (a_grid("Integral"), ["1", "n/a?"], "String"),
        (a_grid("Integral"), ["1", "true"], "String"),
        (a_grid("Integral"), ["1", "NaN"], "Fractional"),
        (a_grid("Integral"), ["1", "inf"], "Fractional"),
        (a_grid("Integral"), [None, ""], "Unknown"),
        (text_feature("x", "feature", {"a": 1}), ["b"], "String"),
        (text_feature("x", "feature", {"a": 1}), [None], "Unknown"),
        (empty_feature("x", "feature"), ["later"], "String"),
    ],
)
def test_the_type_is_that_of_the_rows(
    feature: Feature, texts: list[str | None], expected: str
) -> None:
    found = only(with_values(feature, texts))
    assert found.inferred_type == expected
    numeric = expected in ("Integral", "Fractional")
    assert isinstance(found.numerical_statistics, msgspec.UnsetType) != numeric
    assert isinstance(found.string_statistics, msgspec.UnsetType) == (expected != "String")


def test_numbers_without_a_finite_one_are_null() -> None:
    numbers = numbers_of(with_values(a_grid(), ["NaN", "inf"]))
    assert numbers.common.num_present == 2
    assert (numbers.mean, numbers.sum, numbers.min) == (None, None, None)
    suggested = constraints(statistics(with_values(a_grid(), ["NaN"])))["features"]
    assert suggested == [{"name": "x", "inferred_type": "Fractional", "completeness": 1.0}]


def test_sums_beyond_the_largest_number_are_null() -> None:
    numbers = numbers_of(with_values(a_grid(), ["1.7e308"] * 4))
    assert (numbers.sum, numbers.max) == (None, 1.7e308)


@pytest.mark.parametrize("different", [120, 121])
def test_text_of_at_most_120_different_values_has_their_counts(different: int) -> None:
    texts = [f"v{k:03}" for k in range(different) for _ in range(k + 1)]
    found = only(with_values(text_feature("x", "feature", {"a": 1}), texts)).string_statistics
    assert not isinstance(found, msgspec.UnsetType)
    assert found.distinct_count == float(different)
    assert isinstance(found.distribution, msgspec.UnsetType) == (different > 120)
    if not isinstance(found.distribution, msgspec.UnsetType):
        first, second, *_ = found.distribution.categorical.buckets
        assert ((first.value, first.count), second.value) == (("v119", 120), "v118")


def test_a_window_of_the_training_rows_has_the_statistics_and_constraints_of_the_baseline() -> None:
    """Both ways to the same files: from the scan of a column, and from the counts of a profile."""
    columns: dict[str, Sequence[str | None]] = {
        "code": [str(k % 7) for k in range(400)],
        "amount": [repr(k * 0.37 - 20.0) for k in range(400)],
        "word": [f"w{k % 5}" for k in range(400)],
        "gaps": [str(k) if k % 4 else None for k in range(400)],
    }
    built = make(lambda: [pa.table({name: pa.array(v) for name, v in columns.items()})])
    features = [
        only(with_values(feature, columns[feature.name]))
        for feature in built.baseline.layout.features
    ]
    from_rows = msgspec.structs.replace(statistics(Profile(Layout(()))), features=features)
    for ours, theirs in zip(features, built.statistics["features"], strict=True):
        assert _rounded(msgspec.to_builtins(ours)) == _rounded(theirs)
    assert constraints(from_rows) == built.constraints


def _rounded(plain: object) -> object:
    """The same data with numbers of twelve digits, and the levels of sketches in rising order."""
    if isinstance(plain, dict):
        return {key: _rounded(value) for key, value in plain.items()}
    if isinstance(plain, list):
        if all(isinstance(value, float) for value in plain):
            return sorted(plain)
        return [_rounded(value) for value in plain]
    return float(f"{plain:.12g}") if isinstance(plain, float) else plain


def test_codes_with_counts_keep_them() -> None:
    feature = codes_feature("x", "feature", "Integral", {0.0: 3, 1.0: 1})
    numbers = numbers_of(with_values(feature, ["0"] * 30 + ["1"] * 10 + ["5"]))
    assert not isinstance(numbers.distribution, msgspec.UnsetType)
    assert numbers.distribution.kll.sketch.data == [[0.0] * 30 + [1.0] * 10 + [5.0]]
    assert numbers.sum == 15.0
