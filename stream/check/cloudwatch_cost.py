"""The monthly cost of CloudWatch, by the public prices of us-east-1 (November 2026). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Final

from sinks.aws.metric_data import MAX_DATA

METRIC_TIERS: Final = ((10_000, 0.30), (240_000, 0.10), (750_000, 0.05), (float("inf"), 0.02))
"""The number of custom metrics in each tier, and the price of one in dollars per month."""
PUT_PER_1000: Final = 0.01
"""Dollars for 1,000 calls of PutMetricData."""
HOUR_MS: Final = 3_600_000
MONTH_MS: Final = 30 * 24 * HOUR_MS


def metrics_cost(metrics: float) -> float:
    """Return the cost of a number of custom metrics, in dollars per month.

    >>> metrics_cost(10_000), metrics_cost(12_000)
    (3000.0, 3200.0)
    """
    cost = 0.0
    rest = metrics
    for size, price in METRIC_TIERS:
        cost += min(rest, size) * price
        rest = max(rest - size, 0.0)
    return cost


def puts_cost(calls: int, every_ms: int) -> float:
    """Return the cost of a number of calls that are made every ``every_ms``, in dollars per month.

    >>> round(puts_cost(1, 60_000), 3)
    0.432
    """
    return calls * MONTH_MS / every_ms / 1000 * PUT_PER_1000


def monthly_cost(metrics: Sequence[int], every_ms: int) -> float:
    """Return the cost of metrics that get a datum every ``every_ms``, in dollars per month.

    ``metrics`` has the number of metrics of each model: a call holds at most 1,000 data of one. A
    metric is charged for the hours in which it gets a datum.

    >>> round(monthly_cost([60], 60_000), 3), round(monthly_cost([60], 24 * HOUR_MS), 2)
    (18.432, 0.75)
    """
    charged = sum(metrics) * min(1.0, HOUR_MS / every_ms)
    calls = sum(ceil(of_model / MAX_DATA) for of_model in metrics)
    return metrics_cost(charged) + puts_cost(calls, every_ms)
