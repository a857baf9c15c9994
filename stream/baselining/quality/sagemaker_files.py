"""The content of SageMaker's files of model quality: ``statistics.json``, ``constraints.json``.

A value that is undefined, such as the precision of a model that never answers "positive", is the
text ``"NaN"``: this is how these files write a standard deviation that is unknown, so that their
readers know it. SageMaker Model Monitor writes 0 there, which reads like the worst value of all.
Such a metric has no constraint. Names are those of the files (``true_positive_rate``); violations
have them in camel case (``truePositiveRate``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from detectors.quality.baseline import MetricConstraint
from detectors.quality.config import Problem
from stream.baselining.quality.curves import curves
from stream.baselining.quality.exact_metrics import (
    LESS_IS_BETTER,
    METRICS,
    Values,
    confusion_matrix,
)
from stream.baselining.quality.rows import QualityRows

UNDEFINED: Final = "NaN"
STATISTICS_KEYS: Final[Mapping[Problem, str]] = {
    "binary": "binary_classification_metrics",
    "multiclass": "multiclass_classification_metrics",
    "regression": "regression_metrics",
}
CONSTRAINTS_KEYS: Final[Mapping[Problem, str]] = {
    "binary": "binary_classification_constraints",
    "multiclass": "multiclass_classification_constraints",
    "regression": "regression_constraints",
}


def statistics(
    problem: Problem, data: QualityRows, values: Values, deviations: Values
) -> dict[str, Any]:
    """Return the content of ``statistics.json``: each metric with its standard deviation."""
    metrics: dict[str, Any] = {}
    if problem != "regression":
        metrics["confusion_matrix"] = confusion_by_name(data)
    metrics |= {
        name: {
            "value": _number(value),
            "standard_deviation": _number(deviations.get(name, math.nan)),
        }
        for name, value in values.items()
    }
    if problem == "binary":
        scored = ~np.isnan(data.rows.probability)
        metrics |= curves(data.rows.probability[scored], data.rows.label[scored] == 1)
    return {
        "version": 0.0,
        "dataset": {"item_count": len(data)},
        STATISTICS_KEYS[problem]: metrics,
    }


def suggested_constraints(problem: Problem, values: Values) -> dict[str, MetricConstraint]:
    """Return the exact value of each defined metric as its constraint."""
    return {
        name: MetricConstraint(
            values[name], "GreaterThanThreshold" if name in LESS_IS_BETTER else "LessThanThreshold"
        )
        for name in METRICS[problem]
        if not math.isnan(values.get(name, math.nan))
    }


def constraints(problem: Problem, required: Mapping[str, MetricConstraint]) -> dict[str, Any]:
    """Return the content of ``constraints.json``."""
    content = {
        name: {"threshold": each.threshold, "comparison_operator": each.comparison_operator}
        for name, each in required.items()
    }
    return {"version": 0.0, CONSTRAINTS_KEYS[problem]: content}


def confusion_by_name(data: QualityRows) -> dict[str, dict[str, int]]:
    """Return the number of rows by the names of true and predicted class."""
    matrix = confusion_matrix(data.rows, len(data.classes)).astype(int).tolist()
    return {
        name: dict(zip(data.classes, row, strict=True))
        for name, row in zip(data.classes, matrix, strict=True)
    }


def _number(value: float) -> float | str:
    return UNDEFINED if math.isnan(value) else value
