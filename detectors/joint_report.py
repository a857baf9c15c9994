"""The dependence of features in a window, as reports publish it."""

from __future__ import annotations

from typing import Literal

import msgspec


class PairReport(msgspec.Struct, frozen=True, kw_only=True):
    """The dependence of two features in a window, beside that in the baseline."""

    first: str
    """The one feature."""
    second: str
    """The other feature."""
    measure: Literal["rank_correlation", "cramers_v"]
    """What ``before`` and ``after`` are: the correlation of the ranks of four levels; or Cramer's
    V, 0 to 1, where one of the features is a text, or where it has changed more.
    """
    before: float | None
    """Its value in the baseline; null where a feature has a single level."""
    after: float | None
    """Its value in the window; null where a feature has a single level."""
    n: int
    """The number of rows in which both features have a value."""
    p_value: float
    """The chance of such a change without drift."""
    allowed: float
    """The p-value up to which the pair may speak: its part of the budget."""
    effect: float
    """The estimated size of the change, less what chance adds, as a Hellinger distance."""
    effect_limit: float
    """The smallest effect that is worth a signal."""

    @property
    def holds(self) -> bool:
        """Whether this is evidence of a change that is worth a signal."""
        return self.p_value <= self.allowed and self.effect >= self.effect_limit


class UnjudgedPair(msgspec.Struct, frozen=True, kw_only=True):
    """Two features whose dependence was not judged in a window."""

    first: str
    """The one feature."""
    second: str
    """The other feature."""
    n: int
    """The number of rows in which both features have a value."""
    reason: str
    """Why the pair was not judged, in words."""


class JointReport(msgspec.Struct, frozen=True, kw_only=True):
    """The dependence of the features that are counted in pairs."""

    features: tuple[str, ...]
    """The features that are counted in pairs."""
    budget: float = 0.0
    """The chance of false evidence that all pairs may spend in this window together; 0 where pairs
    are not judged.
    """
    judged: int = 0
    """The number of pairs that were judged. A pair of fewer than 30 independent rows is not, nor is
    one with a feature that has drifted by itself, or whose weight is 0.
    """
    drifted: int = 0
    """The number of pairs with evidence of a change that is worth a signal."""
    pairs: tuple[PairReport, ...] = ()
    """The judged pairs that changed most, the smallest p-value first: up to 20 of them."""
    unjudged: tuple[UnjudgedPair, ...] = ()
    """Pairs that were not judged, in the order of the features: up to 20 of them."""
    lingers: bool = False
    """Whether a change of the open episode is still there, at half of the effect limit."""
