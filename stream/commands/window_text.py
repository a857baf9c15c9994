"""The words for a window in lists and on the terminal: its times, and its worst features."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from detectors.decisions.catalogue import size_of
from detectors.p_values import is_p_value
from detectors.phrases import distinguishable
from detectors.report import FeatureReport, WindowReport
from detectors.violation import Violation
from stream.telemetry.terminal_text import printable

NAMED: Final = 3
"""The number of features of a window that are named at most."""


def time_text(time_ms: int | None) -> str:
    """Format a time in UTC; seconds are left out where they are 0.

    >>> time_text(1_795_590_060_000), time_text(1_795_590_062_500), time_text(None)
    ('2026-11-25 07:01', '2026-11-25 07:01:02.500', '')
    """
    if time_ms is None:
        return ""
    at = datetime.fromtimestamp(time_ms / 1000, UTC)
    if time_ms % 1000:
        return f"{at:%Y-%m-%d %H:%M:%S}.{time_ms % 1000:03}"
    return f"{at:%Y-%m-%d %H:%M:%S}" if at.second else f"{at:%Y-%m-%d %H:%M}"


def span_text(start_ms: int, end_ms: int | None) -> str:
    """Format a window ``[start, end)``; the day of the end is left out where it is the same.

    >>> span_text(1_795_590_060_000, 1_795_590_120_000)
    '2026-11-25 07:01 - 07:02'
    >>> span_text(1_795_590_060_000, None)
    '2026-11-25 07:01 - '
    """
    start, end = time_text(start_ms), time_text(end_ms)
    same_day = start[:10] == end[:10]
    return f"{start} - {end[11:] if same_day else end}"


def worst_first(violations: Sequence[Violation]) -> list[Violation]:
    """Return the worst violation of each feature, the worst feature first.

    Overwhelming ones are worse than others; among these the size decides, as in episodes.
    """
    worst: dict[str, Violation] = {}
    for violation in sorted(violations, key=_badness, reverse=True):
        worst.setdefault(violation.feature, violation)
    return list(worst.values())


def findings_text(report: WindowReport, width: int) -> str:
    """Name the worst features of a window, as many as fit into ``width`` characters.

    Without violations these are the features closest to their limits.
    """
    violations = worst_first(report.violations)
    if violations:
        return _fitting([_violated(violation) for violation in violations], width)
    known = [feature for feature in report.features if _is_judged(feature)]
    nearest = sorted(known, key=lambda feature: -feature.nearness)
    return _fitting([_near(feature) for feature in nearest[:NAMED]], width, counts_others=False)


def _is_judged(feature: FeatureReport) -> bool:
    """Whether a feature has a distance and a limit, and is judged by them."""
    return feature.value is not None and bool(feature.limit) and feature.verdict != "disabled"


def violation_text(reason: Violation) -> str:
    """Describe a violation: its statistic, the largest shift of a share, the diagnosis if any."""
    value, limit = distinguishable(reason.value, reason.limit)
    parts = [f"{reason.key}: {reason.statistic} {value}, limit {limit}"]
    largest = next(iter(reason.moved), None)
    if largest and reason.check != "data_type_check":
        parts.append(f"{largest.label}: {largest.before:.1%} -> {largest.after:.1%}")
    if reason.diagnosis:
        parts.append(reason.diagnosis)
    return printable("; ".join(parts))


def _badness(violation: Violation) -> tuple[bool, float]:
    return violation.overwhelming, size_of(violation)


def _violated(violation: Violation) -> str:
    sign = ">" if violation.value > violation.limit else "<"
    value, limit = distinguishable(violation.value, violation.limit)
    return printable(f"{violation.feature} {violation.statistic} {value} {sign} {limit}")


def _near(feature: FeatureReport) -> str:
    name = f"{feature.name} p" if is_p_value(feature.deciding) else feature.name
    return printable(f"{name} {feature.value or 0.0:.3f}")


def _fitting(texts: Sequence[str], width: int, *, counts_others: bool = True) -> str:
    """The first texts that fit, and the number of the others; the first one is cut if it must.

    >>> _fitting(["delay psi 2.3 > 0.1", "wind psi 0.3 > 0.1", "temp ks 0.2 > 0.1"], 30)
    'delay psi 2.3 > 0.1, +2'
    >>> _fitting(["delay psi 2.3 > 0.1", "wind psi 0.3 > 0.1"], 15)
    'delay psi 2, +1'
    """
    best = ""
    for count in range(min(NAMED, len(texts)), 0, -1):
        others = f", +{len(texts) - count}" if counts_others and len(texts) > count else ""
        shown = ", ".join(texts[:count])
        best = f"{shown}{others}"
        if len(best) <= width:
            return best
        best = f"{shown[: max(width - len(others), 1)]}{others}"
    return best
