"""Judges past windows again by some rules, and collects the signals that they raise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import msgspec

from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.traffic import TrafficMemory, expected_rows, observed
from detectors.decisions.window_span import WindowSpan
from detectors.profiles.baseline import Baseline
from detectors.profiles.profile import Profile
from detectors.report import Signal, WindowReport
from detectors.statistics.evidence.running_history import RunningHistory
from detectors.statistics.evidence.tallies import tally_layout
from stream.commands.backtest.past_windows import (
    KnownBaselines,
    PastReport,
    PastWindows,
    readable,
)
from stream.events import ModelKey

Advance = Callable[[], None]
"""Called after each window."""


class JudgedPast(msgspec.Struct, frozen=True, kw_only=True):
    """One window as it is judged now: its span, rows and state, and what violates."""

    key: ModelKey
    start_ms: int
    end_ms: int
    rows: int
    state: str
    features: tuple[str, ...]


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """All windows in order of time of each model and variant, and the signals in order of time."""

    windows: tuple[JudgedPast, ...]
    signals: tuple[Signal, ...]

    @property
    def raised(self) -> list[Signal]:
        """The signals that tell something new: an episode that opens, or that worsens."""
        return [signal for signal in self.signals if signal.kind in ("opened", "worsened")]

    @property
    def span_ms(self) -> tuple[int, int]:
        """From the start of the first window to the end of the last one."""
        starts = (window.start_ms for window in self.windows)
        ends = (window.end_ms for window in self.windows)
        return min(starts, default=0), max(ends, default=0)


class _Series:
    """One model and variant: what is remembered from one window to the next."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._state = EpisodeState()
        self._history: RunningHistory | None = None
        self._segments: RunningHistory | None = None
        self._traffic = TrafficMemory()
        self._baseline = ""

    def judge(
        self, past: PastReport, baseline: Baseline, profile: Profile
    ) -> tuple[WindowReport, list[Signal]]:
        """The report on the next window, and its signals."""
        if self._baseline not in ("", past.baseline):
            self._begin_anew()
        self._baseline = past.baseline
        if self._history is None:
            self._history = RunningHistory(tally_layout(baseline))
        if self._segments is None and baseline.by_segment is not None:
            self._segments = RunningHistory(tally_layout(baseline.by_segment))
        pasts = self._history, self._segments
        report = self._judge.report(self._span(past), baseline, profile, self._state, *pasts)
        if self._judge.remembers(report):
            for each in filter(None, pasts):
                each.add_judged(past.start_ms, past.end_ms or 0)
        if report.state not in ("incomplete", "learning"):
            self._traffic = observed(self._traffic, past.start_ms, past.end_ms or 0, past.rows)
        self._state, signals = self._judge.advance(self._state, report, baseline)
        return report, signals

    def _begin_anew(self) -> None:
        """Forget what was counted by another baseline, as a job does; an open episode stays."""
        self._history = None
        self._segments = None
        self._state = EpisodeState(open=self._state.open, signalled=self._state.signalled)

    def _span(self, past: PastReport) -> WindowSpan:
        end_ms = past.end_ms or 0
        return WindowSpan(
            model=past.model,
            variant=past.variant,
            start_ms=past.start_ms,
            end_ms=end_ms,
            incomplete=past.state == "incomplete",
            learning=past.state == "learning",
            expected_rows=expected_rows(self._traffic, past.start_ms, end_ms),
        )


def judged_again(
    windows: PastWindows,
    baselines: KnownBaselines,
    judge: Judge,
    problems: Counter[str],
    advance: Advance,
) -> Backtest:
    """Return all windows as the judge sees them now, each by its counts and the windows before it.

    Each is judged as when it was first reported. ``problems`` takes what cannot be read, in
    sentences.
    """
    judged: list[JudgedPast] = []
    signals: list[Signal] = []
    for key, reports in windows.of.items():
        series = _Series(judge)
        for past, baseline, profile in readable(_each(reports, advance), baselines, problems):
            report, raised = series.judge(past, baseline, profile)
            judged.append(_past(key, report))
            signals += raised
    return Backtest(
        windows=tuple(judged), signals=tuple(sorted(signals, key=lambda signal: signal.end_ms))
    )


def _each(reports: Iterable[PastReport], advance: Advance) -> Iterator[PastReport]:
    for report in reports:
        advance()
        yield report


def _past(key: ModelKey, report: WindowReport) -> JudgedPast:
    return JudgedPast(
        key=key,
        start_ms=report.start_ms,
        end_ms=report.end_ms or 0,
        rows=report.rows,
        state=report.state,
        features=tuple(dict.fromkeys(violation.key for violation in report.violations)),
    )
