"""Findings in sentences for people, numbers first."""

from __future__ import annotations

from typing import Final

from detectors.finding import EvidenceFinding
from detectors.phrases import counted, distinguishable, number

MOVED: Final = {
    ("location", 1): "values are larger",
    ("location", -1): "values are smaller",
    ("normal", 1): "values are larger",
    ("normal", -1): "values are smaller",
    ("spread", 1): "values lie further apart",
    ("spread", -1): "values lie nearer together",
    ("spike", 1): "one value is far more frequent than its neighbours",
    ("below", 1): "more values lie below the range of the baseline",
    ("above", 1): "more values lie above the range of the baseline",
}
"""What a test says, by its name and direction."""
OTHERWISE: Final = "the distribution has changed"


def moved_in_words(finding: EvidenceFinding) -> str:
    """What a finding on the distribution says of the values."""
    if "tail_shape" in finding.test:
        end = "smallest" if finding.test.startswith("low") else "largest"
        return f"the {end} values lie further out"
    if finding.test.startswith("low_tail"):
        return "more values lie in the lower tail"
    if finding.test.startswith("high_tail"):
        return "more values lie in the upper tail"
    return MOVED.get((finding.test, finding.direction), OTHERWISE)


def finding_in_words(finding: EvidenceFinding) -> str:
    """A finding with its numbers.

    >>> finding = EvidenceFinding(
    ...     subject="drift", test="location", horizon=4, n=4_000, p_value=3e-12, allowed=6e-10,
    ...     effect=0.05, effect_limit=0.02, direction=1,
    ... )
    >>> finding_in_words(finding)
    'location test over 4 windows (4,000 rows), p = 3e-12 (allowed 6e-10), effect 0.05 (limit 0.02)'
    """
    windows = counted(finding.horizon, "window")
    effect, limit = distinguishable(finding.effect, finding.effect_limit)
    name = finding.test.replace("_", " ").rstrip("0123456789").rstrip()
    return (
        f"{name} test over {windows} ({counted(finding.n, 'row')}),"
        f" p = {_p_value(finding.p_value)} (allowed {finding.allowed:.1g}),"
        f" effect {effect} (limit {limit})"
    )


def _p_value(p_value: float) -> str:
    return number(p_value, 1) if p_value else "0"
