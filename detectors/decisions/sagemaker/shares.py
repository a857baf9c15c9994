"""The checks of SageMaker Model Monitor on shares of values: type, completeness and domain.

A share violates if it is below the threshold of ``constraints.json``: there is no allowance for
chance, no tolerance and no least number of rows.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import structs

from detectors.decisions.checks.base import CheckedWindow
from detectors.decisions.checks.data_type_check import WRITTEN, most_frequent_other, required_type
from detectors.decisions.sagemaker.sentences import requirement_unmet, type_mismatch
from detectors.phrases import percent
from detectors.profiles.counted_texts import counted_texts
from detectors.profiles.domains import allowed_bins
from detectors.statistics.measures import FITTING
from detectors.violation import Violation

STRICTLY_FITTING: Final = {**FITTING, "String": ("string", "boolean")}
"""Written types that match a feature's type. Whole numbers match Fractional; numbers do not match
String; booleans match it, since a column of them has no other type."""


def type_violation(window: CheckedWindow, i: int) -> Violation | None:
    """A violation if the share of present values of the required type is below the threshold.

    NaN and infinities are no numbers. None for a feature without a value, or of type ``Unknown``.
    """
    kind = required_type(window, i)
    if kind not in STRICTLY_FITTING:
        return None
    fitting = sum(int(window.measures.types[name][i]) for name in STRICTLY_FITTING[kind])
    required = window.baseline.constraints.thresholds.datatype_check_threshold
    found = _too_few(window, i, ("data_type_check", "type_match"), fitting, required, kind)
    return found and structs.replace(
        found,
        description=type_mismatch(kind, required, found.value),
        diagnosis=WRITTEN[most_frequent_other(window, i)],
    )


def completeness_violation(window: CheckedWindow, i: int) -> Violation | None:
    """A violation if the share of rows with a value is below the feature's ``completeness``."""
    required = window.constraints[i].completeness
    share = float(window.measures.completeness[i])
    if required is None or share >= required:
        return None
    n, missing = int(window.measures.n[i]), int(window.measures.missing[i])
    return Violation(
        feature=window.layout.features[i].name,
        check="completeness_check",
        statistic="completeness",
        value=share,
        limit=required,
        n=n,
        description=requirement_unmet(share),
        summary=(
            f"completeness {percent(share)}, {percent(required)} required: {missing:,} of {n:,}"
            " values are missing"
        ),
        diagnosis="no value in any row" if missing == n else "missing values",
    )


def domain_violation(window: CheckedWindow, i: int) -> Violation | None:
    """A violation if the share of present values in ``domains`` is below the threshold."""
    domain = window.constraints[i].domains
    if domain is None:
        return None
    inside = _inside(window, i, domain)
    required = window.baseline.constraints.thresholds.domain_content_threshold
    names = ("categorical_values_check", "domain_match")
    found = _too_few(window, i, names, inside, required, "in the domain")
    return found and structs.replace(
        found, diagnosis="values outside the domain", moved=window.top_contributors(i)
    )


def _too_few(
    window: CheckedWindow, i: int, names: tuple[str, str], fitting: int, required: float, what: str
) -> Violation | None:
    """A violation if fewer of the present values fit than required; None without a value.

    ``names`` are those of check and statistic; ``what`` says what the values shall be.
    """
    present = int(window.measures.present[i])
    if not present or fitting / present >= required:
        return None
    share = fitting / present
    return Violation(
        feature=window.layout.features[i].name,
        check=names[0],
        statistic=names[1],
        value=share,
        limit=required,
        n=int(window.measures.n[i]),
        description=requirement_unmet(share),
        summary=(
            f"{percent(share)} of the values are {what}, {percent(required)} required:"
            f" {present - fitting:,} of {present:,} are not"
        ),
    )


def _inside(window: CheckedWindow, i: int, domain: tuple[str, ...]) -> int:
    """The values of feature ``i`` in a domain: by name where all are known, else by their bins."""
    found = window.pair.window.values.get(i)
    if found is not None and found.complete and isinstance(found.values, pa.Array):
        allowed = counted_texts(window.layout.features[i], domain)
        inside = pc.is_in(found.values, value_set=pa.array(allowed, pa.string()))
        return int(found.counts[np.asarray(inside)].sum())
    bins = allowed_bins(window.layout, i, domain)
    return int(window.pair.window.counts[bins].sum())
