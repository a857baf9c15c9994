"""Judges many windows again: a report has its numbers only where something in it violates."""

from __future__ import annotations

from detectors.decisions.compared_season import compared_with
from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.evidence.window_evidence import Past, WindowEvidence
from detectors.decisions.judge import Judge
from detectors.decisions.quiet import is_quiet
from detectors.decisions.window_span import WindowSpan, state_of
from detectors.profiles.baseline import Baseline
from detectors.profiles.profile import Profile
from detectors.report import REPORT_VERSION, State, WindowReport


class BriefJudge(Judge):
    """A judge whose reports on quiet windows have no numbers, in a third of the time."""

    def report(
        self,
        span: WindowSpan,
        baseline: Baseline,
        profile: Profile,
        state: EpisodeState,
        history: Past | None = None,
        segments: Past | None = None,
    ) -> WindowReport:
        """The report on one window, without its numbers and counts where nothing in it violates.

        State, violations and what follows for the episodes are those of :meth:`Judge.report`.
        """
        every_ms = self._every_ms(span)
        pasts = history, segments
        screened = self._evidence(span, every_ms, baseline, profile, state, *pasts, screened=True)
        quiet_state = self._quiet_state(span, baseline, profile, screened)
        if not quiet_state:
            evidence = self._evidence(span, every_ms, baseline, profile, state, *pasts)
            return self._reported(span, every_ms, baseline, profile, state, evidence)
        return WindowReport(
            version=REPORT_VERSION,
            id=self.report_id(span, baseline.fingerprint),
            job=self.job,
            model=span.model,
            variant=span.variant,
            start_ms=span.start_ms,
            end_ms=span.end_ms,
            revision=span.revision,
            state=quiet_state,
            rows=profile.rows,
            baseline=baseline.fingerprint,
            layout=profile.layout.fingerprint,
            generation=self.generation,
            expected_rows=span.expected_rows,
        )

    def _quiet_state(
        self,
        span: WindowSpan,
        baseline: Baseline,
        profile: Profile,
        evidence: WindowEvidence | None,
    ) -> State | None:
        """The state of a window in which nothing violates; ``None`` where something may."""
        rules = self.rules
        if rules.conditions or rules.is_sagemaker or self._series.detectors(span.model):
            return None
        compared = compared_with(baseline, span.start_ms, self.rules)
        window = self._checked(
            span, compared, profile, evidence, by_sagemaker=False, rules_on_all=evidence is None
        )
        found = state_of(span, window, violates=False)
        is_judged = found in ("ok", "incomplete", "learning")
        return found if is_judged and is_quiet(window) else None
