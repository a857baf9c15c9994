"""Which windows the counts of seasons are learned from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from detectors.report import State

COUNTED: Final[frozenset[State]] = frozenset({"ok", "violations", "insufficient"})
"""The states of windows with all their rows, which a baseline was there for."""
BROKEN: Final = frozenset(
    {
        "data_type_check",
        "completeness_check",
        "missing_column_check",
        "extra_column_check",
        "non_negative_check",
        "categorical_values_check",
    }
)
"""The checks that a season does not violate, but a broken pipeline: values are missing, of another
type, or none that the training data have."""


def is_season(state: State, checks: Iterable[str]) -> bool:
    """Whether a window shows what its season is like, by its state and the checks it violates.

    A window that drifts does: against the whole baseline a daily cycle drifts nearly always. One
    that is incomplete does not, nor one whose values are missing, of another type or unknown.

    >>> is_season("violations", ["baseline_drift_check"]), is_season("ok", [])
    (True, True)
    >>> is_season("violations", ["completeness_check"]), is_season("incomplete", [])
    (False, False)
    """
    return state in COUNTED and BROKEN.isdisjoint(checks)
