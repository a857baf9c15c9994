"""Tells quickly that nothing in a window violates, for who judges many windows again."""

from __future__ import annotations

from typing import Final

from detectors.decisions import checks as checks_folder
from detectors.decisions.catalogue import CHECKS
from detectors.decisions.checks.base import CheckedWindow
from detectors.decisions.checks.data_type_check import required_type
from detectors.decisions.evidence.violations import evidence_violations
from detectors.decisions.violations import violations_of

ONLY_OWN: Final = all(
    type(check).__module__.startswith(checks_folder.__name__) for check in CHECKS.values()
)
"""Whether all checks are driftline's own: what others look at is not known here."""


def is_quiet(window: CheckedWindow) -> bool:
    """Whether a window has no violation, and nothing lingers in it from an episode.

    By evidence that is known without the rulings on the distances: where no finding holds, only
    what ``constraints.json`` states beyond the baseline can be violated.
    """
    evidence = window.evidence
    if evidence is None or not ONLY_OWN:
        return not violations_of(window)
    if window.too_narrow or window.too_wide or evidence.lingering:
        return False
    if any(each.holds for found in evidence.findings for each in found.values()):
        return False
    return not any(
        evidence_violations(window, evidence, i)
        for i in window.checked_features()
        if _has_constraint(window, i)
    )


def _has_constraint(window: CheckedWindow, i: int) -> bool:
    """Whether a feature has a domain, or another type than in the baseline, or none there."""
    kind = window.layout.features[i].type
    is_other = kind == "Unknown" or required_type(window, i) != kind
    return window.constraints[i].domains is not None or is_other
