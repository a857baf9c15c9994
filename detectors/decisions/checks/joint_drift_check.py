"""The check for joint drift: features depend on each other in another way than in the baseline."""

from __future__ import annotations

from typing import ClassVar, Final

from detectors.decisions.checks.base import Check, CheckedWindow
from detectors.decisions.evidence.joint_evidence import JOINT
from detectors.diagnosis.cause import UNKNOWN
from detectors.joint_report import PairReport
from detectors.phrases import counted, distinguishable, number
from detectors.violation import Violation

MEASURES: Final = {
    "rank_correlation": "correlation",
    "cramers_v": "association (Cramer's V)",
}
"""What a pair is described by, in words."""


class JointDriftCheck(Check):
    """Two features of the same window are paired otherwise than in the baseline.

    One violation for all pairs, with the numbers of the one that is most certain. Of the mode
    ``evidence``, where the baseline counts pairs; see
    :mod:`detectors.decisions.evidence.joint_evidence`.
    """

    position: ClassVar[int] = 60

    def of_columns(self, window: CheckedWindow) -> Violation | None:
        """A violation if a pair has evidence of a change that is worth a signal."""
        joint = window.evidence.joint if window.evidence else None
        if joint is None or not joint.holds.any():
            return None
        report = joint.reported()
        worst = next(pair for pair in report.pairs if pair.holds)
        others = report.drifted - 1
        more = f", and {counted(others, 'other pair')} of {report.judged:,}" if others else ""
        return Violation(
            feature=JOINT,
            check=self.name,
            statistic="association",
            value=worst.effect,
            limit=worst.effect_limit,
            n=worst.n,
            description=(
                f"{report.drifted} of {report.judged} pairs of features depend on each other in"
                " another way than in the baseline."
            ),
            summary=f"{pair_in_words(worst)} over 1 window{more}: {_evidence_in_words(worst)}",
            cause=UNKNOWN,
            overwhelming=True,
        )


def pair_in_words(pair: PairReport) -> str:
    """The dependence of two features before and now.

    >>> pair = PairReport(
    ...     first="area", second="rooms", measure="rank_correlation", before=0.82, after=0.31,
    ...     n=1_000, p_value=2e-40, allowed=2e-9, effect=0.2, effect_limit=0.02,
    ... )
    >>> pair_in_words(pair)
    'area and rooms: correlation 0.82 -> 0.31'
    """
    sides = ["none" if side is None else number(side) for side in (pair.before, pair.after)]
    return f"{pair.first} and {pair.second}: {MEASURES[pair.measure]} {sides[0]} -> {sides[1]}"


def _evidence_in_words(pair: PairReport) -> str:
    effect, limit = distinguishable(pair.effect, pair.effect_limit)
    p_value = number(pair.p_value, 1) if pair.p_value else "0"
    return (
        f"association test ({counted(pair.n, 'row')}), p = {p_value} (allowed {pair.allowed:.1g}),"
        f" effect {effect} (limit {limit})"
    )
