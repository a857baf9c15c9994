"""The contract of a test, and the sums that it is computed from."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar, Protocol

import msgspec
import numpy as np

from detectors.arrays import Floats, Ints
from detectors.statistics.evidence.references import TallyReference
from detectors.statistics.evidence.tallies import TallyLayout


class Pooled:
    """The tallies of a window together with the windows before it, beside those of the baseline.

    * ``sums``: ``int64[horizons, layout.size]``, one row a horizon: the window, alone and with
      earlier ones.
    * ``reference``: what they are compared with, the whole baseline by default. ``before`` are its
      tallies, ``[1, layout.size]`` or one row a horizon.
    * ``factor``: ``float64[features]`` or ``[horizons, features]``, 1 for independent rows: a mean
      of n rows has the variance of a mean of ``n / factor`` independent ones. See
      :func:`detectors.statistics.evidence.dependence.factor_of`.
    * ``counts``: the counts of the newest window alone, ``int64[slots]``. Without them no feature
      is tested for a spike.
    * ``screened``: 1 may stand for p-values above :data:`~detectors.statistics.laws.UNSCREENED`,
      for who asks first whether any finding holds.
    """

    def __init__(
        self,
        layout: TallyLayout,
        sums: Ints,
        factor: Floats,
        counts: Ints | None = None,
        reference: TallyReference | None = None,
        *,
        screened: bool = False,
    ) -> None:
        self.layout = layout
        self.sums = sums
        self.reference = reference or layout.whole
        self.before = self.reference.tallies
        self.factor = np.broadcast_to(factor, (len(sums), layout.features))
        self.counts = counts
        self.screened = screened

    def after(self, name: str) -> Ints:
        """A tally of the windows, ``int64[horizons, features]``."""
        return self.layout.named(self.sums, name)

    @cached_property
    def n(self) -> Floats:
        """Values of the windows, ``float64[horizons, features]``."""
        return self.after("values").astype(np.float64)

    @cached_property
    def m(self) -> Floats:
        """Values of the baseline, ``float64[features]`` in one row, or in one a horizon."""
        return self.layout.named(self.before, "values")

    @cached_property
    def scale(self) -> Floats:
        """``factor * (1/n + 1/m)``; infinite where a side has no value."""
        with np.errstate(divide="ignore"):
            scale: Floats = self.factor * (1.0 / self.n + 1.0 / self.m)
        return scale


class Outcome(msgspec.Struct, frozen=True, eq=False):
    """What tests say of each feature at each horizon: ``float64[tests, horizons, features]``.

    ``p_value``: 1 where the test does not apply. ``effect``: the estimated size of the drift, less
    what chance adds to it, on the scale of the Hellinger distance: a gap of normal means of
    ``d`` deviations is about ``d / sqrt(8)``. ``direction``: 1 for more or larger, -1 for fewer or
    smaller, 0 for neither.
    """

    p_value: Floats
    effect: Floats
    direction: Floats


class Tests(Protocol):
    """Tests of one kind, of all features at all horizons; one file for each kind.

    ``names`` are those of the tests, in the order of the arrays of their outcome.
    """

    names: ClassVar[tuple[str, ...]]

    def outcome(self, pooled: Pooled) -> Outcome:
        """The p-value and the effect of each feature at each horizon."""
        ...


def unbiased_effect(statistic: Floats, dof: Floats | float, scale: Floats) -> Floats:
    """``sqrt(max(statistic - dof, 0) * scale / 8)``, at most 1: what is left of a statistic of
    ``dof`` degrees of freedom when its mean without drift is taken off; 0 where a side has no
    value. No Hellinger distance is above 1; beyond it the scale of normal means has no meaning.
    """
    with np.errstate(invalid="ignore"):
        excess = np.maximum(statistic - dof, 0.0) * scale / 8.0
    effect: Floats = np.sqrt(np.minimum(np.where(np.isfinite(excess), excess, 0.0), 1.0))
    return effect
