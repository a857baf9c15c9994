"""The quality section of a signal: the metrics that violate, and both confusion matrices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from detectors.quality.judged import JudgedQuality
from detectors.quality_report import MetricReport, QualityEvidence, QualityReport

Confusion = Mapping[str, Mapping[str, int]]


def quality_evidence(
    report: QualityReport, quality: JudgedQuality, metrics: Iterable[str], expose_values: bool
) -> QualityEvidence:
    """The evidence of a report on these metrics.

    Unless ``expose_values``, the classes of a binary problem are called ``positive`` and
    ``negative``, and those of any other one ``class #k``, with the same k in both matrices.
    """
    wanted = set(metrics)
    found = tuple(metric for metric in report.metrics if metric.name in wanted)
    names = {} if expose_values else masked_names(quality, report.confusion_matrix)
    return QualityEvidence(
        problem=report.problem,
        labelled=report.labelled,
        coverage=report.coverage,
        labels_until_ms=report.labels_until_ms,
        metrics=found if expose_values else tuple(map(_without_reason, found)),
        confusion_before=_renamed(quality.confusion, names),
        confusion_after=_renamed(report.confusion_matrix, names),
    )


def masked_names(quality: JudgedQuality, confusion: Confusion) -> dict[str, str]:
    """The public name of each class: of those that are known first, then of all others by name."""
    seen = {name for matrix in (quality.confusion, confusion) for name in _classes(matrix)}
    ordered = list(dict.fromkeys((*quality.classes, *sorted(seen))))
    public = {name: f"class #{k}" for k, name in enumerate(ordered)}
    if quality.config.problem == "binary":
        public |= dict(zip(quality.classes, ("negative", "positive"), strict=False))
    return public


def _classes(confusion: Confusion) -> set[str]:
    return set(confusion).union(*confusion.values())


def _renamed(confusion: Confusion, names: Mapping[str, str]) -> dict[str, dict[str, int]]:
    return {
        names.get(true, true): {names.get(name, name): count for name, count in row.items()}
        for true, row in confusion.items()
    }


def _without_reason(metric: MetricReport) -> MetricReport:
    """The metric without the sentence on why it is undefined, which may name a class."""
    return msgspec.structs.replace(metric, reason="")
