"""What windows are compared with: tallies of the baseline, and what tests know of its values."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

from detectors.arrays import Floats, Ints
from detectors.profiles.layout import Layout
from detectors.statistics.evidence.neighbourhoods import Neighbourhoods, neighbourhoods


class TallyReference:
    """The side of the baseline in all tests: one row for each horizon, or a single one for all.

    * ``tallies``: ``[rows, size]``, those of as many rows of the baseline as it is worth. They need
      not be whole numbers where several seasons are mixed.
    * ``variances``: ``[scores, rows, features]``, of the scores; NaN where there are none.
    * ``shares``: the parts and totals of all tested shares, ``[shares, rows, features]`` each.
    * ``counts``: ``int64[slots]``, those that the newest window alone is compared with; ``newest``
      is the reference of it alone, if this is another one.
    """

    def __init__(
        self,
        layout: Layout,
        tallies: Floats,
        variances: Floats,
        shares: tuple[Floats, Floats],
        counts: Ints,
        newest: TallyReference | None = None,
    ) -> None:
        self.layout = layout
        self.tallies = tallies
        self.variances = variances
        self.shares = shares
        self.counts = counts
        self._newest = newest

    @cached_property
    def fine(self) -> Neighbourhoods:
        """The fine bins of the numeric features of many values, for the newest window alone."""
        return self._newest.fine if self._newest else neighbourhoods(self.layout, self.counts)


class Expected(NamedTuple):
    """What consecutive windows of several seasons are expected to look like.

    * ``tallies``: ``[windows, size]``, those of one row.
    * ``variances``: ``[scores, windows, features]``, of the scores of location and spread.
    * ``errors``: ``[2, pairs, features]``, the variance of the difference of two consecutive ones
      over that of one value, and over that of one row.
    """

    tallies: Floats
    variances: Floats
    errors: Floats
