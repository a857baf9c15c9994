"""A window's counts become a report, and a report moves the episodes of its model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

import msgspec

from detectors.changes.base import MOST_VALUES, Change
from detectors.decisions.checks import Checks, columns_violations
from detectors.decisions.episodes import EpisodeState, advance
from detectors.decisions.feature_reports import feature_reports, mark_violating
from detectors.decisions.limits import Limits, limits_of
from detectors.decisions.masking import masked
from detectors.decisions.rules import FeatureRules, Rules, rule, rule_values
from detectors.profiles.baseline import Baseline, Constraints
from detectors.profiles.profile import Profile
from detectors.report import REPORT_VERSION, FeatureReport, Signal, State, Violation, WindowReport
from detectors.statistics.measures import measure


class WindowSpan(msgspec.Struct, frozen=True):
    """Which window of which model: ``[start_ms, end_ms)``, its revision, and what is known about it
    beside its counts.

    ``incomplete``: a gap or a change of layout lies in it; ``learning``: the model has no full
    baseline yet; ``too_narrow`` and ``too_wide``: records with too few or too many columns. ``notes`` are
    passed on to the report.
    """

    model: str
    variant: str
    start_ms: int
    end_ms: int
    revision: int = 0
    incomplete: bool = False
    learning: bool = False
    too_narrow: int = 0
    too_wide: int = 0
    notes: tuple[str, ...] = ()


class Judge:
    """Rules, per-feature rules and change detectors of a job, applied to windows. Holds no state of
    its own.

    ``features`` and ``changes`` are by model. ``expose_values``: whether signals may name feature
    values; otherwise the names of bins that stand for one value are replaced by ``value #k``.
    """

    def __init__(
        self,
        job: str,
        rules: Rules,
        features: Mapping[str, Mapping[str, FeatureRules]] | None = None,
        changes: Mapping[str, Sequence[Change]] | None = None,
        expose_values: bool = False,
    ) -> None:
        self.job, self.rules, self.expose_values = job, rules, expose_values
        self._features, self._changes = features or {}, changes or {}

    def limits(self, model: str, constraints: Constraints) -> Limits:
        """The limits of a model whose baseline has these constraints."""
        own, changes = self._features.get(model, {}), self._changes.get(model, ())
        return limits_of(constraints, self.rules, own, changes)

    def report(
        self, span: WindowSpan, baseline: Baseline, profile: Profile, state: EpisodeState
    ) -> WindowReport:
        """The report on one window. ``profile`` must have the baseline's layout; an empty one gives
        ``insufficient``.
        """
        measures = measure(baseline, profile)
        own = self._features.get(span.model, {})
        rulings = rule(self.rules, own, baseline.constraints, measures, profile.rows)
        violations = Checks(baseline, measures, rulings, self.rules, own).run()
        violations += columns_violations(
            len(baseline.columns), span.too_narrow, span.too_wide, profile.rows, self.rules
        )
        features = feature_reports(
            measures, rulings, {violation.feature for violation in violations}
        )
        if span.revision == 0 and self._state(span, profile.rows, False) == "ok":
            changed = self._change_violations(span, baseline, features, state)
            violations, features = (
                violations + changed,
                mark_violating(features, {violation.feature for violation in changed}),
            )
        return WindowReport(
            version=REPORT_VERSION,
            id=self.report_id(span, baseline.fingerprint),
            job=self.job,
            model=span.model,
            variant=span.variant,
            start_ms=span.start_ms,
            end_ms=span.end_ms,
            revision=span.revision,
            state=self._state(span, profile.rows, bool(violations)),
            rows=profile.rows,
            baseline=baseline.fingerprint,
            layout=profile.layout.fingerprint,
            limits=self.limits(span.model, baseline.constraints).fingerprint,
            features=features,
            violations=tuple(violations),
            rules={
                **rule_values(self.rules),
                "judged_features": sum(ruling.verdict != "disabled" for ruling in rulings),
            },
            notes=span.notes,
            profile=profile.encode(),
        )

    def silence(self, model: str, variant: str, start_ms: int, end_ms: int | None) -> WindowReport:
        """The report that a model's silence began (``end_ms`` is ``None``) or that it ended there."""
        name = f"{self.job}/{model}/{variant}/{start_ms}/silence/-/{0 if end_ms is None else 1}"
        return WindowReport(
            REPORT_VERSION,
            name,
            self.job,
            model,
            variant,
            start_ms,
            end_ms,
            int(end_ms is not None),
            "no data",
            0,
            "-",
            "-",
            "-",
        )

    def report_id(self, span: WindowSpan, fingerprint: str) -> str:
        """``job/model/variant/start/end/baseline/revision``."""
        return f"{self.job}/{span.model}/{span.variant}/{span.start_ms}/{span.end_ms}/{fingerprint}/{span.revision}"

    def advance(
        self, state: EpisodeState, report: WindowReport, baseline: Baseline
    ) -> tuple[EpisodeState, list[Signal]]:
        """The state behind a report and the signals it gives rise to; see
        :func:`detectors.decisions.episodes.advance`.
        """
        state = self._extend_series(state, report, baseline)
        return advance(
            state, report if self.expose_values else masked(report, baseline.layout), self.rules
        )

    def _state(self, span: WindowSpan, rows: int, violations: bool) -> State:
        if span.incomplete:
            return "incomplete"
        if span.learning:
            return "learning"
        if rows + span.too_narrow + span.too_wide < self.rules.min_n:
            return "insufficient"
        return "violations" if violations else "ok"

    def _values(
        self, model: str, features: Sequence[FeatureReport], baseline: Baseline
    ) -> list[tuple[Change, FeatureReport, float]]:
        by_name = {
            feature.name: feature for feature in features if feature.verdict != "insufficient"
        }
        out = []
        for change in self._changes.get(model, ()):
            if change.feature in by_name:
                value = change.value(by_name[change.feature], baseline)
                if value is not None and isfinite(value):
                    out.append((change, by_name[change.feature], value))
        return out

    def _change_violations(
        self,
        span: WindowSpan,
        baseline: Baseline,
        features: Sequence[FeatureReport],
        state: EpisodeState,
    ) -> list[Violation]:
        out = []
        for change, feature, value in self._values(span.model, features, baseline):
            series = (*state.series.get(change.key, ()), value)
            if change.alarms(series):
                text = (
                    f"The series {change.series} of the feature has changed"
                    f" ({type(change).__name__}, {len(series)} windows)."
                )
                before = sum(series[:-1]) / max(len(series) - 1, 1)
                out.append(
                    Violation(
                        feature.name,
                        "change_check",
                        change.series,
                        value,
                        before,
                        feature.n,
                        text,
                        overwhelming=True,
                    )
                )
        return out

    def _extend_series(
        self, state: EpisodeState, report: WindowReport, baseline: Baseline
    ) -> EpisodeState:
        if report.state not in ("ok", "violations") or report.revision:
            return state
        alarmed = {(v.feature, v.statistic) for v in report.violations if v.check == "change_check"}
        series = dict(state.series)
        for change, feature, value in self._values(report.model, report.features, baseline):
            over = (feature.name, change.series) in alarmed
            series[change.key] = (
                () if over else (*state.series.get(change.key, ()), value)[-MOST_VALUES:]
            )
        return msgspec.structs.replace(state, series=series)
