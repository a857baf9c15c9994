"""The likely cause of a violation: the most specific of the known ones that fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from detectors.diagnosis.categories import Categories
from detectors.diagnosis.clipped import clipped, truncated
from detectors.diagnosis.default_value import default_value
from detectors.diagnosis.format_change import format_change
from detectors.diagnosis.frozen import frozen
from detectors.diagnosis.log_taken import log_taken
from detectors.diagnosis.mean_shift import mean_shift
from detectors.diagnosis.mix_shift import mix_shift
from detectors.diagnosis.mixture_shift import mixture_shift
from detectors.diagnosis.new_value import new_value
from detectors.diagnosis.number_sides import NumberSides
from detectors.diagnosis.offset import offset
from detectors.diagnosis.renamed_value import renamed_value
from detectors.diagnosis.rounded import rounded
from detectors.diagnosis.scaling import scaling
from detectors.diagnosis.sentinels import sentinels
from detectors.diagnosis.standardised import standardised
from detectors.diagnosis.unit_change import unit_change
from detectors.diagnosis.value_format import value_format
from detectors.diagnosis.vanished_value import vanished_value
from detectors.diagnosis.variance_change import variance_change
from detectors.statistics.distances.base import Pair
from detectors.violation import Cause

OF_NUMBERS: Final[tuple[Callable[[NumberSides], Cause | None], ...]] = (
    rounded,
    clipped,
    truncated,
    default_value,
    sentinels,
    unit_change,
    offset,
    log_taken,
    standardised,
    scaling,
    mean_shift,
    variance_change,
)
"""The causes of numbers, the most specific first: the first one that fits is named. The last one,
of a part of the rows, is :func:`~.mixture_shift.mixture_shift`."""
OF_CATEGORIES: Final[tuple[Callable[[Categories], Cause | None], ...]] = (
    format_change,
    renamed_value,
    new_value,
    vanished_value,
    mix_shift,
)
"""The causes of texts, and of codes that no cause of numbers explains."""
UNKNOWN: Final = Cause(name="unknown", words="no known cause fits", action="look")
"""What is said where nothing fits: no cause is better than a wrong one."""


def drift_cause(pair: Pair, i: int, expose_values: bool = False, *, of_parts: bool = True) -> Cause:
    """The likely cause of a drift of the values of feature ``i``; ``unknown`` if none fits.

    Missing and unreadable values are no part of it. Named are feature values only if
    ``expose_values`` is set. ``unknown`` where a side has no value. Without ``of_parts`` no mixture
    of the baseline and of it in another unit is looked for, which takes longest.
    """
    if not (pair.n[i] > 0 and pair.m[i] > 0):
        return UNKNOWN
    # A number beyond the largest float fits no conversion.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        found = frozen(pair, i, expose_values) or _moved(pair, i, expose_values, of_parts)
    return found or UNKNOWN


def _moved(pair: Pair, i: int, expose_values: bool, of_parts: bool) -> Cause | None:
    feature = pair.layout.features[i]
    if found := value_format(pair, i):
        return found
    if feature.numeric:
        numbers = NumberSides(pair, i, expose_values)
        for of_numbers in OF_NUMBERS:
            if found := of_numbers(numbers):
                return found
        if of_parts and (found := mixture_shift(numbers)):
            return found
    if feature.kind == "grid":
        return None
    categories = Categories(pair, i, expose_values)
    for of_categories in OF_CATEGORIES:
        if found := of_categories(categories):
            return found
    return None
