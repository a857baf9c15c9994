"""``statistics.json`` and ``constraints.json`` as SageMaker Model Monitor writes and reads them (contract, sections 2 and 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from detectors.baseline import Constraint, Constraints, Thresholds
from detectors.errors import BaselineInvalid
from stream.scan import KLL_K, ColumnScan

BUCKETS = 10
MOST_CATEGORIES = 120
MOST_DOMAIN_SHARE = 0.1


def statistics(scans: Mapping[str, ColumnScan]) -> dict[str, Any]:
    """The content of ``statistics.json``.

    Numbers: mean, sum, population standard deviation, extremes, ten buckets of equal width, and the sketch: up to 2,048
    values it is the data in the order they came, above that items by level (an item at level i stands for ``2**i``).
    Text: the number of different values, and their counts if there are at most 120.
    """
    rows = max((scan.rows for scan in scans.values()), default=0)
    return {"version": 0.0, "dataset": {"item_count": rows}, "features": [_feature(name, scan) for name, scan in scans.items()]}


def constraints(scans: Mapping[str, ColumnScan]) -> dict[str, Any]:
    """The content of ``constraints.json``: type and completeness as observed, signs, domains of text with few values."""
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


def read_constraints(data: Mapping[str, Any]) -> Constraints:
    """The constraints in the content of a ``constraints.json``, also an old one without categorical keys.

    Both spellings of a feature's override are understood. Raises ``BaselineInvalid`` naming the field.
    """
    try:
        features = {str(one["name"]): _read_constraint(one) for one in data["features"]}
        return Constraints(features, _thresholds(data.get("monitoring_config", {})))
    except (KeyError, TypeError, ValueError) as error:
        raise BaselineInvalid("constraints.json", f"{type(error).__name__}: {error}") from error


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
            buckets = [{"value": value, "count": count} for value, count in scan.values.most_common()]
            text["distribution"] = {"categorical": {"buckets": buckets}}
        out["string_statistics"] = text
    return out


def _kll(scan: ColumnScan) -> dict[str, Any]:
    levels = _levels(scan)
    values = np.concatenate([np.array(level, dtype=float) for level in levels])
    weights = np.concatenate([np.full(len(level), 2.0**i) for i, level in enumerate(levels)])
    width = scan.high - scan.low
    bounds = [scan.low + width * k / BUCKETS for k in range(BUCKETS)] + [scan.high]
    place = np.searchsorted(np.array(bounds[1:-1]), values, side="right") if width else np.full(len(values), BUCKETS - 1)
    counts = np.bincount(place, weights=weights, minlength=BUCKETS)
    buckets = [{"lower_bound": bounds[k], "upper_bound": bounds[k + 1], "count": float(counts[k])} for k in range(BUCKETS)]
    return {"buckets": buckets, "sketch": {"parameters": {"c": 0.64, "k": float(KLL_K)}, "data": levels}}


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
    return len(scan.values) <= MOST_CATEGORIES and len(scan.values) <= MOST_DOMAIN_SHARE * (scan.rows - scan.missing)


def _read_constraint(one: Mapping[str, Any]) -> Constraint:
    text, numbers = one.get("string_constraints") or {}, one.get("num_constraints") or {}
    own = one.get("monitoringConfigOverrides") or {}
    nested = text.get("monitoring_config_overrides") or numbers.get("monitoring_config_overrides") or {}
    evaluate = own.get("evaluate_constraints") or own.get("evaluateConstraints") or nested.get("evaluate_constraints")
    domains = text.get("domains")
    completeness = one.get("completeness")
    return Constraint(
        completeness=None if completeness is None else float(completeness),
        non_negative=numbers.get("is_non_negative"),
        domains=None if domains is None else tuple(map(str, domains)),
        evaluate=_enabled(evaluate),
    )


def _thresholds(config: Mapping[str, Any]) -> Thresholds:
    drift, usual = config.get("distribution_constraints") or {}, Thresholds()
    categorical = drift.get("categorical_comparison_threshold")
    return Thresholds(
        evaluate_constraints=_enabled(config.get("evaluate_constraints")),
        emit_metrics=_enabled(config.get("emit_metrics")),
        datatype_check_threshold=float(config.get("datatype_check_threshold", usual.datatype_check_threshold)),
        domain_content_threshold=float(config.get("domain_content_threshold", usual.domain_content_threshold)),
        perform_comparison=_enabled(drift.get("perform_comparison")),
        comparison_threshold=float(drift.get("comparison_threshold", usual.comparison_threshold)),
        comparison_method="Simple" if "simple" in str(drift.get("comparison_method", "")).lower() else "Robust",
        categorical_comparison_threshold=None if categorical is None else float(categorical),
        categorical_drift_method="ChiSquared" if drift.get("categorical_drift_method") == "ChiSquared" else "LInfinity",
    )


def _enabled(value: object) -> bool:
    return value is None or str(value).lower() in ("enabled", "true")
