"""Faults that are planted into the judgement of windows without any event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from detectors.decisions.empty_windows import EmptyWindows
from stream.aggregation.closing import WindowCloser
from stream.aggregation.silences import Silences
from stream.events import ModelKey

Patch = pytest.MonkeyPatch


def empty_windows_are_judged_last(patch: Patch) -> None:
    due = WindowCloser._due

    def empty_last(self: WindowCloser, *args: Any, **kwargs: Any) -> list[tuple[int, ModelKey]]:
        found = due(self, *args, **kwargs)
        return sorted(found, key=lambda each: not self.sum(each[1], each[0]).rows)

    patch.setattr(WindowCloser, "_due", empty_last)


def judges_no_window_of_a_known_silence(patch: Patch) -> None:
    ends = Silences.ends

    def of_new_silences(self: Silences, key: ModelKey, *args: Any) -> list[int]:
        is_known = self._state.key_state(key).silent_ms is not None
        return [] if is_known else ends(self, key, *args)

    patch.setattr(Silences, "ends", of_new_silences)


def judges_windows_before_the_first_event(patch: Patch) -> None:
    ends = Silences.ends

    def of_all_times(
        self: Silences, key: ModelKey, starts: Any, closed: int | None, *args: Any
    ) -> list[int]:
        state = self._state.key_state(key)
        active_until_ms, state.active_until_ms = state.active_until_ms, 0
        found = ends(self, key, starts, closed, *args)
        state.active_until_ms = active_until_ms
        return found

    patch.setattr(Silences, "ends", of_all_times)


def tells_missing_rows_in_each_window(patch: Patch) -> None:
    patch.setattr(EmptyWindows, "_is_told", lambda self, met, span, episodes: False)


OF_SILENCES: dict[str, Callable[[Patch], None]] = {
    "windows without events are judged after all others": empty_windows_are_judged_last,
    "windows of a silence that was reported are not judged": judges_no_window_of_a_known_silence,
    "windows before the first event are judged": judges_windows_before_the_first_event,
    "missing rows are told in each window": tells_missing_rows_in_each_window,
}
