"""The report that the counts in a published report give, by its limits or those that are kept."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.evidence.embedded import EmbeddedTallies, of_segments
from detectors.decisions.judge import Judge
from detectors.decisions.limits import Limits
from detectors.decisions.rules import FeatureRules, Rules
from detectors.decisions.window_span import WindowSpan
from detectors.profiles.baseline import Baseline
from detectors.profiles.profile import Profile
from detectors.profiles.segments import place_of
from detectors.report import FeatureReport, WindowReport
from detectors.statistics.catalogue import DISTANCES
from detectors.statistics.evidence.tallies import tally_layout
from stream.errors import DataError

LEFT_OUT: Final = 1e9
"""The design effect of features that are left out: their rows say nothing."""


def judged_again(
    report: WindowReport, baseline: Baseline, limits: Limits | None = None
) -> WindowReport:
    """Return the report that the counts in ``report`` give with these limits, or its own.

    Raises :class:`~stream.errors.DataError` if a deciding statistic is not installed.
    """
    limits = limits or _shown_limits(report, baseline)
    _require_distances(report, limits)
    judge = Judge(
        report.job,
        limits.rules,
        {report.model: limits.features},
        expose_values=True,
        every_ms=_every_ms(report),
    )
    span = WindowSpan(
        model=report.model,
        variant=report.variant,
        start_ms=report.start_ms,
        end_ms=report.end_ms or 0,
        revision=report.revision,
        notes=report.notes,
        expected_rows=report.expected_rows,
    )
    profile = Profile.decode(report.profile, baseline.layout)
    constrained = baseline.constrained(limits.constraints)
    pasts = _past(report, constrained), _past_segments(report, constrained)
    return judge.report(span, constrained, profile, EpisodeState(), *pasts)


def _past(report: WindowReport, baseline: Baseline) -> EmbeddedTallies | None:
    """The windows before, as the report has them; ``None`` where it is not by evidence."""
    factors = {each.name: each.evidence.factor for each in report.features if each.evidence}
    if not factors:
        return None
    names = baseline.layout.index
    factor = np.array([factors.get(name, 1.0) for name in names], np.float64)
    return EmbeddedTallies(tally_layout(baseline), report.pooled, factor)


def _past_segments(report: WindowReport, baseline: Baseline) -> EmbeddedTallies | None:
    """The windows before of the segments that moved, as the report has them.

    Of the others, and of other features of a segment, the report has neither the windows before nor
    how far their rows depend on their neighbours: they are left out.
    """
    by_segment = baseline.by_segment
    if by_segment is None or not report.segments:
        return None
    layout, features = baseline.layout, len(baseline.layout.features)
    factor = np.full(len(by_segment.layout.features), LEFT_OUT)
    for each in report.segments:
        s = place_of(layout, each.by, each.value)
        if s is not None and each.feature in layout.index:
            factor[s * features + layout.index[each.feature]] = each.factor
    return EmbeddedTallies(tally_layout(by_segment), of_segments(report.pooled), factor)


def _every_ms(report: WindowReport) -> int | None:
    every_ms = report.rules.get("every_ms")
    return every_ms if isinstance(every_ms, int) else None


def _require_distances(report: WindowReport, limits: Limits) -> None:
    """Raise if a distance that decides is not installed here, as one of another distribution."""
    own = {rules.statistic for rules in limits.features.values() if rules.statistic is not None}
    missing = sorted({limits.rules.statistic, *own} - DISTANCES.keys())
    if missing:
        names = ", ".join(map(repr, missing))
        reason = f"its deciding statistic {names} is not installed: install the distribution"
        advice = f"whose entry point in the group 'driftline.distances' is called {names}"
        raise DataError(f"report {report.id!r}", f"{reason} {advice}")


def _shown_limits(report: WindowReport, baseline: Baseline) -> Limits:
    """The constraints of the baseline, and the rules and limits that the report shows.

    Reports of 0.1.0 name no mode; it judged by ``threshold``.
    """
    known = {field.name for field in msgspec.structs.fields(Rules)}
    shown: dict[str, object] = {"mode": "threshold"}
    shown |= {name: value for name, value in report.rules.items() if name in known}
    shown["conditions"] = str(report.rules.get("conditions", "")).splitlines()
    own = {
        feature.name: FeatureRules(
            limit=feature.asked_limit,
            statistic=feature.deciding,
            enabled=feature.enabled,
            **_of_evidence(feature),
        )
        for feature in report.features
    }
    rules = msgspec.convert(shown, Rules, strict=False)
    return Limits(constraints=baseline.constraints, rules=rules, features=own)


def _of_evidence(feature: FeatureReport) -> dict[str, float]:
    """The weight and the effect limit of a feature: weights are in proportion to budgets."""
    evidence = feature.evidence
    if evidence is None or not evidence.findings:
        return {}
    return {"weight": evidence.budget, "effect": evidence.findings[0].effect_limit}
