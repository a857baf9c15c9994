"""The content of the files of SageMaker Model Monitor: ``statistics.json``, ``constraints.json``.

See docs/sagemaker-compatibility.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from stream.baselining.column_scan import KLL_K, ColumnScan

BUCKETS: Final = 10
MAX_CATEGORIES: Final = 120
"""The largest number of different values of a text column that gets counts and a domain."""
MAX_DOMAIN_SHARE: Final = 0.1
"""The largest ratio of different values to values of a text column that gets a domain."""


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
