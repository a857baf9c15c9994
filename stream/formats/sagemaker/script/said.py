"""Collects what a script logs and prints, for the log of the service."""

from __future__ import annotations

import io
import logging
import sys
from typing import Final

MOST_MESSAGES: Final = 20
"""The largest number of messages that are kept of one chunk of records."""
LONGEST_MESSAGE: Final = 500


class Said(logging.Handler):
    """The messages of a script since they were last taken."""

    def __init__(self) -> None:
        super().__init__()
        self._messages: list[tuple[str, str]] = []
        self._left_out = 0

    def listen(self) -> logging.Logger:
        """Take over ``logging``, ``print`` and stderr, and return the logger of the script."""
        logging.raiseExceptions = False
        root = logging.getLogger()
        root.handlers = [self]
        root.setLevel(logging.INFO)
        sys.stdout = _Lines(self, "info")
        sys.stderr = _Lines(self, "warning")
        return logging.getLogger("preprocess")

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message of ``logging``."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001  # of the values' own code
            message = str(record.msg)
        self.add("critical" if record.levelno >= 50 else record.levelname.lower(), message)

    def add(self, level: str, message: str) -> None:
        """Keep a message, unless there are too many."""
        if len(self._messages) < MOST_MESSAGES:
            text = message[:LONGEST_MESSAGE].encode("utf-8", "backslashreplace").decode()
            self._messages.append((level, text))
        else:
            self._left_out += 1

    def take(self) -> tuple[list[tuple[str, str]], int]:
        """Return the messages, and the number of those left out; forget both."""
        taken = self._messages, self._left_out
        self._messages, self._left_out = [], 0
        return taken


class _Lines(io.TextIOBase):
    """A text stream whose lines are messages."""

    def __init__(self, said: Said, level: str) -> None:
        self._said, self._level = said, level
        self._begun = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        """Keep the lines that are complete."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            if line.strip():
                self._said.add(self._level, line)
        self._begun = self._begun[:LONGEST_MESSAGE]
        return len(text)
