"""Adds the likely cause to each violation of a window, and the columns that changed places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from detectors.decisions.checks.base import CheckedWindow
from detectors.diagnosis.cause import UNKNOWN, drift_cause
from detectors.diagnosis.mixture_shift import MIXTURE
from detectors.diagnosis.null_burst import nulls
from detectors.diagnosis.shared_cause import WORDS as COMMON_WORDS
from detectors.diagnosis.swapped_columns import swapped_columns
from detectors.diagnosis.type_change import FRACTIONS, type_change
from detectors.statistics.distances.base import Pair
from detectors.violation import Cause, Violation

DRIFT: Final = ("baseline_drift_check", "non_negative_check")
"""The checks whose violations are about the distribution of the values."""
OF_VALUES: Final = (*DRIFT, "categorical_values_check", "vanished_value_check")
"""The checks whose violations are about the values."""
NULLS: Final = ("completeness_check", "missing_column_check")
"""The checks whose violations are about missing values."""
CONVERSIONS: Final = ("unit_change", "offset", "log_taken", "standardised", "scaling")
"""The causes that write whole numbers as fractional ones, as cents that become euros."""
MOST: Final = 400
"""The largest number of features of a window that causes are looked for."""
MOST_SEARCHED: Final = 50
"""The number of features without another cause after which no mixture is looked for any more: that
takes up to a tenth of a second a feature, and a window must not hold up the next one."""


def with_causes(window: CheckedWindow, violations: Sequence[Violation]) -> list[Violation]:
    """The violations with their causes; those that have one keep it.

    ``diagnosis`` becomes the words of the cause where the check says nothing, or less.
    """
    index = window.layout.index
    placed = [index.get(violation.feature) for violation in violations]
    drifting = [
        i
        for i, violation in zip(placed, violations, strict=True)
        if i is not None and violation.check in OF_VALUES
    ]
    drifting = list(dict.fromkeys(drifting))[:MOST]
    pair = window.pair
    swapped = swapped_columns(pair, drifting) if len(drifting) > 1 else {}
    others = [i for i in drifting if i not in swapped]
    causes = swapped | _causes_of_drifts(pair, others, window.expose_values)
    return [
        violation
        if i is None or violation.cause is not None
        else _with_cause(violation, _cause(violation, pair, i, causes.get(i)))
        for i, violation in zip(placed, violations, strict=True)
    ]


def _causes_of_drifts(pair: Pair, drifting: Sequence[int], expose_values: bool) -> dict[int, Cause]:
    """The cause of each drift; mixtures are looked for in the first :data:`MOST_SEARCHED` alone."""
    causes: dict[int, Cause] = {}
    searched = 0
    for i in drifting:
        causes[i] = drift_cause(pair, i, expose_values, of_parts=searched < MOST_SEARCHED)
        searched += causes[i].name in (UNKNOWN.name, MIXTURE)
    return causes


def _cause(violation: Violation, pair: Pair, i: int, of_values: Cause | None) -> Cause | None:
    """The cause of one violation of feature ``i``; ``None`` for a check that has none."""
    words = violation.diagnosis
    match violation.check:
        case check if check in NULLS:
            missing = nulls(pair, i)
            return msgspec.structs.replace(missing, words=words or missing.words)
        case "data_type_check":
            if of_values is not None and _writes_fractions(pair, i, of_values):
                return of_values
            return _of_types(violation, type_change(pair, i))
        case "empty_column_check":
            return Cause(name="filled_column", words=words, action="look")
        case check if check in OF_VALUES and of_values is not None:
            return _of_values(violation, of_values)
    return None


def _of_types(violation: Violation, found: Cause | None) -> Cause | None:
    """The cause of another type; ``None`` where neither the check nor the counts say which."""
    words = violation.diagnosis or (found.words if found is not None else "")
    if not words:
        return None
    numbers: dict[str, float | str] = {"share": 1.0 - violation.value, "written_as": words}
    return Cause(
        name="type_change",
        words=words,
        action="repair_pipeline",
        numbers=numbers if found is None else found.numbers,
    )


def _writes_fractions(pair: Pair, i: int, found: Cause) -> bool:
    """Whether a conversion is why whole numbers are written as fractional ones."""
    written = type_change(pair, i) if found.name in CONVERSIONS else None
    return written is not None and written.numbers["written_as"] == FRACTIONS


def _of_values(violation: Violation, found: Cause) -> Cause:
    """The cause of the values, where a check of single values does not exclude it."""
    if violation.check in DRIFT:
        if found.name != UNKNOWN.name or not violation.diagnosis:
            return found
        return Cause(name="negative_values", words=violation.diagnosis, action="look")
    if found.action == "repair_pipeline":
        return found
    name = "vanished_value" if violation.check == "vanished_value_check" else "new_value"
    words = violation.diagnosis or COMMON_WORDS[name]
    return Cause(name=name, words=words, action="repair_pipeline")


def _with_cause(violation: Violation, cause: Cause | None) -> Violation:
    if cause is None:
        return violation
    words = "" if cause.name == UNKNOWN.name else cause.words
    return msgspec.structs.replace(violation, cause=cause, diagnosis=words or violation.diagnosis)
