"""Log events about committed windows and signals, and about dropped records."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from detectors.quality_report import QualityReport
from detectors.report import Signal, WindowReport
from detectors.schedule_report import ScheduleReport
from detectors.violation import Violation
from sinks.throttle import Throttle
from stream.aggregation.ledger import Ledger
from stream.aggregation.variants import OTHER
from stream.events import DeadLetter
from stream.outcomes import WITHOUT_LETTER, advice, foremost

LATE: Final = frozenset({"too_late", "late_after_idle", "duplicate"})
"""Outcomes of records that came late or again."""
MAX_NAMED: Final = 10
DROPPED_EVERY_S: Final = 60.0
"""The time between two log events about dropped records, unless a new reason appears."""


VERDICTS: Final = ("window_closed", "signal_raised", "quality_judged", "schedule_reported")
"""The events of :class:`VerdictLog`."""


class VerdictLog:
    """Logs one event per report and signal, without feature values.

    ``log`` is a structlog logger.
    """

    def __init__(self, log: Any) -> None:
        self._log = log

    def window(self, report: WindowReport) -> None:
        """Log a report: a warning if it has violations, or no inputs."""
        loud = report.state == "no inputs"
        self._log.log(
            logging.WARNING if report.violations or loud else logging.INFO,
            "window_closed",
            id=report.id,
            state=report.state,
            rows=report.rows,
            violations=len(report.violations),
            failed_checks=_checks(report.violations),
            **({"notes": list(report.notes)} if report.notes else {}),
        )

    def schedule(self, report: ScheduleReport) -> None:
        """Log a report on a period of a schedule: a warning if it has violations."""
        self._log.log(
            logging.WARNING if report.violations else logging.INFO,
            "schedule_reported",
            id=report.id,
            schedule_ms=report.schedule_ms,
            status=report.status,
            rows=report.rows,
            violations=len(report.violations),
            failed_checks=_checks(report.violations),
            **({"notes": list(report.notes)} if report.notes else {}),
        )

    def quality(self, report: QualityReport) -> None:
        """Log a report on the quality of a model that was judged: a warning if it has violations.

        A report that awaits labels has no verdict, and is not logged.
        """
        if report.state == "awaiting labels":
            return
        self._log.log(
            logging.WARNING if report.violations else logging.INFO,
            "quality_judged",
            id=report.id,
            state=report.state,
            final=report.final,
            labelled=report.labelled,
            coverage=report.coverage,
            violations=len(report.violations),
            failed_checks=_checks(report.violations),
            **({"notes": list(report.notes)} if report.notes else {}),
        )

    def signal(self, signal: Signal) -> None:
        """Log a signal: a warning, unless the model has recovered.

        The reasons of a ``recovered`` are past, and left out.
        """
        recovered = signal.kind == "recovered"
        self._log.log(
            logging.INFO if recovered else logging.WARNING,
            "signal_raised",
            kind=signal.kind,
            id=signal.id,
            since=datetime.fromtimestamp(signal.first_violation_ms / 1000, UTC).isoformat(),
            features=list(signal.features[:MAX_NAMED]),
            reasons=[] if recovered else _checks(signal.reasons),
            report=signal.report,
            **({"early": True} if signal.early else {}),
        )


class DroppedLog:
    """Logs a warning about dropped records: immediately for a new reason, else once a minute.

    It is no warning if the only reason is a source that is not to be counted.
    """

    def __init__(self, log: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._throttle = Throttle(DROPPED_EVERY_S, clock)
        self._logged: dict[str, int] = {}
        self._details: dict[str, str] = {}

    def note(self, letters: Iterable[DeadLetter]) -> None:
        """Keep the latest detail of each reason, for the next event."""
        self._details.update((letter.reason, letter.detail) for letter in letters if letter.detail)

    def begin(self, ledger: Ledger) -> None:
        """Start from this ledger: its dropped records were logged by an earlier process."""
        self._logged = ledger.lost()

    def write(self, ledger: Ledger, dead_letters: str) -> None:
        """Log the number of records dropped since the last event, by reason.

        The detail is that of the latest dead letter with the foremost reason.
        ``dead_letters`` is the path of the file of dead letters.
        """
        total = ledger.lost()
        by_reason = {
            reason: count - self._logged.get(reason, 0)
            for reason, count in total.items()
            if count > self._logged.get(reason, 0)
        }
        if not by_reason or not self._throttle.due(frozenset(total)):
            return
        self._logged = total
        more = {} if by_reason.keys() <= LATE | WITHOUT_LETTER else {"dead_letters": dead_letters}
        detail = self._details.get(foremost(by_reason))
        if detail:
            more["detail"] = detail
        self._details.clear()
        self._log.log(
            logging.WARNING if by_reason.keys() - WITHOUT_LETTER else logging.INFO,
            "records_dropped",
            by_reason=by_reason,
            advice=advice(by_reason),
            **more,
        )


class VariantLimitLog:
    """Logs a warning about rows of variants beyond the limit: at the first one, then once a minute.

    The names of these variants come from data and are not logged.
    """

    def __init__(self, log: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._throttle = Throttle(DROPPED_EVERY_S, clock)
        self._logged = 0

    def begin(self, ledger: Ledger) -> None:
        """Start from this ledger: its rows were logged by an earlier process."""
        self._logged = ledger.rows_of_other_variants

    def write(self, ledger: Ledger) -> None:
        """Log the rows since the last event."""
        rows = ledger.rows_of_other_variants - self._logged
        if rows and self._throttle.due("variants"):
            advice = "raise most_variants, or correct variant if its values are not variants"
            self._log.warning("variants_over_limit", rows=rows, counted_as=OTHER, advice=advice)
            self._logged = ledger.rows_of_other_variants


def _checks(violations: Sequence[Violation]) -> list[str]:
    """Return some violations as ``feature: check``; their other fields may hold values."""
    return [f"{violation.feature}: {violation.check}" for violation in violations[:MAX_NAMED]]
