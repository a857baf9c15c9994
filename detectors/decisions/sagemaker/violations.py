"""Runs the checks of SageMaker Model Monitor on a window, each by itself."""

from __future__ import annotations

from typing import Final

from detectors.decisions.checks.base import CheckedWindow
from detectors.decisions.sagemaker.columns import column_violations
from detectors.decisions.sagemaker.drift import drift_violation
from detectors.decisions.sagemaker.shares import (
    completeness_violation,
    domain_violation,
    type_violation,
)
from detectors.violation import Violation

OF_FEATURES: Final = (type_violation, completeness_violation, domain_violation, drift_violation)
"""The checks of single features, in the order in which a report lists what they find."""


def sagemaker_violations(window: CheckedWindow) -> list[Violation]:
    """Violations of the features in the order of the layout, then those of all columns.

    One cause may be reported by several checks. None of the violations is enough for a signal in a
    single window: ``k`` of ``of`` windows must have it.
    """
    if not window.baseline.constraints.thresholds.evaluate_constraints:
        return []
    of_features = (check(window, i) for i in window.checked_features() for check in OF_FEATURES)
    found = [violation for violation in of_features if violation is not None]
    return [*found, *column_violations(window)]
