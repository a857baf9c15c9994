"""The evidence of a feature for `driftline explain`: each number as recomputed and as published."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from detectors.finding import EvidenceFinding
from detectors.report import FeatureReport, WindowReport

NUMBERS: Final = ("n", "p_value", "allowed", "spent", "effect", "effect_limit", "direction")
"""The numbers of a finding that are compared."""


def evidence_numbers(
    report: WindowReport, published: FeatureReport, recomputed: FeatureReport
) -> Iterator[tuple[str, object, object]]:
    """The numbers of the evidence by name: as recomputed, and as published.

    Of a finding over several windows that is no violation the report has no counts: it is shown as
    it was published.
    """
    before, after = published.evidence, recomputed.evidence
    if before is None or after is None:
        return
    yield "budget", after.budget, before.budget
    yield "factor", after.factor, before.factor
    again = {finding.subject: finding for finding in after.findings}
    for finding in before.findings:
        found = again.get(finding.subject) if _has_counts(report, published, finding) else finding
        yield f"{finding.subject}: test", found and _name(found), _name(finding)
        for name in NUMBERS:
            value = found and getattr(found, name)
            yield f"{finding.subject}: {name}", value, getattr(finding, name)


def _has_counts(report: WindowReport, feature: FeatureReport, finding: EvidenceFinding) -> bool:
    """Whether the report has the counts of a finding: of the window alone, or of a violation
    in all rows.
    """
    return finding.horizon == 1 or any(
        each.feature == feature.name
        and not each.segment
        and each.finding is not None
        and each.finding.horizon == finding.horizon
        for each in report.violations
    )


def _name(finding: EvidenceFinding) -> str:
    windows = "this window" if finding.horizon == 1 else f"{finding.horizon} windows"
    return f"{finding.test}, {windows}"
