"""driftline on a stream of windows, through the judge that the service calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple

from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.rules import Rules
from detectors.decisions.window_span import WindowSpan
from detectors.profiles.baseline import Baseline
from detectors.profiles.profile import Profile
from detectors.report import Signal, WindowReport
from detectors.statistics.evidence.horizons import History, PastWindow
from detectors.statistics.evidence.tallies import tally_layout
from detectors.violation import Violation

MINUTE_MS: Final = 60_000
Mode = Literal["threshold", "evidence"]
MODES: Final[tuple[Mode, ...]] = ("threshold", "evidence")


def rules(mode: Mode, of_features: int = 1) -> Rules:
    """The rules of a mode, with the budget of one of ``of_features`` features that share it."""
    default = Rules()
    if mode == "evidence":
        return Rules(mode="evidence", false_alarms=f"1 per {30 * of_features}d")
    return Rules(
        mode="threshold",
        alpha=default.alpha / of_features,
        overwhelming_alpha=default.overwhelming_alpha / of_features,
    )


class WindowVerdict(NamedTuple):
    """What driftline says of one window: its violations, and the signals that are sent."""

    violations: tuple[Violation, ...]
    signals: tuple[Signal, ...]


class Stream:
    """Windows of one model, judged one after another, each right after the one before.

    ``window_ms``: their length. ``first_window``: the number of windows since midnight at which
    they begin.
    """

    def __init__(
        self,
        baseline: Baseline,
        rules: Rules,
        first_window: int = 0,
        window_ms: int = MINUTE_MS,
    ) -> None:
        self._baseline = baseline
        self._judge = Judge("bench", rules)
        self._state = EpisodeState()
        self._history = History()
        self._windows = first_window
        self._window_ms = window_ms

    def judge(self, profile: Profile) -> WindowVerdict:
        """Judge the next window."""
        report, signals = self.report(profile)
        return WindowVerdict(report.violations, tuple(signals))

    def report(self, profile: Profile) -> tuple[WindowReport, list[Signal]]:
        """The report on the next window, and its signals."""
        start_ms = self._windows * self._window_ms
        end_ms = start_ms + self._window_ms
        self._windows += 1
        span = WindowSpan(model="m", variant="v", start_ms=start_ms, end_ms=end_ms)
        report = self._judge.report(span, self._baseline, profile, self._state, self._history)
        if self._judge.remembers(report):
            tallies = tally_layout(self._baseline).tallies(profile.counts)
            self._history.add(PastWindow(span.start_ms, span.end_ms, tallies))
        self._state, signals = self._judge.advance(self._state, report, self._baseline)
        return report, signals

    def judged(self, profiles: Iterable[Profile]) -> Iterator[WindowVerdict]:
        """The verdicts on windows, in their order."""
        return map(self.judge, profiles)
