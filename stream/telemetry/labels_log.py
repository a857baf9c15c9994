"""Log events about labels that were rejected, and about predictions that cannot wait for one."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from sinks.throttle import Throttle
from stream.aggregation.label_ledger import LabelLedger
from stream.outcomes import EXPECTED, LATE_AFTER_IDLE, UNTAKEN_ADVICE, advice, foremost

EVERY_S: Final = 60.0
"""The time between two log events of a kind, unless a new reason appears."""


class LabelsLog:
    """Logs how many labels were rejected, and how many predictions cannot wait, by reason.

    A new reason is logged at once, others once a minute. ``log`` is a structlog logger.
    """

    def __init__(self, log: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._throttle = Throttle(EVERY_S, clock)
        self._rejected: Mapping[str, int] = {}
        self._untaken: Mapping[str, int] = {}

    def begin(self, ledger: LabelLedger) -> None:
        """Start from this ledger: an earlier process has logged what it holds."""
        self._rejected, self._untaken = ledger.rejected(), ledger.unusable()

    def write(self, ledger: LabelLedger, dead_letters: str) -> None:
        """Log what is new since the last event; ``dead_letters`` is the path of their file."""
        rejected, untaken = ledger.rejected(), ledger.unusable()
        new = _growth(rejected, self._rejected)
        if new and self._throttle.due(("labels", frozenset(rejected))):
            self._rejected = rejected
            self._log.log(
                logging.WARNING if new.keys() - EXPECTED else logging.INFO,
                "labels_rejected",
                by_reason=new,
                advice=advice(new),
                dead_letters=dead_letters,
            )
        new = _growth(untaken, self._untaken)
        if new and self._throttle.due(("predictions", frozenset(untaken))):
            self._untaken = untaken
            self._log.warning(
                "predictions_untaken",
                by_reason=new,
                advice=UNTAKEN_ADVICE.get(foremost(new), advice({LATE_AFTER_IDLE: 1})),
            )


def _growth(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {
        reason: count - before.get(reason, 0)
        for reason, count in now.items()
        if count > before.get(reason, 0)
    }
