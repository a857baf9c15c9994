"""The result of one test of one feature over some windows, as reports publish it."""

from __future__ import annotations

from math import inf, log
from typing import Final, Literal

import msgspec

Subject = Literal["drift", "missing", "type", "invalid", "unseen"]
"""What a test is about: the distribution of the values, or the share of missing ones, of those of
another type, of NaN and infinite ones, of those that the baseline does not have.
"""

SMALLEST: Final = 1e-300
"""A p-value below this one counts as this."""


class EvidenceFinding(msgspec.Struct, frozen=True, kw_only=True):
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
        """The share of what the test was allowed that is spent: 1 is evidence, and the most.

        ``allowed / p_value``, at most 1.
        """
        return 1.0 / max(self.strength, 1.0)

    @property
    def strength(self) -> float:
        """The p-value as a multiple of what the test was allowed: less is stronger."""
        return self.p_value / self.allowed

    @property
    def nearness(self) -> float:
        """The smaller of the digits of the p-value over those allowed, and of effect over limit."""
        digits = log(max(self.p_value, SMALLEST)) / log(self.allowed)
        sizes = self.effect / self.effect_limit if self.effect_limit else inf
        return min(digits, sizes)


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What the tests of one feature found in a window, and what they were allowed to spend."""

    budget: float
    """The chance of false evidence that the feature may spend in this window; all its tests and
    horizons share it.
    """
    spent: float | None
    """The largest share, over all tests and horizons, of what a test was allowed that its p-value
    spends (``allowed / p_value``, at most 1): 1 is evidence, provided that the effect is large
    enough. Null if nothing was tested.
    """
    findings: tuple[EvidenceFinding, ...] = ()
    """The strongest finding on the distribution of the values, also if it is no evidence; and on
    other subjects those that hold.
    """
    factor: float = 1.0
    """The design effect of rows that depend on their neighbours: the window's n rows say as much as
    ``n / factor`` independent ones.
    """
    lingers: bool = False
    """Whether a drift of the open episode is still there: at half of the effect limit, over as many
    windows as it was found with.
    """

    @property
    def nearness(self) -> float:
        """How near the findings are to a violation: 1 at it, more beyond; 0 if there are none."""
        return max((each.nearness for each in self.findings), default=0.0)
