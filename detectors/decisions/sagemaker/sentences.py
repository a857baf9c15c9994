"""The sentences in which SageMaker Model Monitor describes violations.

Those of columns, and of a p-value, are not documented whole, and completed here.
"""

from __future__ import annotations

from detectors.phrases import java_number


def type_mismatch(kind: str, required: float, share: float) -> str:
    """The sentence of ``data_type_check``.

    >>> type_mismatch("Integral", 1.0, 1970 / 1977)
    'Data type match requirement is not met. Expected data type: Integral, Expected match: 100.0%. \
Observed: Only 99.64592817400101% of data is Integral.'
    """
    return (
        f"Data type match requirement is not met. Expected data type: {kind}, Expected match:"
        f" {java_number(required * 100)}%. Observed: Only {java_number(share * 100)}% of data is"
        f" {kind}."
    )


def requirement_unmet(share: float) -> str:
    """The sentence of ``completeness_check`` and ``categorical_values_check``, with a blank at its
    end.

    >>> requirement_unmet(0.0)
    'Value: 0.0 does not meet the constraint requirement! '
    """
    return f"Value: {java_number(share)} does not meet the constraint requirement! "


def drifted(distance: float, threshold: float) -> str:
    """The sentence of ``baseline_drift_check``.

    >>> drifted(0.17354640931273702, 0.1)
    'Baseline drift distance: 0.17354640931273702 exceeds threshold: 0.1'
    """
    number, limit = java_number(distance), java_number(threshold)
    return f"Baseline drift distance: {number} exceeds threshold: {limit}"


def improbable(p_value: float, threshold: float) -> str:
    """The sentence of ``baseline_drift_check`` on a p-value; that of SageMaker is not known."""
    number, limit = java_number(p_value), java_number(threshold)
    return f"Baseline drift p-value: {number} is below threshold: {limit}"


def column_count(kind: str, found: str, expected: int) -> str:
    """The sentence of ``missing_column_check`` and ``extra_column_check``.

    >>> column_count("missing", "fewer than 9", 9)
    'There are missing columns in current dataset. Number of columns in current dataset: fewer \
than 9, Number of columns in baseline constraints: 9'
    """
    return (
        f"There are {kind} columns in current dataset. Number of columns in current dataset:"
        f" {found}, Number of columns in baseline constraints: {expected}"
    )
