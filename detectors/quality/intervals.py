"""Confidence intervals of metrics."""

from __future__ import annotations

from math import inf, isfinite, sqrt
from typing import NamedTuple

from detectors.quality.base import Metric
from detectors.quality.laws import normal_quantile, student_quantile


class SamplingInterval(NamedTuple):
    """The ends of a confidence interval, and the standard error; ``None`` where unknown."""

    low: float | None
    high: float | None
    standard_error: float | None


UNKNOWN = SamplingInterval(None, None, None)


def wilson(share: float, n: float, confidence: float) -> tuple[float, float]:
    """Return the ends of Wilson's score interval of a share of ``n > 0`` rows.

    ``(p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)``. Where ``n`` is no count but an
    effective number of rows, the interval is that of Korn and Graubard's method.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference,
    JASA 22, 1927.

    >>> wilson(0.0, 10, 0.95)
    (0.0, 0.27753)
    """
    z2 = normal_quantile(confidence) ** 2 / n
    half = sqrt(z2 * (share * (1 - share) + z2 / 4))
    centre = share + z2 / 2
    low = 0.0 if share <= 0 else max(0.0, (centre - half) / (1 + z2))
    high = 1.0 if share >= 1 else min(1.0, (centre + half) / (1 + z2))
    return low, high


def of_share(share: float, n: int, confidence: float) -> SamplingInterval:
    """Return the interval of a share of ``n > 0`` independent rows: Wilson's."""
    return SamplingInterval(*wilson(share, n, confidence), sqrt(share * (1 - share) / n))


def of_bounded(
    value: float, variance: float | None, n: int, confidence: float, error: float = 0.0
) -> SamplingInterval:
    """Return the interval of a metric from 0 to 1 with a known sampling variance.

    Wilson's interval for the effective number of rows, ``value (1 - value) / variance``: that many
    independent rows would give a share the same variance (E. L. Korn and B. I. Graubard,
    Confidence intervals for proportions with small expected number of positive counts estimated
    from survey data, Survey Methodology 24, 1998). Where the variance is 0, at most ``n`` rows are
    assumed. ``error`` is added at both ends: what is not known of the value itself.
    """
    if variance is None or n <= 0:
        return UNKNOWN
    effective = value * (1 - value) / variance if variance > 0 else 0.0
    low, high = wilson(value, effective if effective > 0 else n, confidence)
    return SamplingInterval(max(0.0, low - error), min(1.0, high + error), sqrt(max(variance, 0.0)))


def of_mean(mean: float, mean_square: float, n: int, confidence: float) -> SamplingInterval:
    """Return the interval of a mean of ``n`` values, from the mean of their squares.

    ``mean +- t sqrt((mean_square - mean^2) / (n - 1))`` with Student's t for ``n - 1`` degrees of
    freedom: exact for normal values, and by the central limit theorem for others. Unknown for
    fewer than two rows.
    """
    variance = max(mean_square - mean * mean, 0.0) / (n - 1) if n > 1 else inf
    return of_variance(mean, variance, n, confidence)


def of_variance(value: float, variance: float, n: int, confidence: float) -> SamplingInterval:
    """Return ``value +- t sqrt(variance)``; unknown for fewer than two rows."""
    if n < 2 or not isfinite(variance) or not isfinite(value):
        return UNKNOWN
    error = sqrt(variance)
    half = student_quantile(confidence, n - 1) * error
    return SamplingInterval(value - half, value + half, error)


def defined(
    name: str, value: float, interval: SamplingInterval, n: int, larger_is: str = "better"
) -> Metric:
    """Return a metric with its interval."""
    low, high, error = interval
    return Metric(name, value, low, high, error, n, larger_is)


def undefined(name: str, n: int, reason: str, larger_is: str = "better") -> Metric:
    """Return a metric without a value."""
    return Metric(name, None, None, None, None, n, larger_is, reason)


def share_metric(
    name: str, part: int, whole: int, confidence: float, reason: str, larger_is: str = "better"
) -> Metric:
    """Return a metric that is a share of rows; undefined for ``reason`` where there are none."""
    if whole <= 0:
        return undefined(name, 0, reason, larger_is)
    share = part / whole
    return defined(name, share, of_share(share, whole, confidence), whole, larger_is)
