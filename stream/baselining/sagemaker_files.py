"""``statistics.json`` and ``constraints.json`` as SageMaker Model Monitor writes and reads them
(contract, sections 2 and 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from detectors.decisions.rules import Amount, Share
from detectors.errors import BaselineInvalid
from detectors.profiles.baseline import Constraint, Constraints, Thresholds
from stream.baselining.column_scan import KLL_K, ColumnScan

BUCKETS = 10
MOST_CATEGORIES = 120
MOST_DOMAIN_SHARE = 0.1


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
    """What is read of a ``constraints.json``."""

    features: list[_Feature]
    monitoring_config: _Monitoring = _Monitoring()


def statistics(scans: Mapping[str, ColumnScan]) -> dict[str, Any]:
    """The content of ``statistics.json``.

    Numbers: mean, sum, population standard deviation, extremes, ten buckets of equal width, and the
    sketch: up to 2,048 values it is the data in the order they came, above that items by level (an
    item at level i stands for ``2**i``). Text: the number of different values, and their counts if
    there are at most 120.
    """
    rows = max((scan.rows for scan in scans.values()), default=0)
    return {
        "version": 0.0,
        "dataset": {"item_count": rows},
        "features": [_feature(name, scan) for name, scan in scans.items()],
    }


def constraints(scans: Mapping[str, ColumnScan]) -> dict[str, Any]:
    """The content of ``constraints.json``: type and completeness as observed, signs, domains of
    text with few values.
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
    """The constraints in the content of a ``constraints.json``, also an old one without categorical
    keys.

    Both spellings of a feature's override are understood; keys that nothing here uses are passed
    over. Raises ``BaselineInvalid`` with the path in the file, what was expected and what was
    found.
    """
    try:
        file = msgspec.convert(_without_nulls(data), _File)
    except msgspec.ValidationError as error:
        raise BaselineInvalid("constraints.json", str(error)) from error
    return Constraints(
        {one.name: _constraint_of(one) for one in file.features},
        _thresholds(file.monitoring_config),
    )


def _without_nulls(data: object) -> object:
    """The same without keys that are null: they say nothing."""
    if isinstance(data, dict):
        return {key: _without_nulls(value) for key, value in data.items() if value is not None}
    return [_without_nulls(one) for one in data] if isinstance(data, list) else data


def _common(scan: ColumnScan) -> dict[str, int]:
    return {"num_present": scan.rows - scan.missing, "num_missing": scan.missing}


def _feature(name: str, scan: ColumnScan) -> dict[str, Any]:
    out: dict[str, Any] = {"name": name, "inferred_type": scan.type}
    if scan.type in ("Integral", "Fractional"):
        out["numerical_statistics"] = {
            "common": _common(scan),
            "mean": scan.mean,
            "sum": scan.sum,
            "std_dev": scan.std,
            "min": scan.low,
            "max": scan.high,
            "distribution": {"kll": _kll(scan)},
        }
    elif scan.type == "String":
        text: dict[str, Any] = {"common": _common(scan), "distinct_count": float(len(scan.values))}
        if len(scan.values) <= MOST_CATEGORIES:
            buckets = [
                {"value": value, "count": count} for value, count in scan.values.most_common()
            ]
            text["distribution"] = {"categorical": {"buckets": buckets}}
        out["string_statistics"] = text
    return out


def _kll(scan: ColumnScan) -> dict[str, Any]:
    levels = _levels(scan)
    values = np.concatenate([np.array(level, dtype=float) for level in levels])
    weights = np.concatenate([np.full(len(level), 2.0**i) for i, level in enumerate(levels)])
    width = scan.high - scan.low
    bounds = [scan.low + width * k / BUCKETS for k in range(BUCKETS)] + [scan.high]
    place = (
        np.searchsorted(np.array(bounds[1:-1]), values, side="right")
        if width
        else np.full(len(values), BUCKETS - 1)
    )
    counts = np.bincount(place, weights=weights, minlength=BUCKETS)
    buckets = [
        {"lower_bound": bounds[k], "upper_bound": bounds[k + 1], "count": float(counts[k])}
        for k in range(BUCKETS)
    ]
    return {
        "buckets": buckets,
        "sketch": {"parameters": {"c": 0.64, "k": float(KLL_K)}, "data": levels},
    }


def _levels(scan: ColumnScan) -> list[list[float]]:
    if len(scan.first) == scan.finite:
        return [scan.first]
    levels: dict[int, list[float]] = {}
    for item, weight in scan.sketch:
        levels.setdefault(int(weight).bit_length() - 1, []).append(item)
    return [levels.get(i, []) for i in range(max(levels) + 1)]


def _constraint(name: str, scan: ColumnScan) -> dict[str, Any]:
    completeness = (scan.rows - scan.missing) / scan.rows if scan.rows else 0.0
    out: dict[str, Any] = {"name": name, "inferred_type": scan.type, "completeness": completeness}
    if scan.type in ("Integral", "Fractional"):
        out["num_constraints"] = {"is_non_negative": bool(scan.low >= 0)}
    elif scan.type == "String" and _few(scan):
        out["string_constraints"] = {"domains": sorted(scan.values)}
    return out


def _few(scan: ColumnScan) -> bool:
    return len(scan.values) <= MOST_CATEGORIES and len(scan.values) <= MOST_DOMAIN_SHARE * (
        scan.rows - scan.missing
    )


def _constraint_of(one: _Feature) -> Constraint:
    own, text, numbers = one.monitoringConfigOverrides, one.string_constraints, one.num_constraints
    nested = (
        text.monitoring_config_overrides.evaluate_constraints,
        numbers.monitoring_config_overrides.evaluate_constraints,
    )
    said = [
        value
        for value in (own.evaluate_constraints, own.evaluateConstraints, *nested)
        if value is not None
    ]
    domains = None if text.domains is None else tuple(map(str, text.domains))
    return Constraint(
        one.completeness, numbers.is_non_negative, domains, _enabled(said[0] if said else None)
    )


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
