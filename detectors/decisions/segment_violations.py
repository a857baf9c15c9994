"""Violations of segments: where a drift comes from, and drifts that all rows together hide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Ints
from detectors.decisions.causes import with_causes
from detectors.decisions.checks.base import CheckedWindow
from detectors.decisions.evidence.violations import evidence_violations
from detectors.decisions.evidence.window_evidence import WindowEvidence
from detectors.diagnosis.cause import drift_cause
from detectors.finding import EvidenceFinding
from detectors.phrases import counted, number, percent
from detectors.profiles.segments import Segment, label, segments
from detectors.statistics.measures import Measures
from detectors.violation import Violation

NAMED: Final = 3
"""The number of segments that a sentence names; the others are counted."""

OF_PARTS: Final = ("unknown", "mixture_shift")
"""The causes of a window of which a part alone has changed."""


def with_segments(window: CheckedWindow, found: Sequence[Violation]) -> list[Violation]:
    """The violations of all rows, and those of segments that all rows together do not show.

    One defect is one violation: where a feature violates in all rows, its summary names the
    segments that it comes from; where it does not, the segment that moved most has the violation,
    and names the others. A drift that was found in segments stays theirs for as long as it has
    moved no other one, also once it shows in all rows together over several windows.
    """
    if window.evidence is None or window.evidence.segments is None:
        return list(found)
    evidence = window.evidence.segments
    moved = moved_segments(window, evidence)
    index = window.layout.index
    of_feature: dict[int, list[Violation]] = {}
    for violation in found:
        of_feature.setdefault(index.get(violation.feature, -1), []).append(violation)
    hidden = {
        i: where
        for i, where in moved.items()
        if i not in window.evidence.inside
        and _is_theirs(window, evidence, i, where, of_feature.get(i, []))
    }
    violations = [
        _traced(window, evidence, violation, moved)
        for violation in found
        if index.get(violation.feature) not in hidden
    ]
    return violations + _of_segments(window, evidence, hidden)


def _is_theirs(
    window: CheckedWindow,
    evidence: WindowEvidence,
    i: int,
    where: list[int],
    found: Sequence[Violation],
) -> bool:
    """Whether the drift of feature ``i`` is that of segments; ``found``: what all rows show of it.

    Those that moved are in the open episode, and all rows show nothing that they do not.
    """
    if not found:
        return True
    places = [s * len(window.layout.features) + i for s in where]
    subjects = {subject for j in places for subject in evidence.holding(j)}
    same = all(each.finding is not None and each.finding.subject in subjects for each in found)
    return same and evidence.inside.issuperset(places)


def moved_segments(window: CheckedWindow, evidence: WindowEvidence) -> dict[int, list[int]]:
    """The segments in which each feature has moved, by its position.

    First those of the open episode, then those that moved most.
    """
    features = len(window.layout.features)
    found: dict[int, list[int]] = {}
    for j in np.flatnonzero(evidence.budget > 0.0).tolist():
        if evidence.holding(j):
            s, i = divmod(j, features)
            found.setdefault(i, []).append(s)

    def rank(i: int, s: int) -> tuple[bool, float]:
        j = s * features + i
        return j not in evidence.lingering, -_strongest(evidence, j).effect

    return {i: sorted(where, key=lambda s: rank(i, s)) for i, where in sorted(found.items())}


def segment_rows(window: CheckedWindow) -> Ints:
    """The rows of each segment of a window."""
    side = window.pair.window.segments
    if side is None:
        return np.zeros(0, np.int64)
    rows: Ints = side.feature_rows.reshape(-1, len(window.layout.features)).max(axis=1)
    return rows


def _strongest(evidence: WindowEvidence, j: int) -> EvidenceFinding:
    return max(evidence.holding(j).values(), key=lambda finding: finding.effect)


def _traced(
    window: CheckedWindow,
    evidence: WindowEvidence,
    violation: Violation,
    moved: dict[int, list[int]],
) -> Violation:
    """The violation of all rows, with the segments that it comes from in its summary."""
    i = window.layout.index.get(violation.feature)
    where = [] if i is None else moved.get(i, [])
    if i is None or not where or violation.finding is None:
        return violation
    summary = f"{violation.summary}; {_where(window, evidence, i, where)}"
    violation = msgspec.structs.replace(violation, summary=summary)
    return _with_own_cause(window, evidence, violation, i, where[0])


def _with_own_cause(
    window: CheckedWindow, evidence: WindowEvidence, violation: Violation, i: int, s: int
) -> Violation:
    """The violation with the cause of the drift in segment ``s``, where all rows hide it.

    The whole window fits no cause if only a part of it has changed, or that of a mixture; the rows
    of the segment may fit one.
    """
    known = violation.cause
    if known is None or known.name not in OF_PARTS:
        return violation
    pair = _stacked(window, evidence).pair
    found = drift_cause(pair, s * len(window.layout.features) + i, window.expose_values)
    if found.name in OF_PARTS:
        return violation
    words = f"in {label(window.layout, s, expose_values=window.expose_values)}: {found.words}"
    cause = msgspec.structs.replace(found, words=words)
    return msgspec.structs.replace(violation, cause=cause, diagnosis=words)


def _where(window: CheckedWindow, evidence: WindowEvidence, i: int, where: list[int]) -> str:
    """Where a feature has moved: ``from country = BR (5 % of the rows, effect 0.31)``."""
    layout, features = window.layout, len(window.layout.features)
    rows = segment_rows(window)
    told = [
        f"{label(layout, s, expose_values=window.expose_values)}"
        f" ({percent(rows[s] / max(window.rows, 1))} of the rows,"
        f" effect {number(_strongest(evidence, s * features + i).effect, 2)})"
        for s in where[:NAMED]
    ]
    if len(where) > NAMED:
        told.append(counted(len(where) - NAMED, "other segment"))
    rest = _judged(window, evidence, i, segments(layout)[where[0]]) - len(where)
    unchanged = "" if rest <= 0 else f", {counted(rest, 'other')} unchanged"
    return f"from {', '.join(told)}{unchanged}"


def _judged(window: CheckedWindow, evidence: WindowEvidence, i: int, like: Segment) -> int:
    """The number of segments by the column of one of them in which feature ``i`` is judged."""
    budget = evidence.budget.reshape(-1, len(window.layout.features))[:, i]
    pairs = zip(segments(window.layout), budget > 0.0, strict=True)
    return sum(bool(judged) for each, judged in pairs if each.by == like.by)


def _of_segments(
    window: CheckedWindow, evidence: WindowEvidence, hidden: dict[int, list[int]]
) -> list[Violation]:
    """The violations of features that have moved in segments alone, each in one segment."""
    if not hidden:
        return []
    stacked = _stacked(window, evidence)
    features = len(window.layout.features)
    of_segment: dict[int, list[tuple[int, Violation]]] = {}
    for i, where in hidden.items():
        for violation in evidence_violations(stacked, evidence, where[0] * features + i):
            of_segment.setdefault(where[0], []).append((i, violation))
    violations = []
    for s, found in of_segment.items():
        explained = with_causes(stacked, [violation for _, violation in found])
        for (i, _), violation in zip(found, explained, strict=True):
            violations.append((i, _named(window, evidence, violation, i, hidden[i], s)))
    return [violation for _, violation in sorted(violations, key=lambda each: each[0])]


def _named(
    window: CheckedWindow,
    evidence: WindowEvidence,
    violation: Violation,
    i: int,
    where: list[int],
    s: int,
) -> Violation:
    """The violation of feature ``i`` in segment ``s``, named by both."""
    return msgspec.structs.replace(
        violation,
        feature=window.layout.features[i].name,
        segment=label(window.layout, s, expose_values=window.expose_values),
        summary=f"{violation.summary}; {_where(window, evidence, i, where)}",
    )


def _stacked(window: CheckedWindow, evidence: WindowEvidence) -> CheckedWindow:
    """The window of the segments: each feature of each, beside its own baseline."""
    baseline, side = window.baseline.by_segment, window.pair.window.segments
    if baseline is None or side is None:
        raise ValueError("the window has no segments")
    return CheckedWindow(
        baseline=baseline,
        measures=Measures(baseline.profile, side),
        rulings=(),
        rules=window.rules,
        rows=window.rows,
        expose_values=window.expose_values,
        evidence=evidence,
    )
