"""The pace of requests that cost money: a few a minute, and some at once after a pause."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """Grants ``per_minute`` requests a minute on average, and up to ``at_once`` after a pause.

    >>> pace = Pace(per_minute=6, at_once=2, clock=lambda: 0.0)
    >>> pace.wait_s(), pace.wait_s(), pace.wait_s()
    (0.0, 0.0, 10.0)
    """

    def __init__(
        self, per_minute: float, at_once: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_s = per_minute / 60.0
        self._at_once = at_once
        self._clock = clock
        self._room = float(at_once)
        self._last_s = clock()

    def wait_s(self) -> float:
        """Take the next request, and return the seconds to wait before it is sent."""
        now_s = self._clock()
        self._room = min(self._room + (now_s - self._last_s) * self._per_s, self._at_once)
        self._last_s = now_s
        self._room -= 1.0
        return max(-self._room, 0.0) / self._per_s
