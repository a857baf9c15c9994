"""The part of a report about segments: those that moved most, worst first."""

from __future__ import annotations

from typing import Final

import numpy as np

from detectors.decisions.checks.base import CheckedWindow
from detectors.decisions.evidence.window_evidence import WindowEvidence
from detectors.decisions.segment_violations import moved_segments, segment_rows
from detectors.finding import EvidenceFinding
from detectors.phrases import in_segment
from detectors.profiles.segments import label, masked_value, segments, value_of
from detectors.report import SegmentReport

MOST: Final = 20
"""The number of segments that a report lists, but for those with features of an open episode."""


def segment_reports(window: CheckedWindow) -> tuple[SegmentReport, ...]:
    """The segments that moved most, worst first; none without segments.

    At most :data:`MOST`, and after them each other one with features that linger: the episode goes
    on by these.

    First those in which a feature violates, then by how near the nearest feature is to it, then in
    the order of the baseline.
    """
    evidence = None if window.evidence is None else window.evidence.segments
    if evidence is None:
        return ()
    violating = {s for where in moved_segments(window, evidence).values() for s in where}
    reports = [
        _report(window, evidence, s, violates=s in violating)
        for s in range(len(segments(window.layout)))
    ]
    ranked = sorted(reports, key=_rank)
    return (*ranked[:MOST], *(each for each in ranked[MOST:] if each.lingering))


def _rank(report: SegmentReport) -> tuple[bool, bool, float]:
    nearness = 0.0 if report.finding is None else report.finding.nearness
    return not report.violates, not report.lingering, -nearness


def _report(
    window: CheckedWindow, evidence: WindowEvidence, s: int, *, violates: bool
) -> SegmentReport:
    layout, features = window.layout, len(window.layout.features)
    segment = segments(layout)[s]
    rows, before = segment_rows(window), window.pair.baseline.segments
    of_baseline = 0 if before is None else before.feature_rows.reshape(-1, features)[s].max()
    shown = label(layout, s, expose_values=window.expose_values)
    found = _nearest(evidence, s * features, features)
    return SegmentReport(
        by=segment.by,
        value=value_of(layout, s) if window.expose_values else masked_value(segment),
        rows=int(rows[s]),
        share=float(rows[s] / window.rows) if window.rows else None,
        baseline_share=float(of_baseline / max(window.baseline.profile.rows, 1)),
        feature="" if found is None else layout.features[found[0]].name,
        finding=None if found is None else found[1],
        violates=violates,
        factor=1.0 if found is None else evidence.reported(s * features + found[0]).factor,
        lingering=tuple(
            in_segment(layout.features[j % features].name, shown)
            for j in sorted(evidence.lingering)
            if j // features == s
        ),
    )


def _nearest(
    evidence: WindowEvidence, first: int, features: int
) -> tuple[int, EvidenceFinding] | None:
    """The feature of a segment that is nearest to a violation, with its finding."""
    judged = np.flatnonzero(evidence.budget[first : first + features] > 0.0).tolist()
    found = [(i, finding) for i in judged for finding in evidence.findings[first + i].values()]
    return max(found, key=lambda each: each[1].nearness, default=None)
