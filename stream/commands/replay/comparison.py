"""Compares the verdicts on each period with those of Model Monitor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from detectors.schedule_report import ScheduleReport
from detectors.violation import Violation
from stream.commands.replay.differences import OF_COLUMNS, why_not_ours, why_not_theirs
from stream.commands.replay.model_monitor import MonitorRun, MonitorViolation

NO_EVENTS: Final = "the captures have no event of this period"
NOT_ALIGNED: Final = "no period begins at this time: those of driftline are aligned to midnight UTC"
Agreement = Literal["both", "only Model Monitor", "only driftline"]


class ComparedFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One feature and check that at least one of the two systems found violated.

    ``ours`` and ``theirs`` are the sentences of both; empty where one found nothing. ``reason``
    explains a difference.
    """

    feature: str
    check: str
    agreement: Agreement
    ours: str = ""
    theirs: str = ""
    reason: str = ""


class ComparedPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """One period: the report of driftline, the run of Model Monitor, and what they found.

    ``run`` is ``None`` where Model Monitor wrote nothing, ``report`` where driftline has no events.
    """

    start_ms: int
    end_ms: int
    report: ScheduleReport | None
    run: MonitorRun | None
    findings: tuple[ComparedFinding, ...]

    @property
    def both_reported(self) -> bool:
        """Whether there is a report of either system."""
        return self.report is not None and self.run is not None

    @property
    def agrees(self) -> bool:
        """Whether both came to the same verdict on the period, ``violations`` or none."""
        ours = self.report is not None and bool(self.report.violations)
        theirs = self.run is not None and bool(self.run.violations)
        return ours == theirs


def hour_is_start(reports: Sequence[ScheduleReport], runs: Sequence[MonitorRun]) -> bool:
    """Return whether the hour in the path of a run is the start of its data, or else its end.

    The numbers of rows decide, where the runs have them: the reading with more equal ones. Without
    any it is taken for the end: a run is started when its hour is over.
    """
    starts = {report.start_ms: report.rows for report in reports}
    ends = {report.end_ms: report.rows for report in reports}
    by_start = sum(run.rows is not None and starts.get(run.hour_ms) == run.rows for run in runs)
    by_end = sum(run.rows is not None and ends.get(run.hour_ms) == run.rows for run in runs)
    return by_start > by_end


def compared(
    reports: Sequence[ScheduleReport], runs: Sequence[MonitorRun], since_ms: int | None = None
) -> list[ComparedPeriod]:
    """Return all periods in order of time, those with a report of either system.

    Without ``runs`` every finding is driftline's, and no difference is explained.
    """
    by_start = hour_is_start(reports, runs)
    length_ms = reports[0].schedule_ms if reports else 3_600_000
    of_start = {
        (run.hour_ms if by_start else run.hour_ms - length_ms): run
        for run in runs
        if since_ms is None or run.hour_ms >= since_ms
    }
    periods = [_period(report, of_start.get(report.start_ms), bool(runs)) for report in reports]
    reported = {report.start_ms for report in reports}
    periods += [
        _unreported(start_ms, start_ms + length_ms, run)
        for start_ms, run in of_start.items()
        if start_ms not in reported
    ]
    return sorted(periods, key=lambda period: period.start_ms)


def _period(report: ScheduleReport, run: MonitorRun | None, explained: bool) -> ComparedPeriod:
    ours = {_key(each.feature, each.check): each for each in report.violations}
    theirs = {
        _key(each.feature_name, each.constraint_check_type): each
        for each in (run.violations if run else ())
    }
    findings = [
        _finding(key, ours.get(key), theirs.get(key), report, explained)
        for key in dict.fromkeys((*theirs, *ours))
    ]
    return ComparedPeriod(
        start_ms=report.start_ms,
        end_ms=report.end_ms,
        report=report,
        run=run,
        findings=tuple(findings),
    )


def _unreported(start_ms: int, end_ms: int, run: MonitorRun) -> ComparedPeriod:
    findings = tuple(
        ComparedFinding(
            feature=each.feature_name,
            check=each.constraint_check_type,
            agreement="only Model Monitor",
            theirs=each.description.strip(),
            reason=NO_EVENTS if start_ms % (end_ms - start_ms) == 0 else NOT_ALIGNED,
        )
        for each in run.violations
    )
    return ComparedPeriod(start_ms=start_ms, end_ms=end_ms, report=None, run=run, findings=findings)


def _key(feature: str, check: str) -> tuple[str, str]:
    return ("(columns)", check) if check in OF_COLUMNS else (feature, check)


def _finding(
    key: tuple[str, str],
    ours: Violation | None,
    theirs: MonitorViolation | None,
    report: ScheduleReport,
    explained: bool,
) -> ComparedFinding:
    feature, check = key
    reason = ""
    agreement: Agreement = "both"
    own = next((each for each in report.features if each.name == feature), None)
    if ours is None:
        agreement = "only Model Monitor"
        reason = why_not_ours(check, own, report)
    elif theirs is None:
        agreement = "only driftline"
        if explained:
            reason = why_not_theirs(check, own, report)
    return ComparedFinding(
        feature=feature,
        check=check,
        agreement=agreement,
        ours=(ours.summary or ours.description).strip() if ours else "",
        theirs=theirs.description.strip() if theirs else "",
        reason=reason,
    )
