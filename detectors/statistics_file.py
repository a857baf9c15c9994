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
    num_missing: int


class Bucket(msgspec.Struct, frozen=True):
    """One of ten buckets of equal width; the last one includes its upper bound."""

    lower_bound: float
    upper_bound: float
    count: float


class SketchParameters(msgspec.Struct, frozen=True):
    """The parameters of a KLL sketch."""

    c: float = 0.64
    k: float = 2048.0


class Sketch(msgspec.Struct, frozen=True, kw_only=True):
    """A KLL sketch: an item of level ``i`` stands for ``2**i`` values."""

    parameters: SketchParameters = SketchParameters()
    data: list[list[float]]


class Kll(msgspec.Struct, frozen=True):
    """The distribution of numbers."""

    buckets: list[Bucket]
    sketch: Sketch


class NumericalDistribution(msgspec.Struct, frozen=True):
    """The distribution of numbers, by its kind."""

    kll: Kll


class NumericalStatistics(msgspec.Struct, frozen=True):
    """The statistics of a column of numbers; null where there is no finite one."""

    common: Common
    mean: float | None
    sum: float | None
    std_dev: float | None
    min: float | None
    max: float | None
    approximate_num_distinct_values: float | UnsetType = UNSET
    completeness: float | UnsetType = UNSET
    distribution: NumericalDistribution | UnsetType = UNSET


class CategoricalBucket(msgspec.Struct, frozen=True):
    """A value of a column of text, and its count."""

    value: str
    count: int


class Categorical(msgspec.Struct, frozen=True):
    """The counts of all values of a column of text."""

    buckets: list[CategoricalBucket]


class StringDistribution(msgspec.Struct, frozen=True):
    """The distribution of text, by its kind."""

    categorical: Categorical


class StringStatistics(msgspec.Struct, frozen=True):
    """The statistics of a column of text; the distribution only where it has few values."""

    common: Common
    distinct_count: float
    distribution: StringDistribution | UnsetType = UNSET


class FeatureStatistics(msgspec.Struct, frozen=True):
    """The statistics of one column; neither kind for one of type ``Unknown``."""

    name: str
    inferred_type: Literal["Integral", "Fractional", "String", "Unknown"]
    numerical_statistics: NumericalStatistics | UnsetType = UNSET
    string_statistics: StringStatistics | UnsetType = UNSET


class Dataset(msgspec.Struct, frozen=True):
    """The number of rows."""

    item_count: int


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """The content of ``statistics.json``."""

    version: float = 0.0
    dataset: Dataset
    features: list[FeatureStatistics]
