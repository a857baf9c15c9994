"""The files of SageMaker Model Monitor: ``statistics.json`` (written), ``constraints.json``.

See docs/sagemaker-compatibility.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np

from detectors.decisions.rules import Amount, Share
from detectors.errors import BaselineInvalid
from detectors.profiles.baseline import Constraint, Constraints, Thresholds
from stream.baselining.column_scan import KLL_K, ColumnScan

BUCKETS: Final = 10
MAX_CATEGORIES: Final = 120
"""The largest number of different values of a text column that gets counts and a domain."""
MAX_DOMAIN_SHARE: Final = 0.1
"""The largest ratio of different values to values of a text column that gets a domain."""


class _Override(msgspec.Struct, frozen=True):
    evaluate_constraints: str | bool | None = None
    evaluateConstraints: str | bool | None = None


class _Numbers(msgspec.Struct, frozen=True):
    is_non_negative: bool | None = None
    monitoring_config_overrides: _Override = _Override()


class _Text(msgspec.Struct, frozen=True):
    domains: list[str | int | float | bool] | None = None
    monitoring_config_overrides: _Override = _Override()


class _Feature(msgspec.Struct, frozen=True):
    name: str
    completeness: Share | None = None
    num_constraints: _Numbers = _Numbers()
    string_constraints: _Text = _Text()
    monitoringConfigOverrides: _Override = _Override()


class _Drift(msgspec.Struct, frozen=True):
    perform_comparison: str | bool | None = None
    comparison_threshold: Amount = 0.1
    categorical_comparison_threshold: Amount | None = None


class _Monitoring(msgspec.Struct, frozen=True):
    evaluate_constraints: str | bool | None = None
    datatype_check_threshold: Share = 1.0
    domain_content_threshold: Share = 1.0
    distribution_constraints: _Drift = _Drift()


class _File(msgspec.Struct, frozen=True):
    """The part of a ``constraints.json`` that is read."""

    features: list[_Feature]
    monitoring_config: _Monitoring = _Monitoring()


def statistics(scans: Mapping[str, ColumnScan]) -> dict[str, Any]:
    """Return the content of ``statistics.json``.

    Numbers: mean, sum, population standard deviation, extremes, ten buckets of equal width, and the
    sketch. Up to 2,048 values the sketch is the data in its order; above that it has items by level
    (an item at level i stands for ``2**i`` values). Text: the number of different values, and their
    counts if there are at most 120.
    """
    rows = max((scan.rows for scan in scans.values()), default=0)
    return {
        "version": 0.0,
        "dataset": {"item_count": rows},
        "features": [_feature(name, scan) for name, scan in scans.items()],
    }


def constraints(scans: Mapping[str, ColumnScan]) -> dict[str, Any]:
    """Return the content of ``constraints.json``.

    Type and completeness as observed, whether all numbers are non-negative, and the domains of text
    with few values.
    """
    return {
        "version": 0.0,
        "features": [_constraint(name, scan) for name, scan in scans.items()],
        "monitoring_config": {
            "evaluate_constraints": "Enabled",
            "emit_metrics": "Enabled",
            "datatype_check_threshold": 1.0,
            "domain_content_threshold": 1.0,
            "distribution_constraints": {
                "perform_comparison": "Enabled",
                "comparison_threshold": 0.1,
                "comparison_method": "Robust",
                "categorical_comparison_threshold": 0.1,
                "categorical_drift_method": "LInfinity",
            },
        },
    }


def read_constraints(data: object) -> Constraints:
    """Return the constraints in the content of a ``constraints.json``.

    Files of earlier versions, without categorical keys, are read too, and both spellings of a
    feature's override; unknown keys are ignored. Raises ``BaselineInvalid`` with the path in the
    file, the expected and the actual type.
    """
    try:
        file = msgspec.convert(_without_nulls(data), _File)
    except msgspec.ValidationError as error:
        raise BaselineInvalid("constraints.json", str(error)) from error
    return Constraints(
        {feature.name: _constraint_of(feature) for feature in file.features},
        _thresholds(file.monitoring_config),
    )


def _without_nulls(data: object) -> object:
    """The same data without keys that have the value null, which means the default."""
    if isinstance(data, dict):
        return {key: _without_nulls(value) for key, value in data.items() if value is not None}
    return [_without_nulls(item) for item in data] if isinstance(data, list) else data


def _common(scan: ColumnScan) -> dict[str, int]:
    return {"num_present": scan.rows - scan.missing, "num_missing": scan.missing}


def _feature(name: str, scan: ColumnScan) -> dict[str, Any]:
    feature: dict[str, Any] = {"name": name, "inferred_type": scan.type}
    if scan.type in ("Integral", "Fractional"):
        feature["numerical_statistics"] = _numerical_statistics(scan)
    elif scan.type == "String":
        feature["string_statistics"] = _string_statistics(scan)
    return feature


def _numerical_statistics(scan: ColumnScan) -> dict[str, Any]:
    return {
        "common": _common(scan),
        "mean": scan.mean,
        "sum": scan.sum,
        "std_dev": scan.std,
        "min": scan.low,
        "max": scan.high,
        "distribution": {"kll": _kll(scan)},
    }


def _string_statistics(scan: ColumnScan) -> dict[str, Any]:
    text: dict[str, Any] = {"common": _common(scan), "distinct_count": float(len(scan.values))}
    if len(scan.values) <= MAX_CATEGORIES:
        buckets = [{"value": value, "count": count} for value, count in scan.values.most_common()]
        text["distribution"] = {"categorical": {"buckets": buckets}}
    return text


def _kll(scan: ColumnScan) -> dict[str, Any]:
    levels = _levels(scan)
    values = np.concatenate([np.array(level, dtype=float) for level in levels])
    weights = np.concatenate([np.full(len(level), 2.0**i) for i, level in enumerate(levels)])
    width = scan.high - scan.low
    bounds = [scan.low + width * k / BUCKETS for k in range(BUCKETS)] + [scan.high]
    bucket = np.full(len(values), BUCKETS - 1)
    if width:
        bucket = np.searchsorted(np.array(bounds[1:-1]), values, side="right")
    counts = np.bincount(bucket, weights=weights, minlength=BUCKETS)
    buckets = [
        {"lower_bound": bounds[k], "upper_bound": bounds[k + 1], "count": float(counts[k])}
        for k in range(BUCKETS)
    ]
    sketch = {"parameters": {"c": 0.64, "k": float(KLL_K)}, "data": levels}
    return {"buckets": buckets, "sketch": sketch}


def _levels(scan: ColumnScan) -> list[list[float]]:
    if len(scan.first) == scan.finite:
        return [scan.first]
    levels: dict[int, list[float]] = {}
    for item, weight in scan.sketch:
        levels.setdefault(int(weight).bit_length() - 1, []).append(item)
    return [levels.get(i, []) for i in range(max(levels) + 1)]


def _constraint(name: str, scan: ColumnScan) -> dict[str, Any]:
    constraint: dict[str, Any] = {
        "name": name,
        "inferred_type": scan.type,
        "completeness": (scan.rows - scan.missing) / scan.rows if scan.rows else 0.0,
    }
    if scan.type in ("Integral", "Fractional"):
        constraint["num_constraints"] = {"is_non_negative": bool(scan.low >= 0)}
    elif scan.type == "String" and _has_few_values(scan):
        constraint["string_constraints"] = {"domains": sorted(scan.values)}
    return constraint


def _has_few_values(scan: ColumnScan) -> bool:
    most = min(MAX_CATEGORIES, MAX_DOMAIN_SHARE * (scan.rows - scan.missing))
    return len(scan.values) <= most


def _constraint_of(feature: _Feature) -> Constraint:
    numbers, text = feature.num_constraints, feature.string_constraints
    return Constraint(
        feature.completeness,
        numbers.is_non_negative,
        None if text.domains is None else tuple(map(str, text.domains)),
        _enabled(_evaluate_constraints(feature)),
    )


def _evaluate_constraints(feature: _Feature) -> str | bool | None:
    """The first override of a feature that is set, in the order of precedence."""
    overrides = (
        feature.monitoringConfigOverrides.evaluate_constraints,
        feature.monitoringConfigOverrides.evaluateConstraints,
        feature.string_constraints.monitoring_config_overrides.evaluate_constraints,
        feature.num_constraints.monitoring_config_overrides.evaluate_constraints,
    )
    return next((override for override in overrides if override is not None), None)


def _thresholds(config: _Monitoring) -> Thresholds:
    drift = config.distribution_constraints
    return Thresholds(
        evaluate_constraints=_enabled(config.evaluate_constraints),
        datatype_check_threshold=config.datatype_check_threshold,
        domain_content_threshold=config.domain_content_threshold,
        perform_comparison=_enabled(drift.perform_comparison),
        comparison_threshold=drift.comparison_threshold,
        categorical_comparison_threshold=drift.categorical_comparison_threshold,
    )


def _enabled(value: object) -> bool:
    return value is None or str(value).lower() in ("enabled", "true")
