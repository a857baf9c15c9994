"""Quality reports and signals like those of the judge, with numbers that are easy to check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from detectors.quality.config import QualityConfig
from detectors.quality.problem import problem_of
from detectors.quality.rows import LabelledRows
from detectors.quality_report import (
    QUALITY_REPORT_VERSION,
    MetricReport,
    QualityEvidence,
    QualityReport,
)
from detectors.report import Signal
from detectors.violation import Violation
from stream.testing.reports import MINUTE_MS, START_MS, signal

BEFORE = {"1": {"1": 450, "0": 50}, "0": {"1": 50, "0": 450}}
"""The confusion matrix of the baseline: 900 of 1,000 are right."""
AFTER = {"1": {"1": 40, "0": 10}, "0": {"1": 10, "0": 40}}
"""That of the window: 80 of 100 are right."""


def metric(name: str = "accuracy", **changes: Any) -> MetricReport:
    """An accuracy of 0.8 in 100 rows, whose interval is below its limit of 0.9."""
    defaults: dict[str, Any] = {
        "value": 0.8,
        "low": 0.75,
        "high": 0.85,
        "standard_deviation": 0.04,
        "n": 100,
        "baseline": 0.9,
        "limit": 0.9,
        "comparison_operator": "LessThanThreshold",
        "verdict": "violation",
    }
    return MetricReport(name=name, **{**defaults, **changes})


def quality_violation(name: str = "accuracy", **changes: Any) -> Violation:
    """The violation of an accuracy of 0.8 with a limit of 0.9."""
    defaults: dict[str, Any] = {
        "check": "model_quality_check",
        "statistic": name,
        "value": 0.8,
        "limit": 0.9,
        "n": 100,
        "description": f"Metric {name} with 0.8 +/- 0.04 was LessThanThreshold '0.9'",
        "summary": f"{name} 0.8 (99.9 % interval 0.75 to 0.85), limit 0.9 or more, baseline 0.9",
    }
    return Violation(feature=name, **{**defaults, **changes})


def counts_of(confusion: Mapping[str, Mapping[str, int]]) -> bytes:
    """Return the encoded counts of a binary confusion matrix, by true and predicted class."""
    cells = [
        (float(label), float(prediction), rows)
        for label, predicted in confusion.items()
        for prediction, rows in predicted.items()
    ]
    labels, predictions, counts = map(np.array, zip(*cells, strict=True))
    rows = LabelledRows(
        prediction=np.repeat(predictions, counts),
        probability=np.full(counts.sum(), np.nan),
        label=np.repeat(labels, counts),
        weight=np.ones(counts.sum(), np.int64),
        delay_ms=np.full(counts.sum(), 600_000),
    )
    problem = problem_of(QualityConfig(problem="binary"))
    [tallied] = problem.tally(rows, np.zeros(counts.sum(), np.int64), 1)
    return tallied.encode()


def quality_report(window: int = 0, revision: int = 1, **changes: Any) -> QualityReport:
    """The quality of model ``flights`` in minute ``window``: 100 of 125 predictions are labelled.

    The accuracy violates its limit, and AUC is undefined.
    """
    start_ms = START_MS + window * MINUTE_MS
    undefined = {"value": None, "low": None, "high": None, "standard_deviation": None}
    defaults: dict[str, Any] = {
        "version": QUALITY_REPORT_VERSION,
        "job": "sample",
        "model": "flights",
        "variant": "AllTraffic",
        "start_ms": start_ms,
        "end_ms": start_ms + MINUTE_MS,
        "revision": revision,
        "state": "violations",
        "final": False,
        "problem": "binary",
        "baseline": "q0",
        "predictions": 125,
        "labelled": 100,
        "coverage": 0.8,
        "labels_until_ms": start_ms + 60 * MINUTE_MS,
        "label_delay_s": {"p50": 600.0, "p95": 3_000.0},
        "metrics": (
            metric(),
            metric("auc", **undefined, verdict="undefined", reason="no probabilities"),
        ),
        "confusion_matrix": AFTER,
        "counts": counts_of(AFTER),
        "violations": (quality_violation(),),
        "rules": {"alpha": 0.001, "judged_metrics": 1},
        "notes": ("20 % of the predictions have no label yet, and need not be like the others",),
    }
    fields = {**defaults, **changes}
    window_id = "/".join(
        str(fields[part]) for part in ("job", "model", "variant", "start_ms", "end_ms")
    )
    name = f"{window_id}/quality/{fields['baseline']}/{fields['revision']}"
    return QualityReport(**{"id": name, **fields})


def awaiting(window: int = 0, **changes: Any) -> QualityReport:
    """The first report on a window, of whose 125 predictions 10 are labelled."""
    defaults: dict[str, Any] = {
        "state": "awaiting labels",
        "labelled": 10,
        "coverage": 0.08,
        "metrics": (metric(n=10, verdict="not judged"),),
        "confusion_matrix": {"1": {"1": 8, "0": 2}},
        "counts": counts_of({"1": {"1": 8, "0": 2}}),
        "violations": (),
        "notes": ("10 of 125 predictions have a label; judged at 80 %, or at the horizon",),
    }
    return quality_report(window, 0, **{**defaults, **changes})


def quality_signal(number: int = 1, kind: str = "opened", **changes: Any) -> Signal:
    """Signal number ``number`` of model ``flights``, whose accuracy fell."""
    evidence = QualityEvidence(
        problem="binary",
        labelled=100,
        coverage=0.8,
        metrics=(metric(),),
        confusion_before=_masked(BEFORE),
        confusion_after=_masked(AFTER),
    )
    defaults: dict[str, Any] = {
        "baseline": "q0",
        "report": quality_report().id,
        "features": ("accuracy",),
        "reasons": (quality_violation(),),
        "figures": (),
        "quality": evidence,
    }
    return signal(number, kind, **{**defaults, **changes})


def _masked(confusion: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    names = {"1": "positive", "0": "negative"}
    return {
        names[true]: {names[name]: n for name, n in row.items()} for true, row in confusion.items()
    }
