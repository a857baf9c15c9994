"""Limits how often a log event of one kind is logged."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable


class Throttle:
    """Lets each key pass at most once in ``every_s`` seconds of ``clock``, the first time always.

    >>> throttle = Throttle(30.0, clock=lambda: 0.0)
    >>> throttle.due("timeout"), throttle.due("timeout"), throttle.due("refused")
    (True, False, True)
    """

    def __init__(self, every_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s
        self._clock = clock
        self._last_s: dict[Hashable, float] = {}

    def due(self, key: Hashable) -> bool:
        """Return whether ``key`` may pass now, and if so count it as passed."""
        now = self._clock()
        last = self._last_s.get(key)
        if last is not None and now - last < self._every_s:
            return False
        self._last_s[key] = now
        return True
