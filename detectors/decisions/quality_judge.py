"""Judges the quality of a model in a window: labelled rows become a report and signals."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping, Sequence

import msgspec

from detectors.decisions.episode_state import EpisodeState, JudgedWindow
from detectors.decisions.episodes import after_window
from detectors.decisions.metric_rulings import (
    change_violations,
    is_beyond,
    is_judged,
    metric_report,
    metric_violation,
)
from detectors.decisions.quality_evidence import quality_evidence
from detectors.decisions.rules import Rules
from detectors.phrases import counted, percent
from detectors.quality.base import Measured, Metric
from detectors.quality.counts import QualityCounts
from detectors.quality.error_change import ErrorChange
from detectors.quality.judged import JudgedQuality, MetricRule
from detectors.quality_report import (
    QUALITY_REPORT_VERSION,
    EstimateSection,
    MetricReport,
    MetricVerdict,
    QualityReport,
    QualityState,
)
from detectors.report import Signal
from detectors.violation import Violation


class QualitySpan(msgspec.Struct, frozen=True, kw_only=True):
    """The window ``[start_ms, end_ms)`` of a model's predictions, and how far its labels are known.

    ``predictions`` is the number of rows that wait or waited for a label, ``labelled`` that of
    those that have one. ``judge``: the window is due for a verdict. ``final``: no further label can
    change it; such a window is judged in any case. ``labels_until_ms``, ``notes`` and ``estimates``
    are passed on to the report. ``changes`` were found in the stream of errors since the last
    judged window; they count in a window that is judged.
    """

    model: str
    variant: str
    start_ms: int
    end_ms: int
    revision: int
    predictions: int
    labelled: int
    judge: bool = False
    final: bool = False
    labels_until_ms: int | None = None
    notes: tuple[str, ...] = ()
    estimates: EstimateSection | None = None
    changes: tuple[ErrorChange, ...] = ()

    @property
    def judged(self) -> bool:
        """Whether the window gets a verdict."""
        return self.judge or self.final

    @property
    def coverage(self) -> float | None:
        """The share of the predictions that have a label; ``None`` without predictions."""
        return self.labelled / self.predictions if self.predictions else None


_WithoutLabels = tuple[
    tuple[tuple[str, ...], MetricVerdict | None], tuple[Measured, tuple[MetricReport, ...]]
]
"""The class names and the verdict of windows without labels, and what was measured in them."""


class QualityJudge:
    """The rules of a job and the limits of its models, applied to labelled rows.

    What it returns depends on its arguments alone. ``models`` has the models whose quality is
    measured. ``expose_values``: whether signals may name classes. ``generation`` names the
    beginning of the job, if it is not the first: it is part of all ids.
    """

    def __init__(
        self,
        job: str,
        rules: Rules,
        models: Mapping[str, JudgedQuality],
        expose_values: bool = False,
        generation: str = "",
    ) -> None:
        self.job = job
        self.rules = rules
        self._of_episodes = msgspec.structs.replace(rules, mode="threshold")
        self.models = models
        self.expose_values = expose_values
        self.generation = generation
        self._without_labels: dict[str, _WithoutLabels] = {}

    def report(
        self, span: QualitySpan, counts: QualityCounts, class_names: Sequence[str]
    ) -> QualityReport:
        """The report on the labelled rows of one window; ``class_names`` has the names by code.

        ``awaiting labels`` until the span is judged, then ``insufficient`` below ``min_n`` labelled
        rows. A metric violates when its whole confidence interval is beyond its limit; ``alpha``
        is divided by the number of judged metrics. Raises ``KeyError`` for an unknown model.
        """
        quality = self.models[span.model]
        unjudged = self._unjudged(span)
        measured, metrics = self._measured(span, counts, class_names)
        violations: list[Violation] = []
        if unjudged is None:
            large = self._overwhelming(quality, metrics, counts, class_names)
            violations += [
                metric_violation(
                    metric, self._confidence(quality), span.coverage, metric.name in large
                )
                for metric in metrics
                if metric.verdict == "violation"
            ]
            violations += change_violations(span.changes)
        return QualityReport(
            version=QUALITY_REPORT_VERSION,
            id=self.report_id(span),
            job=self.job,
            model=span.model,
            variant=span.variant,
            start_ms=span.start_ms,
            end_ms=span.end_ms,
            revision=span.revision,
            state=self._state(span, violates=bool(violations)),
            final=span.final,
            problem=quality.config.problem,
            baseline=quality.fingerprint,
            predictions=span.predictions,
            labelled=span.labelled,
            coverage=span.coverage,
            labels_until_ms=span.labels_until_ms,
            label_delay_s=dict(measured.delay_s),
            metrics=metrics,
            confusion_matrix={true: dict(row) for true, row in measured.confusion.items()},
            counts=counts.encode() if span.labelled else b"",
            per_class={name: dict(row) for name, row in measured.per_class.items()},
            estimates=span.estimates,
            violations=tuple(violations),
            rules=self._rule_values(quality),
            notes=(*span.notes, *self._notes(span, quality), *measured.notes),
            generation=self.generation,
        )

    def _measured(
        self, span: QualitySpan, counts: QualityCounts, class_names: Sequence[str]
    ) -> tuple[Measured, tuple[MetricReport, ...]]:
        """The metrics, and the reports on them; those of windows without labels are kept."""
        key = (tuple(class_names), self._unjudged(span))
        kept = self._without_labels.get(span.model)
        if kept is not None and kept[0] == key and _is_empty(counts):
            return kept[1]
        quality = self.models[span.model]
        confidence = self._confidence(quality)
        measured = quality.problem.measure(counts, class_names, confidence)
        reports = _metric_reports(measured, quality.rules, self._unjudged(span), confidence)
        if _is_empty(counts):
            self._without_labels[span.model] = key, (measured, reports)
        return measured, reports

    def report_id(self, span: QualitySpan) -> str:
        """``job/model/variant/start_ms/end_ms/quality/baseline/revision``, and the generation."""
        window = f"{span.model}/{span.variant}/{span.start_ms}/{span.end_ms}"
        fingerprint = self.models[span.model].fingerprint
        name = f"{self.job}/{window}/quality/{fingerprint}/{span.revision}"
        return name + (f"/{self.generation}" if self.generation else "")

    def advance(
        self, state: EpisodeState, report: QualityReport
    ) -> tuple[EpisodeState, list[Signal]]:
        """The state after a report, and the signals that the report raises.

        The rules are those of :func:`~detectors.decisions.episodes.after_window`, over windows with
        the state ``ok`` or ``violations``. ``state`` holds the episodes of the quality of one model
        and variant. A revision takes the place of its window. Labels complete windows in any order;
        only the newest window moves an episode, and an older one corrects what is remembered of it.
        """
        if report.state not in ("ok", "violations"):
            return state, []
        window = _judged_window(report)
        others = [each for each in state.windows if _span_of(each) != _span_of(window)]
        if others and _span_of(window) < _span_of(others[-1]):
            insort(others, window, key=_span_of)
            return msgspec.structs.replace(state, windows=tuple(others)), []
        state = msgspec.structs.replace(state, windows=tuple(others))
        generation = [report.generation] if report.generation else []
        origin = (
            "quality episode",
            report.start_ms,
            report.end_ms,
            report.baseline,
            report.revision,
            *generation,
        )
        state, signals = after_window(state, report, self._of_episodes, origin)
        return state, [self._with_evidence(signal, report) for signal in signals]

    def _with_evidence(self, signal: Signal, report: QualityReport) -> Signal:
        evidence = quality_evidence(
            report, self.models[report.model], signal.features, self.expose_values
        )
        return msgspec.structs.replace(signal, quality=evidence)

    def confidence(self, model: str) -> float:
        """The confidence of the intervals of a model: ``1 - alpha / judged metrics``."""
        return self._confidence(self.models[model])

    def _confidence(self, quality: JudgedQuality) -> float:
        """The confidence of the intervals: ``1 - alpha / judged metrics``."""
        return 1.0 - self.rules.alpha / _judged_metrics(quality)

    def _unjudged(self, span: QualitySpan) -> MetricVerdict | None:
        """The verdict on each metric of a window that has none as a whole."""
        if not span.judged:
            return "not judged"
        return "insufficient" if span.labelled < self.rules.min_n else None

    def _state(self, span: QualitySpan, *, violates: bool) -> QualityState:
        if not span.judged:
            return "awaiting labels"
        if span.labelled < self.rules.min_n:
            return "insufficient"
        return "violations" if violates else "ok"

    def _overwhelming(
        self,
        quality: JudgedQuality,
        metrics: Sequence[MetricReport],
        counts: QualityCounts,
        class_names: Sequence[str],
    ) -> set[str]:
        """The violating metrics of which one window is enough for a signal.

        They have at least ``overwhelming_n`` rows, and violate at ``overwhelming_alpha`` as well. A
        metric whose sampling error is unknown is not among them.
        """
        large = {
            metric.name
            for metric in metrics
            if metric.verdict == "violation" and metric.n >= self.rules.overwhelming_n
        }
        if not large:
            return large
        confidence = 1.0 - self.rules.overwhelming_alpha / _judged_metrics(quality)
        measured = quality.problem.measure(counts, class_names, confidence)
        return {
            metric.name
            for metric in measured.metrics
            if metric.name in large
            and metric.low is not None
            and metric.high is not None
            and is_beyond(metric, quality.rules[metric.name], confidence)
        }

    def _rule_values(self, quality: JudgedQuality) -> dict[str, float | int | str]:
        """The rules in force for the quality of a model, by name."""
        rules, config = self.rules, quality.config
        return {
            "k": rules.k,
            "of": rules.of,
            "alpha": rules.alpha,
            "min_n": rules.min_n,
            "cooldown": self._of_episodes.effective_cooldown,
            "overwhelming_alpha": rules.overwhelming_alpha,
            "overwhelming_n": rules.overwhelming_n,
            "judged_metrics": sum(map(is_judged, quality.rules.values())),
            "confidence": self._confidence(quality),
            "judge_at.coverage": config.judge_at.coverage,
            "judge_at.after": config.judge_at.after,
            "revise_every": config.revise_every,
        }

    def _notes(self, span: QualitySpan, quality: JudgedQuality) -> list[str]:
        """What limits the meaning of the numbers: too few labels, early labels, no limits."""
        notes = []
        if not span.judged:
            notes.append(_why_awaiting(span, quality))
        elif span.labelled < self.rules.min_n:
            rows = counted(span.labelled, "row")
            notes.append(f"{rows} with a label, fewer than the {self.rules.min_n:,} of rules.min_n")
        elif span.labelled < span.predictions:
            notes.append(_why_biased(span))
        if span.judged and not any(map(is_judged, quality.rules.values())):
            notes.append("no metric has a limit: nothing is judged")
        return notes


def _is_empty(counts: QualityCounts) -> bool:
    return not (len(counts.cells) or counts.sums or counts.custom)


def _judged_metrics(quality: JudgedQuality) -> int:
    """The number of metrics among which ``alpha`` is divided; at least 1."""
    return max(sum(map(is_judged, quality.rules.values())), 1)


def _metric_reports(
    measured: Measured,
    rules: Mapping[str, MetricRule],
    unjudged: MetricVerdict | None,
    confidence: float,
) -> tuple[MetricReport, ...]:
    """The reports of all metrics; judged ones that were not measured are undefined."""
    names = {metric.name for metric in measured.metrics}
    absent = [
        Metric(name, None, None, None, None, 0, reason="it was not measured")
        for name, rule in rules.items()
        if is_judged(rule) and name not in names
    ]
    return tuple(
        metric_report(metric, rules.get(metric.name, MetricRule(metric.name)), unjudged, confidence)
        for metric in (*measured.metrics, *absent)
    )


def _why_awaiting(span: QualitySpan, quality: JudgedQuality) -> str:
    at = quality.config.judge_at
    have = f"{span.labelled:,} of {counted(span.predictions, 'prediction')} have a label"
    after = "" if at.after == "0s" else f" and {at.after} after the end of the window"
    return f"{have}; judged at {percent(at.coverage)}{after}, or at the horizon"


def _why_biased(span: QualitySpan) -> str:
    missing = percent(1.0 - (span.coverage or 0.0))
    if span.final:
        return f"{missing} of the predictions never got a label, and need not be like the others"
    return f"{missing} of the predictions have no label yet, and need not be like the others"


def _judged_window(report: QualityReport) -> JudgedWindow:
    features = {violation.feature for violation in report.violations}
    return JudgedWindow(report.start_ms, report.end_ms, tuple(sorted(features)))


def _span_of(window: JudgedWindow) -> tuple[int, int]:
    return window.end_ms, window.start_ms
