"""Evidence inside an open window: e-values, which may be looked at as often as wanted."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Floats, Ints
from detectors.statistics.evidence.dependence import factor_of_shares
from detectors.statistics.evidence.references import TallyReference
from detectors.statistics.evidence.tallies import SHARES, TOTAL_OF, TOTALS, TallyLayout
from detectors.statistics.laws import log_rising

CONCENTRATIONS: Final = (100.0, 1000.0)
"""Dirichlet alternatives near the baseline: cells of a change that is moderate, and of a small one.
A third, of half a count a cell, stands for any other distribution."""
EARLY_SHARES: Final = ("missing", "nan", "infinite", "mistyped", "unseen", "below", "above")
"""The tallies whose share of their total is judged by itself, in the order of the layout."""
WHOLE: Final = [TOTALS.index(TOTAL_OF[name]) for name in EARLY_SHARES]
"""The total of which each is a part, by position."""
TESTED: Final = [SHARES.index(name) for name in EARLY_SHARES]
"""The position of each among all shares."""
PARTS: Final = ("distribution", *EARLY_SHARES)
OF_DISTRIBUTION: Final = 0.5
"""The weight of the distribution over the cells; the shares have equal parts of the rest."""
SMALL_CELL: Final = 5
"""Cells with fewer values in the baseline are one cell together."""
_LOG_WEIGHTS: Final[Floats] = np.log(
    [OF_DISTRIBUTION, *[(1.0 - OF_DISTRIBUTION) / len(EARLY_SHARES)] * len(EARLY_SHARES)]
)


class EarlyEvidence(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The largest e-value of each feature, since a look or since the start of the window.

    Arrays of one entry a feature. ``start``: the row of the sums. ``part``: the one of
    :data:`PARTS` that contributes most. ``log_e``: the natural logarithm of the e-value, less what
    choosing among the starts costs. ``rows``: those since then.
    """

    start: Ints
    part: Ints
    log_e: Floats
    rows: Ints


class EProcess:
    """E-values of a window's rows so far, against the baseline's counts.

    For rows of the baseline's distribution, whatever it is, the chance that an e-value is ever
    ``1 / alpha`` or more is at most ``alpha``. So it may be computed at any time and as often as
    wanted. With ``N_c`` values in cell c of the baseline (m in all) and ``x_c`` in the window (n in
    all), the e-value of the distribution is::

        mean over a of  prod_c (a_c)^(x_c) / (sum a)^(n)   *   (m + 1)^(n) / prod_c (N_c + 1)^(x_c)

    where ``y^(x)`` is the rising factorial, and ``a`` are Dirichlet alternatives: 100 and 1,000
    times the baseline's shares, and 1/2 in each cell. The e-value of a share has two cells and the
    alternative of 1/2 alone. The e-value of a feature is the mean of all, half of it the
    distribution. It depends on nothing but the two sums of counts.

    With one count added to each cell, the mean of the e-value over baseline *and* window is at most
    1 at each look for any fixed alternative and any distribution, because the factor on the right
    turns the chances of both samples into those of one larger sample. Given the baseline it is a
    supermartingale under the Dirichlet law of the rows to come, hence the bound over all looks
    (Ville 1939).

    ``factor``: ``float64[features]``, the design effect of dependent rows, 1 or more. All counts
    are divided by it, those of a share by the factor of that share
    (:func:`~.dependence.factor_of_shares`); so rows that come in groups of f equal ones are judged
    as one each. (Dividing the logarithm instead would forgive too much: what the alternatives learn
    of the window would count as if the rows were independent.)

    ``reference``: what the window is compared with, the whole baseline by default. ``second``:
    e-values against another reference, which may be right instead.

    Source: Robbins 1970 for mixtures; Ramdas et al. 2023 for e-processes.
    """

    def __init__(
        self,
        layout: TallyLayout,
        factor: Floats,
        reference: TallyReference | None = None,
        second: EProcess | None = None,
    ) -> None:
        self.layout = layout
        self.factor = factor
        self.reference = reference or layout.whole
        self.second = second
        known = layout.cells(self.reference.tallies[0])
        self._order, self._firsts, self._of = _merged(layout, known)
        self._cell_factor = factor[self._of]
        before = self._merge(known[None])[0]
        self._before = before + 1.0
        self._m = self._of_features(before[None])[0]
        shares = self._before / self._of_features(self._before[None])[0][self._of]
        self._alternatives = [
            *(concentration * shares for concentration in CONCENTRATIONS),
            np.full_like(shares, 0.5),
        ]

    def log_e_values(self, sums: Ints) -> Floats:
        """Of tallies ``int64[starts, size]`` the logarithms of the weighted e-values.

        ``float64[parts, starts, features]`` in the order of :data:`PARTS`; the e-value of a feature
        is the sum of their exponentials over the parts. Without rows it is 1.
        """
        parts = np.stack([self._of_distribution(sums), *self._of_shares(sums)])
        weighted: Floats = parts + _LOG_WEIGHTS[:, None, None]
        return weighted

    def strongest(self, sums: Ints, log_weights: Floats) -> EarlyEvidence:
        """The largest e-value of each feature over several starts, each times its weight.

        ``log_weights``: ``float64[starts]``, of weights that add up to at most 1 over all starts
        that there ever are in a window. A largest weighted e-value of ``1 / alpha`` then has a
        chance of at most ``alpha``, whatever the dependence (union bound).
        """
        parts = self.log_e_values(sums)
        log_e = np.logaddexp.reduce(parts, axis=0) + log_weights[:, None]
        start = np.argmax(log_e, axis=0)
        each = np.arange(self.layout.features)
        return EarlyEvidence(
            start=start,
            part=np.argmax(parts[:, start, each], axis=0),
            log_e=log_e[start, each],
            rows=self.layout.named(sums, "rows")[start, each],
        )

    def _of_distribution(self, sums: Ints) -> Floats:
        after = self._merge(self.layout.cells(sums))
        n = self._of_features(after)
        null = self._of_features(log_rising(self._before, after)) - log_rising(self._m + 1.0, n)
        mixed = [self._alternative(a, after, n) - null for a in self._alternatives]
        log_e: Floats = np.logaddexp.reduce(np.stack(mixed), axis=0)
        return log_e - float(np.log(len(mixed)))

    def _alternative(self, a: Floats, after: Floats, n: Floats) -> Floats:
        """The logarithm of the chance of the cells under a Dirichlet alternative."""
        total = self._of_features(a[None])[0]
        chance: Floats = self._of_features(log_rising(a, after)) - log_rising(total, n)
        return chance

    def _of_shares(self, sums: Ints) -> Floats:
        """The logarithms of the e-values of the shares, ``[shares, starts, features]``."""
        layout = self.layout
        factor = factor_of_shares(layout, self.factor[None])[TESTED]
        k = layout.several(sums, EARLY_SHARES) / factor
        n = layout.several(sums, TOTALS)[WHOLE] / factor
        j, m = (side[TESTED] / factor for side in self.reference.shares)
        return log_share_e(k, n, j, m)

    def _merge(self, cells: Ints) -> Floats:
        """The counts of ``cells[..., cells]`` with the small cells of each feature as one, over
        the factor.
        """
        merged: Floats = np.add.reduceat(cells[..., self._order], self._firsts, axis=-1)
        return merged / self._cell_factor

    def _of_features(self, cells: Floats) -> Floats:
        """The sum over the merged cells of each feature, ``[..., features]``."""
        starts = np.searchsorted(self._of, np.arange(self.layout.features))
        sums: Floats = np.add.reduceat(cells, starts, axis=-1)
        return sums


def log_share_e(k: Floats, n: Floats, j: Floats, m: Floats) -> Floats:
    """The logarithm of the e-value of k of n rows, where the baseline has j of m.

    The first row is missing after a baseline of 999 that is full: (1/2) / (1/1000).

    >>> k, n, j, m = (np.array(count) for count in (1.0, 1.0, 0.0, 999.0))
    >>> np.exp(log_share_e(k, n, j, m)).round(6).item()
    500.0
    """
    half, one = np.full_like(k, 0.5), np.ones_like(k)
    chance = log_rising(half, k) + log_rising(half, n - k) - log_rising(one, n)
    null = log_rising(j + 1.0, k) + log_rising(m - j + 1.0, n - k) - log_rising(m + 1.0, n)
    log_e: Floats = chance - null
    return log_e


def _merged(layout: TallyLayout, before: Ints | Floats) -> tuple[Ints, Ints, Ints]:
    """An order of the cells in which those of a feature that are small come last; the first cell
    of each merged one in that order; and the features of the merged cells.
    """
    small = before < SMALL_CELL
    order = np.lexsort((small, layout.cell_feature))
    feature, is_small = layout.cell_feature[order], small[order]
    same = (feature[1:] == feature[:-1]) & is_small[1:] & is_small[:-1]
    firsts = np.flatnonzero(np.concatenate([[True], ~same]))
    return order, firsts, feature[firsts]
