"""Log events about committed windows and signals, and about records that no window counts."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from detectors.report import Signal, Violation, WindowReport
from sinks.throttle import Throttle
from stream.aggregation.ledger import Ledger
from stream.outcomes import advice

LATE: Final = frozenset({"too_late", "late_after_idle", "duplicate"})
"""Outcomes without a dead letter: too late by grace and lateness, too late after the partition was
idle, and counted before."""
MAX_NAMED: Final = 10
DROPPED_EVERY_S: Final = 60.0
"""How often dropped records are logged while no new reason appears."""


class VerdictLog:
    """Logs one event for each report and signal. No event holds a value of a feature. ``log`` is a
    structlog logger.
    """

    def __init__(self, log: Any) -> None:
        self._log = log

    def window(self, report: WindowReport) -> None:
        """Log a report: a warning if it has violations."""
        self._log.log(
            logging.WARNING if report.violations else logging.INFO,
            "window_closed",
            id=report.id,
            state=report.state,
            rows=report.rows,
            violations=len(report.violations),
            failed_checks=_checks(report.violations),
        )

    def signal(self, signal: Signal) -> None:
        """Log a signal."""
        self._log.warning(
            "signal_raised",
            kind=signal.kind,
            id=signal.id,
            features=list(signal.features[:MAX_NAMED]),
            reasons=_checks(signal.reasons),
            report=signal.report,
        )


class DroppedLog:
    """Warns of records that no window counts: at once of a new reason, else once a minute."""

    def __init__(self, log: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._throttle = Throttle(DROPPED_EVERY_S, clock)
        self._logged: dict[str, int] = {}

    def begin(self, ledger: Ledger) -> None:
        """Records dropped until now were logged by an earlier process."""
        self._logged = ledger.lost()

    def write(self, ledger: Ledger, dead_letters: str) -> None:
        """Log how many records were dropped since the last event, by reason. ``dead_letters`` is
        the path of their file.
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
        path = {} if by_reason.keys() <= LATE else {"dead_letters": dead_letters}
        self._log.warning("records_dropped", by_reason=by_reason, advice=advice(by_reason), **path)


def _checks(violations: Sequence[Violation]) -> list[str]:
    """Return some violations as ``feature: check``; their other fields may hold values."""
    return [f"{violation.feature}: {violation.check}" for violation in violations[:MAX_NAMED]]
