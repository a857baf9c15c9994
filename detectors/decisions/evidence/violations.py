"""Violations by evidence: findings that hold, by the checks that they belong to."""

from __future__ import annotations

from math import sqrt
from typing import Final

import msgspec

from detectors.decisions.checks.base import CheckedWindow
from detectors.decisions.checks.baseline_drift_check import BaselineDriftCheck, moved_in_bins
from detectors.decisions.checks.categorical_values_check import (
    CategoricalValuesCheck,
    inside_domain,
    new_values,
    required_domain_share,
)
from detectors.decisions.checks.completeness_check import CompletenessCheck, least_completeness
from detectors.decisions.checks.data_type_check import (
    DataTypeCheck,
    required_type,
    required_type_share,
    type_share,
)
from detectors.decisions.checks.empty_column_check import EmptyColumnCheck
from detectors.decisions.checks.missing_column_check import MissingColumnCheck
from detectors.decisions.checks.negative_values import explain_drift
from detectors.decisions.checks.non_negative_check import NonNegativeCheck
from detectors.decisions.evidence.sentences import finding_in_words, moved_in_words
from detectors.decisions.evidence.window_evidence import WindowEvidence
from detectors.diagnosis.value_format import FORMAT_CHANGED, value_format
from detectors.finding import EvidenceFinding
from detectors.phrases import percent
from detectors.statistics.laws import beta_binomial_tail, binomial_tail
from detectors.violation import Violation

_COMPLETENESS: Final = CompletenessCheck("completeness_check")
_MISSING: Final = MissingColumnCheck("missing_column_check")
_TYPE: Final = DataTypeCheck("data_type_check")
_DOMAIN: Final = CategoricalValuesCheck("categorical_values_check")
_EMPTY: Final = EmptyColumnCheck("empty_column_check")
_DRIFT: Final = BaselineDriftCheck("baseline_drift_check")
_NEGATIVE: Final = NonNegativeCheck("non_negative_check")


def evidence_violations(window: CheckedWindow, evidence: WindowEvidence, i: int) -> list[Violation]:
    """The violations of feature ``i``, each enough for a signal in this one window.

    A finding becomes the violation of its check. What ``constraints.json`` states beyond the
    baseline (a narrower domain, another type, no value at all) is tested in this window alone.
    """
    found = evidence.holding(i)
    violations = [
        _missing(window, evidence, i, found.get("missing")),
        _type(window, evidence, i, found.get("type") or found.get("invalid")),
        _unseen(window, evidence, i, found.get("unseen")),
        _filled(window, evidence, i),
        _drift(window, i, found.get("drift"), found.get("unseen")),
    ]
    return [
        msgspec.structs.replace(violation, overwhelming=True)
        for violation in violations
        if violation is not None
    ]


def _missing(
    window: CheckedWindow, evidence: WindowEvidence, i: int, finding: EvidenceFinding | None
) -> Violation | None:
    required = window.constraints[i].completeness
    if finding is None or required is None:
        return None
    if float(window.measures.completeness[i]) == 0.0:
        return _with(finding, _MISSING.found(window, i, required))
    share = 1.0 - evidence.share(i, "missing", finding.horizon)[0]
    if share >= least_completeness(window, required):
        return None
    return _with(finding, _COMPLETENESS.found(window, i, share, required))


def _type(
    window: CheckedWindow, evidence: WindowEvidence, i: int, finding: EvidenceFinding | None
) -> Violation | None:
    required = required_type_share(window, i)
    if required_type(window, i) != window.layout.features[i].type:
        share, present = type_share(window, i), int(window.measures.present[i])
        if not share < required:
            return None
        p_value = binomial_tail(round((1.0 - share) * present), present, 1.0 - required)
        beyond = p_value <= evidence.constraint_alpha[i]
        return _TYPE.found(window, i, share, required) if beyond else None
    if finding is None:
        return None
    unfit = ("mistyped", "nan", "infinite")
    share = 1.0 - sum(evidence.share(i, name, finding.horizon)[0] for name in unfit)
    return _with(finding, _TYPE.found(window, i, share, required)) if share < required else None


def _unseen(
    window: CheckedWindow, evidence: WindowEvidence, i: int, finding: EvidenceFinding | None
) -> Violation | None:
    domain = window.constraints[i].domains
    if domain is None:
        return None if finding is None else _new(window, evidence, i, finding)
    present = int(window.measures.present[i])
    outside = present - inside_domain(window.pair.window, i, domain)
    required = required_domain_share(window)
    if not present or 1.0 - outside / present >= required:
        return None
    violation = _DOMAIN.found(window, i, 1.0 - outside / present, required)
    if finding is not None:
        return _with(finding, violation)
    m = int(window.pair.m[i])
    before = m - inside_domain(window.pair.baseline, i, domain)
    if before:  # the domain was made narrower than the baseline
        p_value = binomial_tail(outside, present, 1.0 - required)
    else:
        p_value = beta_binomial_tail(outside, present, 1.0, float(max(m, 1)))
    return violation if p_value <= evidence.constraint_alpha[i] else None


def _new(
    window: CheckedWindow, evidence: WindowEvidence, i: int, finding: EvidenceFinding
) -> Violation:
    """The violation of a feature without a domain that has values which the baseline has not."""
    share, before = evidence.share(i, "unseen", finding.horizon)
    names = new_values(window, i)
    return _with(
        finding,
        _DOMAIN.violation(
            window,
            i,
            statistic="unseen_share",
            value=share,
            limit=before,
            description=f"{share:.4%} of the values are not in the baseline.",
            summary=(
                f"{percent(share)} of the values are new, {percent(before)} expected"
                + (f", as {names}" if names else "")
            ),
            diagnosis="new category values",
        ),
    )


def _filled(window: CheckedWindow, evidence: WindowEvidence, i: int) -> Violation | None:
    """The violation of a column that was empty in the baseline."""
    if window.layout.features[i].type != "Unknown" or window.constraints[i].domains is not None:
        return None
    present, n = int(window.measures.present[i]), int(window.measures.n[i])
    p_value = beta_binomial_tail(present, n, 1.0, float(window.measures.baseline_rows[i]))
    return _EMPTY.found(window, i) if p_value <= evidence.constraint_alpha[i] else None


def _drift(
    window: CheckedWindow, i: int, finding: EvidenceFinding | None, unseen: EvidenceFinding | None
) -> Violation | None:
    """The violation of a distribution; none where new values alone have changed it."""
    thresholds = window.baseline.constraints.thresholds
    if finding is None or not thresholds.perform_comparison or _explained(finding, unseen):
        return None
    if explain_drift(window, i):
        return _with(finding, _NEGATIVE.found(window, i))
    return _with(
        finding,
        _DRIFT.violation(
            window,
            i,
            statistic=finding.test,
            value=finding.effect,
            limit=finding.effect_limit,
            description=(
                f"Baseline drift distance: {finding.effect!r} exceeds threshold:"
                f" {finding.effect_limit!r}"
            ),
            summary=_moved(window, finding, i),
        ),
    )


def _moved(window: CheckedWindow, finding: EvidenceFinding, i: int) -> str:
    """How the values have moved, in words; how many have another format if they do not return."""
    feature = window.layout.features[i]
    if feature.patterns or feature.magnitude:
        found = value_format(window.pair, i)
        return FORMAT_CHANGED if found is None else found.words
    return "; ".join(filter(None, (moved_in_words(finding), moved_in_bins(window, i))))


def _explained(drift: EvidenceFinding, unseen: EvidenceFinding | None) -> bool:
    """Whether what remains of a drift beside new values is small: squared effects add up."""
    if unseen is None:
        return False
    rest = sqrt(max(drift.effect**2 - unseen.effect**2, 0.0))
    return rest < max(drift.effect_limit, unseen.effect / 2.0)


def _with(finding: EvidenceFinding, violation: Violation) -> Violation:
    return msgspec.structs.replace(
        violation,
        finding=finding,
        n=finding.n,
        summary=f"{violation.summary}: {finding_in_words(finding)}",
    )
