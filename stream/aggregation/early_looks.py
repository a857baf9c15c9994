"""Looks into open windows: at each tick, those whose counts have changed since are judged."""

from __future__ import annotations

from typing import Final

import numpy as np

from detectors.arrays import Ints
from detectors.decisions.early_episodes import is_open
from detectors.decisions.early_look import process_of
from detectors.decisions.evidence.window_evidence import factor_of_stream
from detectors.decisions.judge import Judge
from detectors.decisions.window_span import WindowSpan
from detectors.early_finding import EarlyFinding
from detectors.profiles.baseline import Baseline
from detectors.profiles.profile import Profile
from detectors.report import Signal
from detectors.statistics.evidence.early import EProcess
from detectors.statistics.evidence.early_starts import EarlyStarts
from stream.aggregation.closing import WindowCloser
from stream.aggregation.state import JobState
from stream.event_time import JobSettings
from stream.events import ModelKey, Output

LOOK_MS: Final = 1_000
"""The least time between two looks into a window; a tenth of windows of less than ten seconds."""
MOST_TALLIES: Final = 150_000
"""The largest number of tallies that are judged for each tick, about 10 ms of each half second: in
a larger job the windows take turns, and wait longer than a second."""
OF_A_LOOK: Final = 2_500
"""The tallies that could be judged in the time that a look takes beside its own."""
Window = tuple[ModelKey, int]
"""A model and variant, and the end of a window."""


class OpenWindow:
    """The tallies of an open window, in all and since earlier looks; derived from its panes.

    Nothing of it is in the state: after a restart, rows are judged since the start of the window
    and since later looks. So they are when the baseline has got seasons since.
    """

    def __init__(
        self, baseline: Baseline, process: EProcess, start_ms: int, most_looks: int
    ) -> None:
        self.baseline = baseline
        self.process = process
        self.layout = layout = process.layout
        self.starts = EarlyStarts(start_ms, layout.size, most_looks)
        self._panes: dict[int, Ints] = {}
        self.tallies: Ints = np.zeros(layout.size, np.int64)
        self.looked_ms: int | None = None

    def take(self, pane_ms: int, profile: Profile) -> None:
        """Replace the tallies of a pane by those of its counts."""
        tallies = self.layout.tallies(profile.counts)
        before = self._panes.get(pane_ms)
        self.tallies = self.tallies + (tallies if before is None else tallies - before)
        self._panes[pane_ms] = tallies

    @property
    def cost(self) -> int:
        """The number of tallies that one look judges, and those that stand for its own time."""
        return len(self.starts) * self.layout.size + OF_A_LOOK


class EarlyLooks:
    """The part of the aggregator that judges open windows; it shares the aggregator's state.

    Each row is in one judged window: of windows that overlap, only those that begin at a multiple
    of their length are looked into. When looks come depends on the clock, and so do the signals
    that they raise; reports, and the episodes of closed windows, do not depend on them. Windows
    that are over by the clock are not looked into, so that a past that is read again gives the same
    signals.
    """

    def __init__(
        self, settings: JobSettings, judge: Judge, state: JobState, windows: WindowCloser
    ) -> None:
        self._settings = settings
        self._judge = judge
        self._state = state
        self._windows = windows
        self._every_ms = max(min(LOOK_MS, settings.window_ms // 10), 1)
        self._credit = 0
        self._changed: dict[Window, set[int]] = {}
        self._open: dict[Window, OpenWindow] = {}

    def touch(self, key: ModelKey, pane_ms: int) -> None:
        """Note that the counts of a pane have changed."""
        if self._judge.looks_early:
            length_ms = self._settings.window_ms
            end_ms = pane_ms // length_ms * length_ms + length_ms
            self._changed.setdefault((key, end_ms), set()).add(pane_ms)

    def look(self, now_ms: int) -> list[Output]:
        """Judge the open windows that have changed, those that wait longest first."""
        self._forget_closed()
        outputs: list[Output] = []
        self._credit = min(self._credit + MOST_TALLIES, MOST_TALLIES)
        for window in [window for window in self._changed if self._is_due(window, now_ms)]:
            if self._credit <= 0:
                break
            outputs += self._look_into(window, self._changed.pop(window), now_ms)
            self._credit -= self._open[window].cost if window in self._open else 0
        return outputs

    def _is_due(self, window: Window, now_ms: int) -> bool:
        if self._is_over(window[1], now_ms):
            return False
        opened = self._open.get(window)
        looked_ms = None if opened is None else opened.looked_ms
        return looked_ms is None or not looked_ms <= now_ms < looked_ms + self._every_ms

    def _is_over(self, end_ms: int, now_ms: int) -> bool:
        """Whether a window is over by the clock, so that its report follows soon anyway."""
        return end_ms + self._settings.grace_ms <= now_ms

    def forget(self, model: str) -> None:
        """Forget the open windows of a model, whose panes are dropped."""
        for windows in (self._changed, self._open):
            for window in [window for window in windows if window[0].model == model]:
                del windows[window]

    def _forget_closed(self) -> None:
        closed_ms = self._state.closed_ms
        if closed_ms is None:
            return
        for windows in (self._changed, self._open):
            for window in [window for window in windows if window[1] <= closed_ms]:
                del windows[window]

    def _look_into(self, window: Window, panes: set[int], now_ms: int) -> list[Output]:
        key, end_ms = window
        span = self._windows.span(key, end_ms)
        state = self._state.key_state(key)
        if is_open(state.early, state.episodes) or span.incomplete or span.learning:
            self._open.pop(window, None)
            return []
        opened = self._opened(window, panes)
        baseline = self._windows.baselines[key.model]
        found = self._found(key, span, opened)
        signals: list[Signal] = []
        if found:
            profile = self._windows.sum(key, end_ms)
            state.early, signals = self._judge.open_early(
                span, baseline, profile, found, state.episodes, state.early
            )
        opened.looked_ms = now_ms
        opened.starts.add(now_ms, opened.tallies)
        return [*signals]

    def _found(
        self, key: ModelKey, span: WindowSpan, opened: OpenWindow
    ) -> tuple[EarlyFinding, ...]:
        """What the rows of an open window are evidence of, also if they depend on each other as far
        as the first windows of a stream, and this one so far, show.
        """
        baseline, start_ms = opened.baseline, span.start_ms
        found = self._judge.look(span, baseline, opened.process, opened.tallies, opened.starts)
        if not found:
            return found
        history = self._windows.history(key, baseline, start_ms)
        factor = factor_of_stream(baseline, history, start_ms, opened.tallies)
        if not (factor > opened.process.factor).any():
            return found
        dependent = process_of(baseline, factor, start_ms, span.end_ms - start_ms)
        return self._judge.look(span, baseline, dependent, opened.tallies, opened.starts)

    def _opened(self, window: Window, changed: set[int]) -> OpenWindow:
        """The window with its changed panes; all of its panes, if it is seen for the first time or
        compared with another baseline than before.
        """
        key, end_ms = window
        length_ms = self._settings.window_ms
        opened, baseline = self._open.get(window), self._windows.baselines[key.model]
        if opened is None or opened.baseline is not baseline:
            start_ms = end_ms - length_ms
            history = self._windows.history(key, baseline, start_ms)
            factor = factor_of_stream(baseline, history, start_ms)
            process = process_of(baseline, factor, start_ms, length_ms)
            most_looks = length_ms // self._every_ms
            opened = self._open[window] = OpenWindow(baseline, process, start_ms, most_looks)
            held = self._windows.held(key)
            changed = {start for start in held if end_ms - length_ms <= start < end_ms}
        for pane_ms in sorted(changed):
            profile = self._windows.profile(key, pane_ms)
            if profile is not None:
                opened.take(pane_ms, profile)
        return opened
