"""Writes what a script says to the log of the service, at a limited rate."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from stream.formats.faults import RecordFault

log = structlog.get_logger("driftline.script")
PERIOD_S: Final = 10.0
MOST_MESSAGES: Final = 50
"""The largest number of messages in a period."""


class ScriptLog:
    """The log of one script: at most 50 messages in ten seconds; the next one counts the others."""

    def __init__(self, script: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._script, self._clock = script, clock
        self._begun_s = clock()
        self._written = self._left_out = 0

    def write(self, said: Sequence[tuple[str, str]], unsaid: int) -> None:
        """Log the messages of a script; ``unsaid`` of them were left out before."""
        for level, message in said:
            if self._may_write():
                log.log(_level(level), "script_message", message=message, **self._keys())
        self._left_out += unsaid

    def warn(self, fault: RecordFault) -> None:
        """Log that the process of the script ended, which the record at fault does not show."""
        if self._may_write():
            keys = self._keys()
            log.warning("script_restarted", reason=fault.reason, detail=fault.detail, **keys)

    def _may_write(self) -> bool:
        now_s = self._clock()
        if now_s - self._begun_s >= PERIOD_S:
            self._begun_s, self._written = now_s, 0
        may = self._written < MOST_MESSAGES
        self._written += may
        self._left_out += not may
        return may

    def _keys(self) -> dict[str, object]:
        """The keys of the next message: those left out before it are told once."""
        left_out, self._left_out = self._left_out, 0
        return {"script": self._script} | ({"left_out": left_out} if left_out else {})


def _level(name: str) -> int:
    return logging.getLevelNamesMapping().get(name.upper(), logging.INFO)
