"""The statistics of training data, as ``statistics.json`` of SageMaker Model Monitor states them.

See docs/sagemaker-compatibility.md.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec import UNSET, UnsetType

from detectors.sagemaker.buckets import buckets
from detectors.sagemaker.statistics import MAX_CATEGORIES
from detectors.statistics_file import (
    Categorical,
    CategoricalBucket,
    Common,
    Dataset,
    FeatureStatistics,
    Kll,
    NumericalDistribution,
    NumericalStatistics,
    Sketch,
    SketchParameters,
    Statistics,
    StringDistribution,
    StringStatistics,
)
from stream.baselining.column_scan import KLL_K, ColumnScan


def statistics(scans: Mapping[str, ColumnScan]) -> Statistics:
    """Return the content of ``statistics.json``.

    Numbers: mean, sum, population standard deviation, extremes, ten buckets of equal width, and the
    sketch. Up to 2,048 values the sketch is the data in its order; above that it has items by level
    (an item at level i stands for ``2**i`` values). Text: the number of different values, and their
    counts if there are at most 120.
    """
    rows = max((scan.rows for scan in scans.values()), default=0)
    return Statistics(
        dataset=Dataset(item_count=rows),
        features=[_feature(name, scan) for name, scan in scans.items()],
    )


def _feature(name: str, scan: ColumnScan) -> FeatureStatistics:
    if scan.type in ("Integral", "Fractional"):
        numbers = _numerical_statistics(scan)
        return FeatureStatistics(name, scan.type, numerical_statistics=numbers)
    if scan.type == "String":
        return FeatureStatistics(name, scan.type, string_statistics=_string_statistics(scan))
    return FeatureStatistics(name, scan.type)


def _common(scan: ColumnScan) -> Common:
    return Common(scan.rows - scan.missing, scan.missing)


def _numerical_statistics(scan: ColumnScan) -> NumericalStatistics:
    return NumericalStatistics(
        _common(scan),
        scan.mean,
        scan.sum,
        scan.std,
        scan.low,
        scan.high,
        distribution=NumericalDistribution(_kll(scan)),
    )


def _string_statistics(scan: ColumnScan) -> StringStatistics:
    return StringStatistics(_common(scan), float(len(scan.values)), _distribution(scan))


def _distribution(scan: ColumnScan) -> StringDistribution | UnsetType:
    if len(scan.values) > MAX_CATEGORIES:
        return UNSET
    counts = [CategoricalBucket(value, count) for value, count in scan.values.most_common()]
    return StringDistribution(Categorical(counts))


def _kll(scan: ColumnScan) -> Kll:
    levels = scan.levels
    values = np.concatenate([np.array(level, dtype=float) for level in levels])
    weights = np.concatenate([np.full(len(level), 2.0**i) for i, level in enumerate(levels)])
    sketch = Sketch(parameters=SketchParameters(k=float(KLL_K)), data=levels)
    return Kll(buckets(values, weights, scan.low, scan.high), sketch)
