"""The values of a feature of text or of codes on both sides, in the forms that causes need."""

from __future__ import annotations

from functools import cached_property
from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.diagnosis.goodness import goodness
from detectors.diagnosis.new_values import NewValue, new_values
from detectors.profiles.layout import HASHED_BINS
from detectors.statistics.distances.base import Pair
from detectors.statistics.laws import beta_binomial_tail

CHANCE: Final = 1e-5
"""The highest probability of a chance excess of new values."""
CHANCE_ABSENCE: Final = 1e-3
"""The highest probability that chance alone makes any known value absent."""
NOTICEABLE: Final = 0.004
"""The least share of new values that is called one."""


class Categories:
    """Counts of known values, and of all new ones together, of feature ``i``.

    * ``before``, ``after``: of each known value; of text also the rare ones, all in the last entry.
    * ``new_rows``: of values that the baseline does not know, in the window.
    * ``new_before``: the share of new values that the baseline leads one to expect.
    """

    def __init__(self, pair: Pair, i: int, expose_values: bool = False) -> None:
        self.pair, self.i, self.expose_values = pair, i, expose_values
        self.feature = feature = pair.layout.features[i]
        first = int(pair.layout.cell_starts[i])
        stop = int(pair.layout.cell_starts[i + 1])
        if feature.numeric:
            known = np.arange(first, stop - 1)
        else:
            words = first + len(feature.vocabulary)
            known = np.r_[first:words, words + HASHED_BINS : stop]
        self.before: Ints = pair.before[known]
        self.after: Ints = pair.after[known]
        self.n, self.m = int(pair.n[i]), int(pair.m[i])
        self.new_rows = self.n - int(self.after.sum())
        self._labels = [pair.layout.cell_labels(i)[k - first] for k in known.tolist()]

    @cached_property
    def new_before(self) -> float:
        """The share of new values that the baseline leads one to expect."""
        return self.new_rows / self.n - float(self.pair.unseen_gain[self.i])

    @cached_property
    def has_new(self) -> bool:
        """Whether new values are more than the baseline and chance explain."""
        usual = min(max(self.new_before, 0.0) * self.m, self.m)
        noticeable = self.new_rows / self.n - self.new_before > NOTICEABLE
        tail = beta_binomial_tail(self.new_rows, self.n, usual + 0.5, self.m - usual + 0.5)
        return noticeable and tail < CHANCE

    @cached_property
    def vanished(self) -> Ints:
        """The known values that are absent although chance does not explain it, most first.

        With ``k`` of ``m`` rows in the baseline, ``n`` rows have none with the probability
        ``(m / (n + m))**k``.
        """
        known = self.before[: len(self.feature.vocabulary)] if self.words else self.before
        after = self.after[: len(known)]
        level = np.log(CHANCE_ABSENCE / max(len(known), 1))
        gone = (after == 0) & (known * np.log(self.m / (self.n + self.m)) < level)
        return np.flatnonzero(gone)[np.argsort(-known[gone], kind="stable")]

    @property
    def words(self) -> bool:
        """Whether the values are texts."""
        return not self.feature.numeric

    @cached_property
    def named(self) -> list[NewValue]:
        """The new values that the window names, most frequent first; of text only."""
        return new_values(self.pair.window, self.i)

    def label(self, k: int) -> str:
        """The name of a known value."""
        return self._labels[k]

    def fits(self, after: Ints | Floats, without: Ints | None = None) -> float:
        """The p-value of counts of the known values against the baseline's shares.

        Of all but those at ``without``. Both sides are compared among these values alone.
        """
        used = np.ones(len(self.before), bool)
        if without is not None:
            used[without] = False
        counts = np.asarray(after, float)[used]
        n, m = float(counts.sum()), float(self.before[used].sum())
        if not n or not m:
            return 1.0
        order = np.argsort(-self.before[used], kind="stable")
        return goodness(self.before[used][order].astype(float), counts[order], 1.0 / n + 1.0 / m)

    @cached_property
    def moved(self) -> float:
        """Half the sum of all differences of shares (total variation), new values included."""
        gaps = np.abs(self.after / self.n - self.before / self.m).sum()
        return float(gaps + abs(self.new_rows / self.n - (1.0 - self.before.sum() / self.m))) / 2.0
