"""The published report of a window's model quality.

These structs are the published schema. ``version`` is raised when a field changes its meaning or is
removed; readers must ignore fields that they do not know.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from detectors.violation import Violation

QUALITY_REPORT_VERSION = 1
QualityState = Literal["awaiting labels", "ok", "violations", "insufficient"]
MetricVerdict = Literal["ok", "violation", "undefined", "insufficient", "not judged"]


class MetricReport(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of model quality in one window."""

    name: str
    """The name, as SageMaker Model Monitor has it where it has the metric."""
    value: float | None
    """Its value; null where it is undefined."""
    low: float | None
    """The lower end of its confidence interval; null where it is unknown."""
    high: float | None
    """The upper end of its confidence interval."""
    standard_deviation: float | None
    """The sampling error of the value; null where it is unknown."""
    n: int
    """The number of rows behind the value."""
    baseline: float | None = None
    """The value in the baseline; null without one."""
    limit: float | None = None
    """The limit; null where there is none."""
    comparison_operator: str = ""
    """``LessThanThreshold`` or ``GreaterThanThreshold``: when the limit is violated."""
    verdict: MetricVerdict = "not judged"
    """Whether the metric is beyond its limit by more than its sampling error."""
    reason: str = ""
    """Why the metric is undefined; empty if it is not."""


class EstimateReport(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate of a metric that was made without labels."""

    name: str
    """The name of the metric."""
    value: float | None
    """The estimate; null where it is undefined."""
    low: float | None
    """The lower end of its interval."""
    high: float | None
    """The upper end of its interval."""
    n: int
    """The number of predictions behind it."""


class EstimateSection(msgspec.Struct, frozen=True, kw_only=True):
    """The estimates of a window; none of them was computed from its labels."""

    method: Literal["cbpe", "dle"]
    """``cbpe`` (confidence-based) or ``dle`` (direct loss)."""
    metrics: tuple[EstimateReport, ...]
    """The estimated metrics."""
    reliable: bool = True
    """False where the data has drifted so that the estimates cannot be relied on."""
    warning: str = ""
    """Why they cannot be relied on, in a sentence."""


class QualityReport(msgspec.Struct, frozen=True, kw_only=True):
    """The quality of one model and variant in one window, as far as its labels are known.

    The window is that of the predictions. A report is repeated with a higher ``revision`` when
    labels have come since; the last one is ``final``.
    """

    version: int
    """The version of this schema."""
    id: str
    """``job/model/variant/start_ms/end_ms/quality/baseline/revision``, then ``/generation`` if
    there is one; an id never has two contents.
    """
    job: str
    """The job."""
    model: str
    """The model."""
    variant: str
    """The variant."""
    start_ms: int
    """The start of the window, in milliseconds since 1970."""
    end_ms: int
    """The end of the window."""
    revision: int
    """0 for the first report on the quality of a window; each later one counts more labels."""
    state: QualityState
    """The state of the window's quality."""
    final: bool
    """Whether no further label can change the window."""
    problem: str
    """``binary``, ``multiclass`` or ``regression``."""
    baseline: str
    """The fingerprint of the quality baseline; ``-`` without one."""
    predictions: int
    """The rows of the window that wait or waited for a label."""
    labelled: int
    """Those that have one."""
    coverage: float | None
    """The share of the predictions that have a label; null without predictions."""
    labels_until_ms: int | None = None
    """The time of labels up to which all are expected to be counted (the watermark of the labels);
    null before the first label.
    """
    label_delay_s: dict[str, float] = {}
    """Quantiles of the delay between prediction and label, in seconds: ``p50`` and ``p95``."""
    metrics: tuple[MetricReport, ...] = ()
    """All metrics."""
    confusion_matrix: dict[str, dict[str, int]] = {}
    """The counts by true class and predicted class; empty for regression."""
    counts: bytes = b""
    """The encoded counts of the labelled rows, from which the metrics are computed; those of
    windows that do not overlap can be added. Base64 in JSON; empty without labels.
    """
    per_class: dict[str, dict[str, float | None]] = {}
    """Metrics of each class of a multiclass problem."""
    estimates: EstimateSection | None = None
    """Estimates made without labels; null unless they are asked for."""
    violations: tuple[Violation, ...] = ()
    """The limits that the window violates."""
    rules: dict[str, float | int | str] = {}
    """The rules in force."""
    notes: tuple[str, ...] = ()
    """What limits the meaning of the numbers, in sentences."""
    generation: str = ""
    """As in the report on the window's data."""


class QualityEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """The quality of a model at a signal: what was measured, and both confusion matrices."""

    problem: str
    """``binary``, ``multiclass`` or ``regression``."""
    labelled: int
    """The rows with a label."""
    coverage: float | None
    """The share of the predictions that have a label."""
    metrics: tuple[MetricReport, ...]
    """The metrics that violate, each with its baseline and its interval."""
    labels_until_ms: int | None = None
    """The time of labels up to which they are counted: when the verdict was due, by the labels."""
    confusion_before: dict[str, dict[str, int]] = {}
    """The confusion matrix of the baseline, by true and predicted class; masked names unless
    ``expose_values`` is set.
    """
    confusion_after: dict[str, dict[str, int]] = {}
    """That of the window."""
