"""The result of one test of one feature over some windows, as reports publish it."""

from __future__ import annotations

from typing import Literal

import msgspec

Subject = Literal["drift", "missing", "type", "invalid", "unseen"]
"""What a test is about: the distribution of the values, or the share of missing ones, of those of
another type, of NaN and infinite ones, of those that the baseline does not have.
"""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One test of one feature over some windows."""

    subject: Subject
    """What the test is about."""
    test: str
    """The name of the test."""
    horizon: int
    """The number of windows that were judged together."""
    n: int
    """The number of rows in them."""
    p_value: float
    """The chance of such a result without drift."""
    allowed: float
    """The p-value up to which this test may speak at this horizon: its part of the budget."""
    effect: float
    """The estimated size of the drift, less what chance adds, as a Hellinger distance."""
    effect_limit: float
    """The smallest effect that is worth a signal."""
    direction: int
    """1 for more or larger, -1 for fewer or smaller, 0 for neither."""

    @property
    def holds(self) -> bool:
        """Whether this is evidence of a drift that is worth a signal."""
        return self.p_value <= self.allowed and self.effect >= self.effect_limit

    @property
    def spent(self) -> float:
        """The p-value as a share of what the test was allowed; 1 or less is evidence."""
        return self.p_value / self.allowed
