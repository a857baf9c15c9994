"""Looks for a schedule in which a planted bug shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

World = TypeVar("World")


def finds(run: Callable[[int], World], verdict: Callable[[World], object], schedules: int) -> bool:
    """Whether a verdict on one of so many schedules finds a fault, or a schedule fails."""
    for seed in range(schedules):
        try:
            if verdict(run(seed)):
                return True
        except (AssertionError, KeyError):
            return True
    return False
