"""Applies the conditions of a job to windows without any event."""

from __future__ import annotations

from typing import Final

from detectors.decisions.compared_season import compared_season
from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.episodes import cooldown_after
from detectors.decisions.judge import Judge
from detectors.decisions.window_span import WindowSpan
from detectors.profiles.baseline import Baseline
from detectors.profiles.profile import Profile
from detectors.report import WindowReport

MOST_KNOWN: Final = 1_000
"""The number of verdicts that are kept."""


class EmptyWindows:
    """Judges windows without any event by the conditions that can be evaluated without rows.

    The verdict on such a window depends on its model, the season, and the rows that were expected
    in it, so that most are known from windows before.
    """

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._met: dict[tuple[object, ...], frozenset[str]] = {}
        self.are_judged = bool(judge.rules.conditions)
        """Whether the job has conditions at all."""

    def report(
        self, span: WindowSpan, baseline: Baseline, episodes: EpisodeState
    ) -> WindowReport | None:
        """The report on a window without any event, ``None`` where it tells nothing new.

        It does if a condition is met, and the open episode has not told that within the cool-down.
        Incomplete windows and those of a model that learns its baseline meet none.
        """
        if span.incomplete or span.learning:
            return None
        met = self._known(span, baseline)
        if not met or self._is_told(met, span, episodes):
            return None
        return self._reported(span, baseline)

    def _known(self, span: WindowSpan, baseline: Baseline) -> frozenset[str]:
        """The features of the conditions that are met."""
        season = compared_season(baseline, span.start_ms, self._judge.rules)
        key = (
            *(span.model, baseline.fingerprint, span.expected_rows),
            *(() if season is None else (season.version, season.name)),
        )
        if key not in self._met:
            if len(self._met) >= MOST_KNOWN:
                self._met.clear()
            violations = self._reported(span, baseline).violations
            self._met[key] = frozenset(violation.key for violation in violations)
        return self._met[key]

    def _is_told(self, met: frozenset[str], span: WindowSpan, episodes: EpisodeState) -> bool:
        """Whether the open episode has signalled what is met, and no reminder is due."""
        episode = episodes.open
        if episode is None or not met <= set(episode.features):
            return False
        cooldown_ms = cooldown_after(span.end_ms - span.start_ms, self._judge.rules)
        return span.end_ms - episode.last_signal_ms < cooldown_ms

    def _reported(self, span: WindowSpan, baseline: Baseline) -> WindowReport:
        return self._judge.report(span, baseline, Profile(baseline.layout), EpisodeState())
