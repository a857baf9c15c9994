"""The times without events of each model: their reports, and the windows that lie in them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from detectors.decisions.judge import Judge
from stream.aggregation.state import JobState
from stream.event_time import JobSettings
from stream.events import ModelKey, Output

MOST_JUDGED: Final = 10_000
"""The number of windows of one silence that conditions are applied to: a week of minutes. So a gap
of years in a file takes a second, and a model that has gone is not told forever."""


class Silences:
    """Finds the silences of each model and variant. A silence is at least one window without an
    event, after the model's first.
    """

    def __init__(self, settings: JobSettings, judge: Judge, state: JobState) -> None:
        self._settings = settings
        self._judge = judge
        self._state = state

    def ends(
        self, key: ModelKey, starts: Collection[int], closed: int | None, until_ms: int | None
    ) -> list[int]:
        """Return the ends after ``closed`` of windows without any event, in order of time.

        Those up to ``until_ms``; without it those before the last event. ``starts`` are the panes
        that have events. Of each silence at most ``MOST_JUDGED`` windows are among them.
        """
        active_until_ms = self._state.key_state(key).active_until_ms
        if active_until_ms is None:
            return []
        every_ms = self._settings.every_ms
        known = sorted(start for start in starts if start >= active_until_ms)
        begins = [active_until_ms, *(start + every_ms for start in known)]
        stops = known if until_ms is None else [*known, until_ms]
        ends: list[int] = []
        for begin, stop in zip(begins, stops, strict=False):
            first = begin + self._settings.window_ms
            last = min(stop, first + (MOST_JUDGED - 1) * every_ms)
            last = last if until_ms is None else min(last, until_ms)
            from_ms = first if closed is None else max(first, closed + every_ms)
            ends += range(from_ms, last + 1, every_ms)
        return ends

    def report(
        self, key: ModelKey, starts: Collection[int], until_ms: int | None = None
    ) -> list[Output]:
        """Report silences that begin or end before ``until_ms``, by default the last event."""
        state = self._state.key_state(key)
        if state.active_until_ms is None or (until_ms is None and not starts):
            return []
        every_ms = self._settings.every_ms
        boundary = max(starts) + every_ms if until_ms is None else until_ms
        outputs: list[Output] = []
        for start in sorted(start for start in starts if state.active_until_ms <= start < boundary):
            outputs += self._begin(key, start)
            if state.silent_ms is not None:
                outputs.append(self._judge.silence(*key, state.silent_ms, start))
                state.silent_ms = None
            state.active_until_ms = start + every_ms
        return [*outputs, *self._begin(key, boundary)]

    def _begin(self, key: ModelKey, until_ms: int) -> list[Output]:
        """Report the start of a silence if no event came for one window up to ``until_ms``."""
        state = self._state.key_state(key)
        if state.active_until_ms is None or state.silent_ms is not None:
            return []
        if until_ms - state.active_until_ms < self._settings.window_ms:
            return []
        state.silent_ms = state.active_until_ms
        return [self._judge.silence(*key, state.silent_ms, None)]
