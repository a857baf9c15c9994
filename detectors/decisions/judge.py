"""Judges a window: its counts become a report, and the report moves the model's episodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from detectors.arrays import Ints
from detectors.changes.base import Change
from detectors.decisions.checks.base import CheckedWindow
from detectors.decisions.compared_season import compared_season, compared_with, with_season
from detectors.decisions.condition_numbers import WindowNumbers
from detectors.decisions.conditions import Verdict, expects_rows, verdict
from detectors.decisions.early_episodes import EarlyState, completed, opened_early, tellable
from detectors.decisions.early_look import budget_of, look
from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.episodes import advance
from detectors.decisions.evidence.embedded import embedded
from detectors.decisions.evidence.joint_evidence import reported_joint
from detectors.decisions.evidence.segment_evidence import evidence_by_segment
from detectors.decisions.evidence.window_evidence import Past, WindowEvidence
from detectors.decisions.feature_reports import feature_reports, features_of, mark_violating
from detectors.decisions.limits import Limits, limits_of
from detectors.decisions.masking import masked, without_extremes
from detectors.decisions.rules import FeatureRules, Rules, rule_values
from detectors.decisions.rulings import Ruling, rule
from detectors.decisions.sagemaker.drift import not_compared
from detectors.decisions.segment_reports import segment_reports
from detectors.decisions.series import SeriesWatch
from detectors.decisions.silence import silence_report
from detectors.decisions.violations import violations_of
from detectors.decisions.window_span import WindowSpan, state_of, status_of
from detectors.early_finding import EarlyFinding
from detectors.phrases import counted
from detectors.profiles.baseline import Baseline, Constraints
from detectors.profiles.profile import Profile
from detectors.report import REPORT_VERSION, FeatureReport, Signal, WindowReport
from detectors.sagemaker.distances import figures, keeps_all_values
from detectors.sagemaker.statistics import statistics
from detectors.schedule_report import SCHEDULE_REPORT_VERSION, ScheduleReport
from detectors.statistics.evidence.early import EProcess
from detectors.statistics.evidence.early_starts import EarlyStarts
from detectors.statistics.measures import measure
from detectors.violation import Violation

MOST_VALUE_BYTES: Final = 1 << 20
"""A report holds the distinct values of its window up to this size, as those of 20 features of
2,048 numbers have it. Those of 200 features would make reports of 4 MB, one each window."""


class Judge:
    """Rules, per-feature rules and change detectors of a job, applied to windows.

    Holds no state of its own. ``features`` and ``changes`` are by model. ``expose_values``: whether
    signals and summaries may name feature values; otherwise the names of bins that stand for one
    value are replaced by ``value #k``. ``generation`` names the beginning of the job, if it is not
    the first: it is part of all ids. ``every_ms`` is the time from one window to the next, without
    it the length of the window.
    """

    def __init__(
        self,
        job: str,
        rules: Rules,
        features: Mapping[str, Mapping[str, FeatureRules]] | None = None,
        changes: Mapping[str, Sequence[Change]] | None = None,
        expose_values: bool = False,
        generation: str = "",
        every_ms: int | None = None,
    ) -> None:
        self.job = job
        self.generation = generation
        self.rules = rules
        self.expose_values = expose_values
        self.every_ms = every_ms
        self._features = features or {}
        self._series = SeriesWatch(changes or {})
        self.expects_rows = expects_rows(rules.conditions)
        """Whether a condition asks for the number of rows that are expected in a window."""

    def limits(self, model: str, constraints: Constraints) -> Limits:
        """The limits of a model whose baseline has these constraints."""
        own = self._features.get(model, {})
        return limits_of(constraints, self.rules, own, self._series.detectors(model))

    def report(
        self,
        span: WindowSpan,
        baseline: Baseline,
        profile: Profile,
        state: EpisodeState,
        history: Past | None = None,
        segments: Past | None = None,
    ) -> WindowReport:
        """The report on one window.

        ``history`` has the windows before it, which are judged together with it in the mode
        ``evidence``; without it the window is judged alone. ``segments``: those of its segments.

        ``profile`` must have the baseline's layout; an empty one gives ``insufficient``. By the
        checks of SageMaker, any other window has a verdict. Only then the report has SageMaker's
        own distances, also if a schedule lets the profile keep values.
        """
        every_ms = self._every_ms(span)
        evidence = self._evidence(span, every_ms, baseline, profile, state, history, segments)
        return self._reported(span, every_ms, baseline, profile, state, evidence)

    def _every_ms(self, span: WindowSpan) -> int:
        """The time from one window to the next."""
        return self.every_ms or span.end_ms - span.start_ms

    def _reported(
        self,
        span: WindowSpan,
        every_ms: int,
        baseline: Baseline,
        profile: Profile,
        state: EpisodeState,
        evidence: WindowEvidence | None,
    ) -> WindowReport:
        """The report on a window with this evidence."""
        compared = compared_with(baseline, span.start_ms, self.rules)
        window = self._checked(
            span, compared, profile, evidence, by_sagemaker=self.rules.is_sagemaker
        )
        season = compared_season(baseline, span.start_ms, self.rules)
        features, violations = self._judged(span, window, state)
        violations = with_season(violations, season)
        conditions = self._conditions(span, window.rows, features, len(violations))
        features = mark_violating(features, features_of(conditions.violations))
        violations += conditions.violations
        segments = segment_reports(window)
        return WindowReport(
            version=REPORT_VERSION,
            id=self.report_id(span, baseline.fingerprint),
            job=self.job,
            model=span.model,
            variant=span.variant,
            start_ms=span.start_ms,
            end_ms=span.end_ms,
            revision=span.revision,
            state=state_of(
                span, window, violates=bool(violations), is_met=bool(conditions.violations)
            ),
            rows=profile.rows,
            baseline=baseline.fingerprint,
            layout=profile.layout.fingerprint,
            limits=self.limits(span.model, baseline.constraints).fingerprint,
            features=features,
            violations=tuple(violations),
            rules=self._rules(window, every_ms),
            notes=(*span.notes, *self._notes(span, window), *conditions.notes),
            pooled=embedded(evidence, violations, segments),
            profile=profile.encode(with_values=self._publishes_values(profile)),
            generation=self.generation,
            expected_rows=span.expected_rows,
            season=season,
            joint=reported_joint(profile.layout, None if evidence is None else evidence.joint),
            segments=segments,
        )

    def remembers(self, report: WindowReport) -> bool:
        """Whether the windows after it are judged together with this one.

        Those are the first reports of judged windows with rows, in the mode ``evidence``.
        """
        of_window = report.rows and report.state in ("ok", "violations", "insufficient")
        return bool(self.rules.by_evidence and of_window and report.revision == 0)

    def scheduled(
        self, span: WindowSpan, schedule_ms: int, baseline: Baseline, profile: Profile
    ) -> ScheduleReport:
        """The report on one period of a schedule, judged as one window without its history.

        It is compared with the whole baseline, since a period may have several seasons.
        ``profile`` must have the baseline's layout, and keep values. One without rows, of records
        that all fit the schema, gives ``NoData``, or ``Incomplete`` where records are missing. The
        report has SageMaker's own distances by any rules.
        """
        empty = not (profile.rows or span.too_narrow or span.too_wide)
        every_ms = span.end_ms - span.start_ms
        window = None
        if not empty:
            whole = baseline.without_seasons
            evidence = self._evidence(span, every_ms, whole, profile, EpisodeState(), None)
            window = self._checked(span, whole, profile, evidence, by_sagemaker=True)
        features, violations = self._judged(span, window, None) if window else ((), [])
        period = f"{span.model}/{span.variant}/{span.start_ms}/{span.end_ms}/{schedule_ms}"
        return ScheduleReport(
            version=SCHEDULE_REPORT_VERSION,
            id=self._id(f"{period}/{baseline.fingerprint}/{span.revision}"),
            job=self.job,
            model=span.model,
            variant=span.variant,
            schedule_ms=schedule_ms,
            start_ms=span.start_ms,
            end_ms=span.end_ms,
            revision=span.revision,
            status=status_of(span, empty, violates=bool(violations)),
            rows=profile.rows,
            baseline=baseline.fingerprint,
            limits=self.limits(span.model, baseline.constraints).fingerprint,
            features=features,
            violations=tuple(violations),
            rules=self._rules(window, every_ms) if window else rule_values(self.rules),
            notes=(*span.notes, *self._notes(span, window)) if window else span.notes,
            statistics=statistics(profile) if profile.rows else None,
            generation=self.generation,
        )

    def silence(self, model: str, variant: str, start_ms: int, end_ms: int | None) -> WindowReport:
        """The report of the start of a model's silence, or of its end.

        ``end_ms`` is ``None`` at the start.
        """
        revision = int(end_ms is not None)
        return silence_report(
            id_=self._id(f"{model}/{variant}/{start_ms}/silence/-/{revision}"),
            job=self.job,
            model=model,
            variant=variant,
            start_ms=start_ms,
            end_ms=end_ms,
            generation=self.generation,
        )

    def report_id(self, span: WindowSpan, fingerprint: str) -> str:
        """``job/model/variant/start_ms/end_ms/baseline/revision``, and the generation if any."""
        window = f"{span.model}/{span.variant}/{span.start_ms}/{span.end_ms}"
        return self._id(f"{window}/{fingerprint}/{span.revision}")

    def _id(self, name: str) -> str:
        return f"{self.job}/{name}" + (f"/{self.generation}" if self.generation else "")

    def advance(
        self, state: EpisodeState, report: WindowReport, baseline: Baseline
    ) -> tuple[EpisodeState, list[Signal]]:
        """The state after a report, and the signals that the report raises.

        See :func:`detectors.decisions.episodes.advance`.
        """
        state = self._series.extend(state, report, baseline)
        shown = report if self.expose_values else masked(report, baseline.layout)
        state, signals = advance(state, shown, self.rules)
        return state, signals if self.expose_values else list(map(without_extremes, signals))

    @property
    def looks_early(self) -> bool:
        """Whether open windows are judged too."""
        return self.rules.by_evidence and self.rules.early

    def look(
        self,
        span: WindowSpan,
        baseline: Baseline,
        process: EProcess,
        tallies: Ints,
        starts: EarlyStarts,
    ) -> tuple[EarlyFinding, ...]:
        """What the rows of an open window so far are evidence of; see :func:`look`.

        ``process``: the e-values of the baseline, see :func:`.early_look.process_of`.
        """
        own = self._features.get(span.model, {})
        budget = budget_of(baseline, self.rules, own, span.end_ms - span.start_ms)
        return look(process, tallies, starts, *budget)

    def open_early(
        self,
        span: WindowSpan,
        baseline: Baseline,
        profile: Profile,
        found: Sequence[EarlyFinding],
        episodes: EpisodeState,
        early: EarlyState,
    ) -> tuple[EarlyState, list[Signal]]:
        """The state after a look that found something, and the signal that it raises, if any.

        See :mod:`detectors.decisions.early_episodes`.
        """
        told = tellable(early, episodes, found)
        if not told:
            return early, []
        report = self.report(span, baseline, profile, EpisodeState())
        compared = compared_with(baseline, span.start_ms, self.rules)
        window = self._checked(
            span, compared, profile, None, by_sagemaker=False, rules_on_all=False
        )
        report = completed(report, window, told)
        shown = report if self.expose_values else masked(report, baseline.layout)
        early, signals = opened_early(early, shown, told, self.rules)
        return early, signals if self.expose_values else list(map(without_extremes, signals))

    def _publishes_values(self, profile: Profile) -> bool:
        return self.rules.is_sagemaker and profile.values_nbytes <= MOST_VALUE_BYTES

    def _evidence(
        self,
        span: WindowSpan,
        every_ms: int,
        baseline: Baseline,
        profile: Profile,
        state: EpisodeState,
        past: Past | None,
        past_segments: Past | None = None,
        *,
        screened: bool = False,
    ) -> WindowEvidence | None:
        """The evidence on a window; ``None`` in other modes.

        ``screened``: where no finding holds, they need not be exact.
        """
        if not self.rules.by_evidence:
            return None
        return evidence_by_segment(
            baseline=baseline,
            profile=profile,
            rules=self.rules,
            feature_rules=self._features.get(span.model, {}),
            start_ms=span.start_ms,
            length_ms=span.end_ms - span.start_ms,
            every_ms=every_ms,
            past=past,
            past_segments=past_segments,
            memory=state.memory,
            screened=screened,
        )

    def _checked(
        self,
        span: WindowSpan,
        baseline: Baseline,
        profile: Profile,
        evidence: WindowEvidence | None,
        *,
        by_sagemaker: bool,
        rules_on_all: bool = True,
    ) -> CheckedWindow:
        """The window with its rulings; ``by_sagemaker``: and with SageMaker's own distances.

        Those need the values of every row. ``rules_on_all``: with a ruling on each feature.
        """
        measures = measure(baseline, profile)
        compared = by_sagemaker and keeps_all_values(profile)
        feature_rules = self._features.get(span.model, {})
        rulings: Sequence[Ruling] = ()
        if rules_on_all:
            rulings = rule(
                rules=self.rules,
                feature_rules=feature_rules,
                constraints=baseline.constraints,
                measures=measures,
                rows=profile.rows,
            )
        return CheckedWindow(
            baseline=baseline,
            measures=measures,
            rulings=rulings,
            rules=self.rules,
            feature_rules=feature_rules,
            rows=profile.rows,
            too_narrow=span.too_narrow,
            too_wide=span.too_wide,
            expose_values=self.expose_values,
            sagemaker=figures(baseline, profile) if compared else (),
            evidence=evidence,
        )

    def _judged(
        self, span: WindowSpan, window: CheckedWindow, state: EpisodeState | None
    ) -> tuple[tuple[FeatureReport, ...], list[Violation]]:
        """The reports of the features, and all violations.

        Change detectors judge the first revision of a window with enough rows, by the windows
        before it in ``state``; without it they do not.
        """
        violations = violations_of(window)
        features = feature_reports(
            window.measures,
            window.rulings,
            features_of(violations),
            window.baseline.constraints,
            window.sagemaker,
            window.evidence,
        )
        if state and span.revision == 0 and state_of(span, window, violates=False) == "ok":
            changed = self._series.violations(span.model, features, window.baseline, state)
            features = mark_violating(features, features_of(changed))
            violations += changed
        return features, violations

    def _conditions(
        self, span: WindowSpan, rows: int, features: tuple[FeatureReport, ...], violations: int
    ) -> Verdict:
        """What the conditions say of a window; nothing where its numbers are not those of all rows.

        That is an incomplete window, and one while the baseline is learned.
        """
        if not self.rules.conditions or span.incomplete or span.learning:
            return Verdict()
        of_window = {"rows": rows, "expected_rows": span.expected_rows, "violations": violations}
        numbers = WindowNumbers(of_window, {feature.name: feature for feature in features})
        texts = self.rules.conditions
        return verdict(texts, numbers, rows, expose_values=self.expose_values)

    def _rules(self, window: CheckedWindow, every_ms: int) -> dict[str, float | int | str]:
        values = {**rule_values(self.rules), "judged_features": window.judged_features}
        return values | {"every_ms": every_ms} if self.rules.by_evidence else values

    def _notes(self, span: WindowSpan, window: CheckedWindow) -> list[str]:
        """What limits the verdict: how many rows the window lacks, or what was not compared."""
        if self.rules.is_sagemaker:
            return not_compared(window)
        if state_of(span, window, violates=False) != "insufficient":
            return [] if window.evidence is None else window.evidence.notes
        rows = window.rows + span.too_narrow + span.too_wide
        if self.rules.by_evidence:
            return ["no rows"]
        return [f"{counted(rows, 'row')}, fewer than the {self.rules.min_n:,} of rules.min_n"]
