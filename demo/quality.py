"""What driftline has measured of the model's error, from its reports on quality."""

from __future__ import annotations

from typing import NamedTuple

from detectors.quality.config import QualityConfig
from detectors.quality.counts import QualityCounts
from detectors.quality.problem import problem_of
from detectors.quality_report import QualityReport

CONFIDENCE = 0.95


class MeasuredError(NamedTuple):
    """RMSE and MAE in minutes over labelled flights; ``None`` without any."""

    rmse: float | None
    mae: float | None
    labelled: int


class QualityReports:
    """The newest report on each window, and the labels that each verdict was based on."""

    def __init__(self) -> None:
        self._newest: dict[int, QualityReport] = {}
        self._verdict_ms: dict[str, int] = {}
        self._judged: set[int] = set()
        self.newest_verdict: QualityReport | None = None

    @property
    def judged(self) -> int:
        """The number of windows that were judged."""
        return len(self._judged)

    def add(self, report: QualityReport) -> None:
        """Note a report."""
        newest = self._newest.get(report.end_ms)
        if newest is None or report.revision >= newest.revision:
            self._newest[report.end_ms] = report
        if report.state == "awaiting labels":
            return
        if report.end_ms not in self._judged and _is_later(report, self.newest_verdict):
            self.newest_verdict = report
        self._judged.add(report.end_ms)
        if report.labels_until_ms is not None:
            self._verdict_ms[report.id] = report.labels_until_ms

    def labels_until_ms(self, report_id: str) -> int | None:
        """The time up to which the labels were known to a verdict; ``None`` if it is unknown."""
        return self._verdict_ms.get(report_id)

    def measured(self, start_ms: int, end_ms: int) -> MeasuredError:
        """The error over all judged windows wholly within ``[start_ms, end_ms)``: counts are added.

        Of the others only the flights that land first have a label, and these are short ones.
        """
        counts = [
            QualityCounts.decode(report.counts)
            for report in self._newest.values()
            if start_ms <= report.start_ms
            and report.end_ms <= end_ms
            and report.end_ms in self._judged
            and report.counts
        ]
        problem = problem_of(QualityConfig(problem="regression"))
        measured = problem.measure(problem.merge(counts), (), CONFIDENCE)
        values = {metric.name: metric.value for metric in measured.metrics}
        return MeasuredError(values["rmse"], values["mae"], measured.rows)


def _is_later(report: QualityReport, other: QualityReport | None) -> bool:
    return other is None or report.end_ms > other.end_ms
