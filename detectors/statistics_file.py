"""The shape of ``statistics.json`` of SageMaker Model Monitor, for data quality.

Keys are in the order in which the service writes them; those that not all versions write may be
unset. See docs/sagemaker-compatibility.md.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType


class Common(msgspec.Struct, frozen=True):
    """The number of rows with and without a value."""

    num_present: int
    """Rows with a value."""
    num_missing: int
    """Rows without a value."""


class Bucket(msgspec.Struct, frozen=True):
    """One of ten buckets of equal width; the last one includes its upper bound."""

    lower_bound: float
    """The lower bound, which belongs to the bucket."""
    upper_bound: float
    """The upper bound, which belongs to the next bucket."""
    count: float
    """The number of values."""


class SketchParameters(msgspec.Struct, frozen=True):
    """The parameters of a KLL sketch."""

    c: float = 0.64
    """How much smaller each lower level is."""
    k: float = 2048.0
    """The number of items of the highest level."""


class Sketch(msgspec.Struct, frozen=True, kw_only=True):
    """A KLL sketch: an item of level ``i`` stands for ``2**i`` values."""

    parameters: SketchParameters = SketchParameters()
    """The parameters."""
    data: list[list[float]]
    """The items of each level, the lowest first."""


class Kll(msgspec.Struct, frozen=True):
    """The distribution of numbers."""

    buckets: list[Bucket]
    """The ten buckets."""
    sketch: Sketch
    """The sketch."""


class NumericalDistribution(msgspec.Struct, frozen=True):
    """The distribution of numbers, by its kind."""

    kll: Kll
    """Buckets and sketch."""


class NumericalStatistics(msgspec.Struct, frozen=True):
    """The statistics of a column of numbers; null where there is no finite one."""

    common: Common
    """The number of rows with and without a value."""
    mean: float | None
    """The mean of the finite numbers."""
    sum: float | None
    """Their sum."""
    std_dev: float | None
    """Their population standard deviation."""
    min: float | None
    """The smallest of them."""
    max: float | None
    """The largest of them."""
    approximate_num_distinct_values: float | UnsetType = UNSET
    """About how many different values there are; since 2026."""
    completeness: float | UnsetType = UNSET
    """The share of rows with a value; since 2026."""
    distribution: NumericalDistribution | UnsetType = UNSET
    """The distribution."""


class CategoricalBucket(msgspec.Struct, frozen=True):
    """A value of a column of text, and its count."""

    value: str
    """The value."""
    count: int
    """Its count."""


class Categorical(msgspec.Struct, frozen=True):
    """The counts of all values of a column of text."""

    buckets: list[CategoricalBucket]
    """The values with their counts."""


class StringDistribution(msgspec.Struct, frozen=True):
    """The distribution of text, by its kind."""

    categorical: Categorical
    """The counts of all values."""


class StringStatistics(msgspec.Struct, frozen=True):
    """The statistics of a column of text; the distribution only where it has few values."""

    common: Common
    """The number of rows with and without a value."""
    distinct_count: float
    """The number of different values."""
    distribution: StringDistribution | UnsetType = UNSET
    """The distribution; only where there are few values."""


class FeatureStatistics(msgspec.Struct, frozen=True):
    """The statistics of one column; neither kind for one of type ``Unknown``."""

    name: str
    """The name of the column."""
    inferred_type: Literal["Integral", "Fractional", "String", "Unknown"]
    """The type of its values."""
    numerical_statistics: NumericalStatistics | UnsetType = UNSET
    """The statistics of numbers."""
    string_statistics: StringStatistics | UnsetType = UNSET
    """The statistics of text."""


class Dataset(msgspec.Struct, frozen=True):
    """The number of rows."""

    item_count: int
    """The number of rows."""


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """The content of ``statistics.json``."""

    version: float = 0.0
    """The version of the format."""
    dataset: Dataset
    """The number of rows."""
    features: list[FeatureStatistics]
    """The statistics of each column."""
