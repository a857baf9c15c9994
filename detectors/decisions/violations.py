"""Runs the checks on a window, so that one cause is reported once."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Final

from detectors.decisions.catalogue import CHECKS
from detectors.decisions.checks.base import CheckedWindow, Reported
from detectors.report import Violation

ORDERED: Final = sorted(
    CHECKS.values(), key=lambda check: (check.stage, check.position, check.name)
)
"""The checks in the order in which they run and in which a report lists what they find."""
STAGES: Final = [list(checks) for _, checks in groupby(ORDERED, key=lambda check: check.stage)]


def violations_of(window: CheckedWindow) -> list[Violation]:
    """Violations of the features in the order of the layout, then those of all columns together."""
    violations: list[Violation] = []
    for i in window.checked_features():
        violations += _of_feature(window, i)
    return violations + _present(check.of_columns(window) for check in ORDERED)


def _of_feature(window: CheckedWindow, i: int) -> list[Violation]:
    violations: list[Violation] = []
    for checks in STAGES:
        reported = _reported(violations)
        violations += _present(check.of_feature(window, i, reported) for check in checks)
    return violations


def _reported(violations: list[Violation]) -> Reported:
    kinds = (CHECKS[violation.check].explains for violation in violations)
    return Reported(tuple(violations), frozenset(kind for kind in kinds if kind is not None))


def _present(violations: Iterable[Violation | None]) -> list[Violation]:
    return [violation for violation in violations if violation is not None]
