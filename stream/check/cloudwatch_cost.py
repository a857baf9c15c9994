"""The monthly cost of CloudWatch, by the public prices of us-east-1 (November 2026). Pure."""

from __future__ import annotations

from math import ceil
from typing import Final

from sinks.aws.metric_data import MAX_DATA

METRIC_TIERS: Final = ((10_000, 0.30), (240_000, 0.10), (750_000, 0.05), (float("inf"), 0.02))
"""The number of custom metrics in each tier, and the price of one in dollars per month."""
PUT_PER_1000: Final = 0.01
"""Dollars for 1,000 calls of PutMetricData."""
MONTH_MS: Final = 30 * 86_400_000


def metrics_cost(metrics: int) -> float:
    """Return the cost of a number of custom metrics, in dollars per month.

    >>> metrics_cost(10_000), metrics_cost(12_000)
    (3000.0, 3200.0)
    """
    cost = 0.0
    rest = float(metrics)
    for size, price in METRIC_TIERS:
        cost += min(rest, size) * price
        rest = max(rest - size, 0.0)
    return cost


def puts_cost(metrics: int, every_ms: int, models: int = 1) -> float:
    """Return the cost of the calls that put the metrics of each window, in dollars per month.

    A call holds at most 1,000 data of one model.

    >>> round(puts_cost(60, 60_000), 3)
    0.432
    """
    calls = models * ceil(metrics / models / MAX_DATA) if metrics else 0
    return calls * MONTH_MS / every_ms / 1000 * PUT_PER_1000
