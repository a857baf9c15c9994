"""Runs the checks on a window, so that one cause is reported once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from detectors.decisions import checks as checks_folder
from detectors.decisions.catalogue import CHECKS
from detectors.decisions.causes import with_causes
from detectors.decisions.checks.base import Check, CheckedWindow, Reported
from detectors.decisions.evidence.violations import evidence_violations
from detectors.decisions.rules import Rules
from detectors.decisions.sagemaker.violations import sagemaker_violations
from detectors.decisions.segment_violations import with_segments
from detectors.violation import Violation

ORDERED: Final = sorted(
    CHECKS.values(), key=lambda check: (check.stage, check.position, check.name)
)
"""The checks in the order in which they run and in which a report lists what they find."""
OF_FEATURES: Final = [check for check in ORDERED if type(check).of_feature != Check.of_feature]
STAGES: Final = [list(checks) for _, checks in groupby(OF_FEATURES, key=lambda check: check.stage)]
"""The checks of single features, stage by stage."""
OF_OTHERS: Final = [
    [check for check in checks if not type(check).__module__.startswith(checks_folder.__name__)]
    for checks in STAGES
]
"""Those of other distributions, which add to what is found by evidence."""


OF_SAGEMAKER: Final = frozenset(
    {
        "data_type_check",
        "completeness_check",
        "categorical_values_check",
        "baseline_drift_check",
        "missing_column_check",
        "extra_column_check",
    }
)
"""The checks that SageMaker Model Monitor has."""


def violations_of(window: CheckedWindow) -> list[Violation]:
    """Violations of the features in the order of the layout, then those of all columns together.

    With the likely cause of each, see :mod:`detectors.decisions.causes`, and with what segments of
    the rows add, see :func:`~detectors.decisions.segment_violations.with_segments`. Those of
    SageMaker's own checks where ``rules.mode`` asks for them.
    """
    if window.rules.is_sagemaker:
        return with_causes(window, sagemaker_violations(window))
    evidence, stages = window.evidence, stages_of(window.rules)
    violations: list[Violation] = []
    for i in window.checked_features():
        if evidence is None:
            violations += _of_feature(window, i, stages)
        else:
            found = evidence_violations(window, evidence, i)
            violations += found + _of_feature(window, i, OF_OTHERS, found)
    of_columns = [check.of_columns(window) for check in ORDERED]
    violations += [violation for violation in of_columns if violation is not None]
    return with_segments(window, with_causes(window, violations))


def stages_of(rules: Rules) -> Sequence[Sequence[Check]]:
    """The checks of single features in the mode of the rules, stage by stage."""
    if rules.mode != "sagemaker":
        return STAGES
    return [[check for check in checks if check.name in OF_SAGEMAKER] for checks in STAGES]


def _of_feature(
    window: CheckedWindow,
    i: int,
    stages: Sequence[Sequence[Check]],
    before: Sequence[Violation] = (),
) -> list[Violation]:
    """What checks find on a feature; ``before`` are the violations that it has already."""
    violations: list[Violation] = []
    for checks in stages:
        reported = Reported((*before, *violations))
        for check in checks:
            violation = check.of_feature(window, i, reported)
            if violation is not None:
                violations.append(violation)
    return violations
