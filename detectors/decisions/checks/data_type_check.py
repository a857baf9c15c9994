"""The check for types: too few values are written as the type that they have in the baseline."""

from __future__ import annotations

from typing import ClassVar, Final

import msgspec
import numpy as np

from detectors.decisions.checks.base import Check, CheckedWindow, Reported
from detectors.decisions.rulings import required_share
from detectors.phrases import percent
from detectors.profiles.layout import InferredType
from detectors.statistics.measures import FITTING
from detectors.violation import Violation

WRITTEN: Final = {
    "integral": "values are written as whole numbers",
    "fractional": "values are written as fractional numbers",
    "boolean": "values are written as booleans",
    "string": "values are written as strings",
    "NaN": "values are NaN",
    "infinity": "values are infinite",
}


class DataTypeCheck(Check):
    """The share of present values that are written as the feature's type is too small.

    At least ``datatype_check_threshold`` of the baseline is required (``type_match`` of the rules
    where that is 1.0), or the baseline's own share if that is smaller. Named as in SageMaker Model
    Monitor.
    """

    position: ClassVar[int] = 30

    def of_feature(self, window: CheckedWindow, i: int, reported: Reported) -> Violation | None:
        """A violation if values of other types are more than chance explains."""
        share = type_share(window, i)
        required = required_type_share(window, i)
        if not share < required:
            return None
        present = float(window.measures.present[i])
        if not window.beyond_chance(i, (1.0 - share) * present, present, 1.0 - required):
            return None
        return self.found(window, i, share, required)

    def found(self, window: CheckedWindow, i: int, share: float, required: float) -> Violation:
        """The violation of a feature of whose values a ``share`` is of its type."""
        kind = required_type(window, i)
        return self.violation(
            window,
            i,
            statistic="type_match",
            value=share,
            limit=required,
            description=(
                f"Data type match requirement is not met. Expected data type: {kind}, Expected"
                f" match: {required * 100}%. Observed: Only {share * 100}% of data is {kind}."
            ),
            summary=(
                f"{percent(share)} of the values are {kind}, at least {percent(required)} required"
                f" (n = {int(window.measures.n[i]):,})"
            ),
            diagnosis=WRITTEN[most_frequent_other(window, i)],
            overwhelming=window.overwhelming_loss(i, share, required),
            moved=(),
        )


def required_type(window: CheckedWindow, i: int) -> InferredType:
    """The type that ``constraints.json`` requires, by default that of the baseline."""
    declared = window.constraints[i].type
    return window.layout.features[i].type if declared is msgspec.UNSET else declared


def type_share(window: CheckedWindow, i: int) -> float:
    """The share of the present values that are written as the required type; NaN without any."""
    kind, present = required_type(window, i), float(window.measures.present[i])
    if kind not in FITTING or present == 0:
        return float("nan")
    return sum(int(window.measures.types[name][i]) for name in FITTING[kind]) / present


def required_type_share(window: CheckedWindow, i: int) -> float:
    """The smaller of the share that is asked for and the baseline's own.

    The baseline's own share does not count for another type than its own, nor without a value.
    """
    thresholds = window.baseline.constraints.thresholds
    configured = required_share(thresholds.datatype_check_threshold, window.rules.least_type_match)
    if required_type(window, i) != window.layout.features[i].type:
        return configured
    return float(np.fmin(window.measures.baseline_type_match[i], configured))


def most_frequent_other(window: CheckedWindow, i: int) -> str:
    """The written type of most of the values that do not match."""
    measures = window.measures
    kind = required_type(window, i)
    others = {
        name: int(counts[i]) for name, counts in measures.types.items() if name not in FITTING[kind]
    }
    others["NaN"] = int(measures.nan[i])
    others["infinity"] = int(measures.inf[i])
    return max(others, key=lambda name: others[name])
