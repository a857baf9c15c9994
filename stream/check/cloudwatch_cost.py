"""What CloudWatch and SNS cost a month, by the public price list of us-east-1 (November 2026).
Pure.
"""

from __future__ import annotations

from math import ceil
from typing import Final

METRIC_TIERS: Final = ((10_000, 0.30), (240_000, 0.10), (750_000, 0.05), (float("inf"), 0.02))
"""Custom metrics in a tier and the price of one a month, in dollars."""
PUT_PER_1000: Final = 0.01
MOST_DATA: Final = 1_000
MONTH_MS: Final = 30 * 86_400_000


def metrics_cost(metrics: int) -> float:
    """Dollars a month for so many custom metrics.

    >>> metrics_cost(10_000), metrics_cost(12_000)
    (3000.0, 3200.0)
    """
    cost, left = 0.0, float(metrics)
    for size, price in METRIC_TIERS:
        cost += min(left, size) * price
        left = max(left - size, 0.0)
    return cost


def puts_cost(metrics: int, every_ms: int, models: int = 1) -> float:
    """Dollars a month for putting them at each window, a call a model and 1,000 data.

    >>> round(puts_cost(60, 60_000), 3)
    0.432
    """
    calls = models * ceil(metrics / models / MOST_DATA) if metrics else 0
    return calls * MONTH_MS / every_ms / 1000 * PUT_PER_1000
