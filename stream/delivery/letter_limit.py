"""Limits the number of dead letters that are kept; the ledger counts all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stream.events import DeadLetters, Output

BURST_S: Final = 10.0
"""The time whose letters may be kept at once."""


class LetterLimit:
    """Keeps ``most_per_s`` dead letters a second, on average over ten seconds (a token bucket).

    A flood of malformed records would otherwise fill the disk and the outbox. Times are monotonic
    seconds, given by the caller; the first ten seconds' letters are allowed at once.
    """

    def __init__(self, most_per_s: int) -> None:
        self._most_per_s = most_per_s
        self._room = self._most = most_per_s * BURST_S
        self._last_s: float | None = None

    def kept(self, outputs: Sequence[Output], now_s: float) -> tuple[list[Output], int]:
        """Return the outputs without the letters beyond the limit, and the number left out."""
        since_s = 0.0 if self._last_s is None else now_s - self._last_s
        self._room = min(self._room + since_s * self._most_per_s, self._most)
        self._last_s = now_s
        limited = [
            self._limited(output) if isinstance(output, DeadLetters) else output
            for output in outputs
        ]
        left_out = sum(output.left_out for output in limited if isinstance(output, DeadLetters))
        return limited, left_out

    def _limited(self, letters: DeadLetters) -> DeadLetters:
        room = int(self._room)
        kept = letters.letters[:room]
        self._room -= len(kept)
        return DeadLetters(kept, len(letters.letters) - len(kept))
