"""What a simulated job with labels is configured with: its models, and a plain judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.quality_judge import QualityJudge, QualitySpan
from detectors.quality.cells import CODE_BITS, CONFUSION, CellTable
from detectors.quality.config import JudgeAt, MetricLimit, Problem, QualityConfig
from detectors.quality.counts import QualityCounts
from detectors.quality.judged import JudgedQuality, MetricRule
from detectors.quality.problem import problem_of
from detectors.quality_report import QualityReport
from detectors.report import Signal
from stream.aggregation.quality_model import LabelSettings, QualityModel
from stream.labels.classes import LabelledModel
from stream.labels.resolve import JoinRule
from tests.simulation.judging import RULES
from tests.simulation.owner import LabelJob


class PlainQualityJudge:
    """Reports plain counts, because the protocol is under test and not the statistics."""

    rules = RULES

    def report(
        self, span: QualitySpan, counts: QualityCounts, class_names: Sequence[str]
    ) -> QualityReport:
        window = f"{span.model}/{span.variant}/{span.start_ms}/{span.end_ms}"
        return QualityReport(
            version=1,
            id=f"sim/{window}/quality/-/{span.revision}",
            job="sim",
            model=span.model,
            variant=span.variant,
            start_ms=span.start_ms,
            end_ms=span.end_ms,
            revision=span.revision,
            state="ok" if span.judged else "awaiting labels",
            final=span.final,
            problem="binary",
            baseline="-",
            predictions=span.predictions,
            labelled=span.labelled,
            coverage=span.coverage,
            labels_until_ms=span.labels_until_ms,
            counts=counts.encode() if span.labelled else b"",
        )

    def advance(
        self, state: EpisodeState, report: QualityReport
    ) -> tuple[EpisodeState, list[Signal]]:
        return state, []


def label_job(rule: JoinRule, every_ms: int, problem: Problem, real_judge: bool) -> LabelJob:
    """Return a job whose model ``a`` is binary and whose model ``b`` has another problem."""
    models = {"a": _model("binary"), "b": _model(problem)}
    judge = QualityJudge("sim", RULES, {name: model.judged for name, model in models.items()})
    plain: QualityJudge = PlainQualityJudge()  # type: ignore[assignment]  # as far as it is used
    slice_ms = max(rule.horizon_ms // 8, every_ms)
    return LabelJob(LabelSettings(rule, slice_ms), models, judge if real_judge else plain)


def _model(problem: Problem) -> QualityModel:
    config = QualityConfig(
        problem=problem,
        prediction="p",
        limits={"accuracy": MetricLimit(min=0.9)},
        judge_at=JudgeAt(coverage=0.6, after="0s"),
        revise_every="1s",
    )
    rules = {} if problem == "regression" else {"accuracy": MetricRule("accuracy", 0.9, None, True)}
    meaning = LabelledModel(problem=problem)
    if problem == "binary":
        meaning = LabelledModel(problem=problem, positive="1", negative="0")
    return QualityModel(JudgedQuality(config, problem_of(config), rules), meaning)


def pairs_of(
    report: QualityReport, problem: Problem, names: Sequence[str]
) -> Counter[tuple[float, float | str]]:
    """Return the labelled rows of a report by prediction and label, of a problem with classes."""
    pairs: Counter[tuple[float, float | str]] = Counter()
    if not report.counts:
        return pairs
    cells, counts = CellTable(QualityCounts.decode(report.counts)).of(CONFUSION)
    for cell, count in zip(cells.tolist(), counts.tolist(), strict=True):
        label, prediction = cell >> CODE_BITS, cell & ((1 << CODE_BITS) - 1)
        row = float(_value(prediction, problem, names))
        pairs[row, _value(label, problem, names)] += count
    return pairs


def _value(code: int, problem: Problem, names: Sequence[str]) -> float | str:
    if problem == "binary":
        return float(code)
    name = names[code]
    return float(name) if name.isdigit() else name


def error_sums(pairs: Counter[tuple[float, float | str]]) -> tuple[int, int, int]:
    """Return the sums of the absolute errors, the errors and the labels of some rows."""
    errors = [(float(row) - float(true), float(true), n) for (row, true), n in pairs.items()]
    return (
        int(sum(abs(error) * n for error, _, n in errors)),
        int(sum(error * n for error, _, n in errors)),
        int(sum(true * n for _, true, n in errors)),
    )


def reported_sums(report: QualityReport) -> tuple[int, int, int]:
    """Return the same sums of a report on numbers; all of them are whole numbers."""
    sums = QualityCounts.decode(report.counts).sums if report.counts else {}
    return tuple(sums.get(name, 0) >> 1074 for name in ("absolute", "error", "label"))  # type: ignore[return-value]
