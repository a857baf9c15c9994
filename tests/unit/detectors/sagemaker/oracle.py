"""The distances of deequ in plain loops over dictionaries, as its source reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt


def rank_map(levels: Sequence[Sequence[float]]) -> dict[float, int]:
    """The running rank of each item: a dictionary keeps one weight of each, the last one."""
    weights: dict[float, int] = {}
    for level, items in enumerate(levels):
        for item in items:
            weights[item] = 2**level
    ranks, running = {}, 0
    for item in sorted(weights):
        running += weights[item]
        ranks[item] = running
    return ranks


def rank(item: float, ranks: Mapping[float, int]) -> int:
    found = 0
    for key, running in ranks.items():
        if key > item:
            break
        found = running
    return found


def numerical_gap(
    window: Sequence[Sequence[float]], baseline: Sequence[Sequence[float]]
) -> tuple[float, int, int]:
    """The distance ``Simple``, and the totals of both sides."""
    ours, theirs = rank_map(window), rank_map(baseline)
    n, m = max(ours.values()), max(theirs.values())
    gaps = [abs(rank(key, ours) / n - rank(key, theirs) / m) for key in {*ours, *theirs}]
    return max(gaps), n, m


def corrected(gap: float, n: float, m: float) -> float:
    return max(0.0, gap - 1.8 * sqrt((n + m) / (n * m)))
