"""Reads ``statistics.json`` as SageMaker Model Monitor has written it since 2019.

Keys that later versions added are passed over. A number may be null, or NaN as a number or a text.
See docs/sagemaker-compatibility.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType, inspect

from detectors.profiles.layout import InferredType
from detectors.statistics_file import (
    Bucket,
    Categorical,
    CategoricalBucket,
    Common,
    Dataset,
    FeatureStatistics,
    Kll,
    NumericalDistribution,
    NumericalStatistics,
    Sketch,
    Statistics,
    StringDistribution,
    StringStatistics,
)
from stream.config.faults import missing
from stream.config.validation import type_faults
from stream.errors import ConfigError, ConfigFault

QUALITY_KEYS: Final = (
    "binary_classification_metrics",
    "multiclass_classification_metrics",
    "regression_metrics",
)
MAX_WEIGHT_GAP: Final = 0.01
"""The largest difference between the weight of a sketch and the values it stands for, as a share of
them. Sketches of SageMaker have none."""
MOST_LEVELS: Final = 64
"""The level from which on the items of a sketch count as those of this one: far too many."""

_Count = Annotated[float, msgspec.Meta(ge=0, extra={"expected": "a number >= 0"})]
_Number = Annotated[
    float | Literal["NaN", "Infinity", "-Infinity"] | None,
    msgspec.Meta(extra={"expected": "a number or null"}),
]
_Value = Annotated[str | int | float | bool, msgspec.Meta(extra={"expected": "text or a number"})]
_Faults = Iterator[ConfigFault]


class _Common(msgspec.Struct, frozen=True):
    num_present: _Count
    num_missing: _Count = 0.0


class _Bucket(msgspec.Struct, frozen=True):
    lower_bound: float
    upper_bound: float
    count: _Count


class _Sketch(msgspec.Struct, frozen=True):
    data: list[list[_Number]]


class _Kll(msgspec.Struct, frozen=True):
    buckets: list[_Bucket] | None = None
    sketch: _Sketch | None = None


class _NumericalDistribution(msgspec.Struct, frozen=True):
    kll: _Kll | None = None


class _Numerical(msgspec.Struct, frozen=True):
    common: _Common
    mean: _Number = None
    sum: _Number = None
    std_dev: _Number = None
    min: _Number = None
    max: _Number = None
    approximate_num_distinct_values: _Number = None
    completeness: _Number = None
    distribution: _NumericalDistribution | None = None


class _Category(msgspec.Struct, frozen=True):
    value: _Value
    count: _Count


class _Categorical(msgspec.Struct, frozen=True):
    buckets: list[_Category]


class _TextDistribution(msgspec.Struct, frozen=True):
    categorical: _Categorical | None = None


class _Text(msgspec.Struct, frozen=True):
    common: _Common
    distinct_count: _Number = None
    distribution: _TextDistribution | None = None


class _Feature(msgspec.Struct, frozen=True):
    name: str
    inferred_type: InferredType = "Unknown"
    numerical_statistics: _Numerical | None = None
    string_statistics: _Text | None = None


class _Dataset(msgspec.Struct, frozen=True):
    item_count: _Count


class _Head(msgspec.Struct, frozen=True):
    dataset: _Dataset
    features: list[Any]


def load_statistics(path: Path) -> Statistics:
    """Read the statistics of a data set.

    A sketch without finite items, and a distribution that is not there, are empty or unset. A
    column without a value has the type ``Unknown``, whatever the file says. Raises
    :class:`~stream.errors.ConfigError` with all faults, each with its path and feature.
    """
    try:
        return read_statistics(json.loads(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
    except RecursionError:
        reason = "not a file of statistics: nested too deeply"
    except ValueError as error:
        reason = f"not JSON ({error})"
    except ConfigError as error:
        raise ConfigError(error.faults, str(path)) from None
    raise ConfigError([ConfigFault(path="", reason=reason)], str(path))


def read_statistics(data: object) -> Statistics:
    """Return the content of a ``statistics.json``, see :func:`load_statistics`."""
    if not isinstance(data, Mapping) or any(key in data for key in QUALITY_KEYS):
        of_quality = "the statistics of a model's quality, which `quality.baseline` names"
        what = of_quality if isinstance(data, Mapping) else "no object"
        reason = f"expected the statistics of a data set, found {what}"
        raise ConfigError([ConfigFault(path="", reason=reason)])
    faults: list[ConfigFault] = []
    head = _part(_Head, data, "", faults)
    parts = [_feature(raw, k, faults) for k, raw in enumerate(head.features)] if head else []
    faults += _repeated(parts)
    if head is not None and not head.features:
        faults.append(ConfigFault(path="features", reason="the file has no feature"))
    if faults or head is None:
        raise ConfigError(faults)
    return Statistics(
        dataset=Dataset(int(head.dataset.item_count)),
        features=[_converted(part) for part in parts if part is not None],
    )


def _part(kind: type[Any], raw: object, path: str, faults: list[ConfigFault]) -> Any:
    """The data as a struct; ``None`` if it has faults, which are added to ``faults``."""
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        info = inspect.type_info(kind)
        found = list(type_faults(info, _known(info, raw), path))
        faults += found or [ConfigFault(path=path, reason=str(error))]
        return None


def _known(kind: inspect.Type, raw: Any) -> Any:
    """The data without the keys that their structs do not have."""
    match kind:
        case inspect.Metadata():
            return _known(kind.type, raw)
        case inspect.UnionType():
            others = [member for member in kind.types if isinstance(member, inspect.StructType)]
            return _known(others[0], raw) if others else raw
        case inspect.ListType() if isinstance(raw, list):
            return [_known(kind.item_type, item) for item in raw]
        case inspect.StructType() if isinstance(raw, Mapping):
            fields = {field.encode_name: field.type for field in kind.fields}
            return {key: _known(fields[key], raw[key]) for key in raw if key in fields}
    return raw


def _feature(raw: object, position: int, faults: list[ConfigFault]) -> _Feature | None:
    """The entry of a feature; ``None`` if it has faults, each of which names the feature."""
    path = f"features[{position}]"
    found: list[ConfigFault] = []
    feature = _part(_Feature, raw, path, found)
    if feature is not None:
        found += _feature_faults(feature, path)
    name = raw.get("name") if isinstance(raw, Mapping) else None
    suffix = f" (feature {name!r})" if isinstance(name, str) else ""
    faults += [msgspec.structs.replace(fault, reason=fault.reason + suffix) for fault in found]
    return None if found else feature


def _feature_faults(feature: _Feature, path: str) -> _Faults:
    if feature.inferred_type == "String" and feature.string_statistics is None:
        yield missing(f"{path}.string_statistics")
    elif feature.inferred_type == "String" and feature.string_statistics is not None:
        yield from _category_faults(feature.string_statistics, f"{path}.string_statistics")
    elif feature.inferred_type in ("Integral", "Fractional"):
        if feature.numerical_statistics is None:
            yield missing(f"{path}.numerical_statistics")
        else:
            yield from _number_faults(feature.numerical_statistics, f"{path}.numerical_statistics")


def _number_faults(numbers: _Numerical, path: str) -> _Faults:
    low, high = _finite(numbers.min), _finite(numbers.max)
    if low is not None and high is not None and low > high:
        yield ConfigFault(path=f"{path}.min", reason=f"{low!r} is larger than max, {high!r}")
    for key in ("std_dev", "completeness"):
        if (_finite(getattr(numbers, key)) or 0.0) < 0.0:
            yield ConfigFault(path=f"{path}.{key}", reason="expected a number >= 0")
    kll = numbers.distribution.kll if numbers.distribution else None
    if kll is None:
        return
    at = f"{path}.distribution.kll"
    for k, bucket in enumerate(kll.buckets or ()):
        if not bucket.lower_bound <= bucket.upper_bound:
            reason = f"{bucket.lower_bound!r} is larger than upper_bound, {bucket.upper_bound!r}"
            yield ConfigFault(path=f"{at}.buckets[{k}].lower_bound", reason=reason)
    present = numbers.common.num_present
    if kll.sketch is not None:
        levels = enumerate(kll.sketch.data)
        weight = sum(len(level) * 2.0 ** min(h, MOST_LEVELS) for h, level in levels)
        yield from _weight_fault(weight, present, f"{at}.sketch.data")
    elif kll.buckets:
        yield from _weight_fault(sum(b.count for b in kll.buckets), present, f"{at}.buckets")


def _weight_fault(weight: float, present: float, path: str) -> _Faults:
    if weight and abs(weight - present) > MAX_WEIGHT_GAP * present:
        reason = f"it stands for {weight:,.0f} values, and num_present is {present:,.0f}"
        yield ConfigFault(path=path, reason=reason)


def _category_faults(text: _Text, path: str) -> _Faults:
    categorical = text.distribution.categorical if text.distribution else None
    if categorical is None:
        return
    at = f"{path}.distribution.categorical.buckets"
    total = sum(bucket.count for bucket in categorical.buckets)
    if total > text.common.num_present * (1.0 + MAX_WEIGHT_GAP):
        yield from _weight_fault(total, text.common.num_present, at)
    seen: set[str] = set()
    for k, bucket in enumerate(categorical.buckets):
        if str(bucket.value) in seen:
            yield ConfigFault(path=f"{at}[{k}].value", reason=f"{str(bucket.value)!r} twice")
        seen.add(str(bucket.value))


def _repeated(parts: list[_Feature | None]) -> _Faults:
    positions: dict[str, int] = {}
    for position, part in enumerate(parts):
        if part is not None and part.name in positions:
            reason = f"{part.name!r} has an entry already: features[{positions[part.name]}]"
            yield ConfigFault(path=f"features[{position}].name", reason=reason)
        elif part is not None:
            positions[part.name] = position


def _converted(part: _Feature) -> FeatureStatistics:
    numbers, text = part.numerical_statistics, part.string_statistics
    if part.inferred_type in ("Integral", "Fractional") and numbers and numbers.common.num_present:
        found = _numbers(numbers)
        return FeatureStatistics(part.name, part.inferred_type, numerical_statistics=found)
    if part.inferred_type == "String" and text and text.common.num_present:
        return FeatureStatistics(part.name, part.inferred_type, string_statistics=_text(text))
    return FeatureStatistics(part.name, "Unknown")


def _numbers(part: _Numerical) -> NumericalStatistics:
    distinct, completeness = part.approximate_num_distinct_values, part.completeness
    return NumericalStatistics(
        _common(part.common),
        _finite(part.mean),
        _finite(part.sum),
        _finite(part.std_dev),
        _finite(part.min),
        _finite(part.max),
        approximate_num_distinct_values=_or_unset(distinct),
        completeness=_or_unset(completeness),
        distribution=_distribution(part.distribution.kll if part.distribution else None),
    )


def _distribution(kll: _Kll | None) -> NumericalDistribution | UnsetType:
    if kll is None:
        return UNSET
    buckets = [Bucket(b.lower_bound, b.upper_bound, b.count) for b in kll.buckets or ()]
    levels = kll.sketch.data if kll.sketch else []
    items = [[item for raw in level if (item := _finite(raw)) is not None] for level in levels]
    return NumericalDistribution(Kll(buckets, Sketch(data=items)))


def _text(part: _Text) -> StringStatistics:
    categorical = part.distribution.categorical if part.distribution else None
    counts = categorical.buckets if categorical else []
    distinct = _finite(part.distinct_count)
    categories = [CategoricalBucket(_spelled(c.value), int(c.count)) for c in counts]
    return StringStatistics(
        _common(part.common),
        float(len(counts)) if distinct is None else distinct,
        StringDistribution(Categorical(categories)) if categories else UNSET,
    )


def _common(part: _Common) -> Common:
    return Common(int(part.num_present), int(part.num_missing))


def _spelled(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _or_unset(value: object) -> float | UnsetType:
    number = _finite(value)
    return UNSET if number is None else number


def _finite(value: object) -> float | None:
    """A finite number; ``None`` for null, NaN and the infinities."""
    if isinstance(value, int | float) and isfinite(value):
        return float(value)
    return None
