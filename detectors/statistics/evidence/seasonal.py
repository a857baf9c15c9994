"""The tallies of a baseline's seasons, and mixtures of them for windows judged together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.profiles.baseline import Baseline
from detectors.profiles.calendar import Key
from detectors.profiles.seasons import Seasons
from detectors.statistics.evidence.references import Expected, TallyReference
from detectors.statistics.evidence.scores import SCALE
from detectors.statistics.evidence.tallies import (
    MOST_LAYOUTS,
    SCORES,
    SHARES,
    TOTAL_OF,
    TallyLayout,
    tally_layout,
)
from detectors.statistics.evidence.text_cells import unseen_in_season

ROUNDING = 1e-6
"""What a count of a mixture may lie beyond a whole number by rounding alone."""
LEAST_VARIANCE: Final = 0.1
"""The smallest variance of a season's scores, over that of the whole baseline's: where almost all
rows of a season are alike, a few others tell nothing of how far a mean varies."""
WHOLES: Final = ("values", "rows")
"""What means and shares are taken over."""
WHOLE: Final = (0,)
"""The position of the whole baseline, before those of the seasons."""
Pool = tuple[int, ...]
"""The baselines that are one reference together, by position."""
Parts = tuple[tuple[Pool, float], ...]
"""What a window is compared with, and the part of each."""
PastRows = Sequence[tuple[int, Ints]]
"""The start and the rows of each feature of some windows, the newest first."""


class SeasonalTallies:
    """What windows are compared with where a baseline has seasons.

    One window is compared with the counts of its season (:meth:`at`). Windows that are judged
    together have a mixture (:meth:`over`): with ``w_k`` the share of their rows that belong to
    season k, and ``t_k`` the tally of its ``m_k`` rows, they are expected to have a share of
    ``sum(w_k * t_k / m_k)``. The mixture is stated in ``m = min(m_k / w_k)`` rows: then no
    row of a season counts for more than one, and the mixture varies no more than a sample of m
    rows, whichever season the share comes from. Seasons in proportion to ``w_k`` give all their
    rows. Where windows are compared with pools that share rows, these count with the sum of their
    weights; and those of the whole baseline, which may hold the rows of all seasons, as if it did.

    With the length of the windows given, a window within an hour has a part in the hour beside its
    own (:meth:`.Calendar.between`): it is expected to lie on the line between the middles of both.
    """

    def __init__(self, layout: TallyLayout, baseline: Baseline, seasons: Seasons) -> None:
        self.layout = layout
        self._seasons = seasons
        self._counts = [baseline.profile.counts, *(p.counts for p in seasons.profiles.values())]
        self._place = {key: k for k, key in enumerate(seasons.profiles, start=1)}
        self._sums = np.stack([self._sums_of(counts) for counts in self._counts])
        features = np.arange(layout.features)
        kinds = layout.first_cell // max(layout.features, 1)
        self._feature = np.concatenate(
            (np.tile(features, kinds), layout.cell_feature, np.tile(features, len(SCORES) + 1))
        )
        self._rows = layout.named(self._sums[:, : layout.size], "rows")
        self._parts = lru_cache(MOST_LAYOUTS)(self._find_parts)
        self._pools: dict[Pool, TallyReference] = {WHOLE: layout.whole}

    def at(self, start_ms: int, length_ms: int | None = None) -> TallyReference:
        """What one window that begins then is compared with, see :meth:`over`."""
        return self._alone(self._parts(start_ms, length_ms))

    def differs(self, starts: Iterable[int], length_ms: int) -> bool:
        """Whether windows of a length are compared with another mixture if it is known."""
        return any(self._parts(start, length_ms) != self._parts(start, None) for start in starts)

    def of(self, key: Key) -> TallyReference:
        """What a window of this season is compared with."""
        return self._pooled(self._positions(self._seasons.pool_of(key)))

    def over(
        self,
        start_ms: int,
        rows: Ints,
        past: PastRows,
        horizons: Sequence[int],
        length_ms: int | None = None,
    ) -> TallyReference:
        """What a window of ``rows[features]`` rows is compared with, alone and with earlier ones.

        ``past`` has those before it. Without rows at a horizon it is the window's own season.
        ``length_ms``: that of the windows, for the line between hours; without it a window is
        compared with the season in which it begins.
        """
        parts = [self._parts(start, length_ms) for start in (start_ms, *(p[0] for p in past))]
        own = self._alone(parts[0])
        if all(part == parts[0] for part in parts):
            return own
        pools, of = _pools(parts)
        each = np.stack([rows, *(before for _, before in past)]).astype(np.float64)
        held = np.cumsum(of[:, :, None] * each, axis=1)[:, np.minimum(horizons, len(parts)) - 1]
        sums = self._mixture(pools, _weights(held))
        sums[0, : self.layout.size] = own.tallies[0]
        return self._reference(sums, own.counts, own)

    def expected(self, spans: Sequence[tuple[int, int | None]]) -> Expected:
        """What windows are expected to look like, by the start and the length of each.

        Without a length a window looks like the season in which it begins, see :meth:`over`.
        """
        parts = [self._parts(*span) for span in spans]
        pools, of = _pools(parts)
        references = [self._pooled(pool) for pool in pools]
        known = np.concatenate([reference.tallies for reference in references])
        own = np.concatenate([reference.variances[:2] for reference in references], axis=1)
        moved = np.diff(of, axis=1).T ** 2
        with np.errstate(divide="ignore", invalid="ignore"):
            rows = self.layout.named(known, "rows")
            errors = [moved @ (1.0 / self.layout.named(known, whole)) for whole in WHOLES]
            shares = known / rows[:, self._feature[: self.layout.size]]
            return Expected(of.T @ shares, of.T @ own, np.stack(errors))

    def _find_parts(self, start_ms: int, length_ms: int | None) -> Parts:
        """The baselines that a window is compared with, and the part of each."""
        if length_ms is None:
            return ((self._pool(start_ms), 1.0),)
        middle_ms = start_ms + length_ms // 2
        other_ms, part = self._seasons.calendar.between(middle_ms)
        own, other = self._pool(middle_ms), self._pool(other_ms)
        if not part or own == other:
            return ((own, 1.0),)
        return ((own, 1.0 - part), (other, part))

    def _alone(self, parts: Parts) -> TallyReference:
        """What one window of these parts is compared with."""
        own = self._pooled(parts[0][0])
        if len(parts) == 1:
            return own
        weights = np.array([part for _, part in parts])[:, None, None]
        pools = [pool for pool, _ in parts]
        sums = self._mixture(pools, np.broadcast_to(weights, (2, 1, self.layout.features)))
        return self._reference(sums, own.counts, own)

    def _pool(self, start_ms: int) -> Pool:
        return self._positions(self._seasons.pool(start_ms))

    def _positions(self, keys: Sequence[Key]) -> Pool:
        return tuple(self._place[key] for key in keys) or WHOLE

    def _pooled(self, pool: Pool) -> TallyReference:
        if pool not in self._pools:
            counts: Ints = np.sum([self._counts[k] for k in pool], axis=0)
            sums = self._sums[list(pool)].sum(axis=0)[None]
            self._pools[pool] = self._reference(sums, counts)
        return self._pools[pool]

    def _mixture(self, pools: Sequence[Pool], weights: Floats) -> Floats:
        """The sums of a mixture of pools by their ``weights[pools, horizons, features]``."""
        per_row = np.zeros((len(self._rows), *weights.shape[1:]))
        for pool, weight in zip(pools, weights, strict=True):
            held = self._rows[list(pool)].sum(axis=0)
            per_row[list(pool)] += np.where(held > 0.0, weight / np.maximum(held, 1.0), 0.0)
        sums: Floats = self._mixed(per_row) * self._worth(per_row)[:, self._feature]
        return sums

    def _worth(self, per_row: Floats) -> Floats:
        """The rows that a mixture is worth at least, ``[horizons, features]``; 0 without any.

        ``per_row[baselines, horizons, features]`` is the weight of each row: none is to count for
        more than one. Those of the whole baseline, the first, may be those of the seasons too.
        """
        held = np.where(self._rows[:, None] > 0.0, per_row, 0.0)
        most = held[0] + held[1:].max(axis=0, initial=0.0)
        worth: Floats = np.divide(1.0, most, out=np.zeros_like(most), where=most > 0.0)
        return worth

    def _mixed(self, per_row: Floats) -> Floats:
        """The weighted sums, ``[horizons, sums]``.

        Features of equal weights, which are all unless some were learned later, are summed at once.
        """
        used = np.flatnonzero(per_row.any(axis=(1, 2)))
        per_row, sums = per_row[used], self._sums[used]
        flat = per_row.reshape(-1, per_row.shape[-1])
        _, first, group = np.unique(flat, axis=1, return_index=True, return_inverse=True)
        if len(first) == 1:
            return np.asarray(per_row[:, :, 0].T @ sums)
        mixed = np.empty((per_row.shape[1], sums.shape[1]))
        of = group.reshape(-1)[self._feature]
        for g, i in enumerate(first.tolist()):
            mixed[:, of == g] = per_row[:, :, i].T @ sums[:, of == g]
        return mixed

    def _sums_of(self, counts: Ints) -> Floats:
        """Everything of a baseline that is added up: tallies, squared scores, unknown values."""
        layout = self.layout
        unseen = np.zeros(layout.features)
        for i, feature in enumerate(layout.layout.features):
            if not feature.numeric:
                bins = layout.layout.bins(i)
                unseen[i] = unseen_in_season(feature, self._counts[0][bins], counts[bins])
        squares = layout.squared_scores(counts).reshape(-1)
        return np.concatenate((layout.tallies(counts), squares, unseen))

    def _reference(
        self, sums: Floats, counts: Ints, newest: TallyReference | None = None
    ) -> TallyReference:
        """The reference of some sums, ``[horizons, sums]``."""
        layout = self.layout
        tallies, rest = sums[:, : layout.size], sums[:, layout.size :]
        squares, unseen = rest[:, : -layout.features], rest[:, -layout.features :]
        with np.errstate(invalid="ignore", divide="ignore"):
            values = layout.named(tallies, "values")
            means = layout.several(tallies, SCORES) / SCALE / values
            of_scores = squares.reshape(len(sums), len(SCORES), layout.features)
            variances = np.moveaxis(of_scores, 1, 0) / values - means**2
            least = LEAST_VARIANCE * layout.variances[:, None]
        return TallyReference(
            layout.layout,
            tallies,
            np.maximum(variances, least),
            self._shares(tallies, unseen),
            counts,
            newest,
        )

    def _shares(self, tallies: Floats, unseen: Floats) -> tuple[Floats, Floats]:
        """The parts and totals of the shares, in whole rows: more of the parts, fewer of all.

        The tests of shares ask how often a share that was as large before is exceeded.
        """
        layout = self.layout
        parts = layout.several(tallies, SHARES).copy()
        totals = np.stack([layout.named(tallies, TOTAL_OF[name]) for name in SHARES])
        k = SHARES.index("unseen")
        whole, of = layout.shares_before[1][k], layout.named(layout.baseline, "values")
        for i, feature in enumerate(layout.layout.features):
            if not feature.numeric:
                trust = whole[i] / of[i] if of[i] else 1.0
                parts[k, :, i], totals[k, :, i] = unseen[:, i] * trust, totals[k, :, i] * trust
        return np.ceil(parts - ROUNDING), np.floor(totals + ROUNDING)


def _pools(parts: Sequence[Parts]) -> tuple[list[Pool], Floats]:
    """The pools that windows are compared with, and the part of each, ``[pools, windows]``."""
    pools = list(dict.fromkeys(pool for part in parts for pool, _ in part))
    place = {pool: k for k, pool in enumerate(pools)}
    of = np.zeros((len(pools), len(parts)))
    for k, part in enumerate(parts):
        for pool, share in part:
            of[place[pool], k] = share
    return pools, of


def _weights(held: Floats) -> Floats:
    """The share of each pool in the rows ``[pools, horizons, features]``; the first without any."""
    total = held.sum(axis=0)
    weights: Floats = np.divide(held, total, out=np.zeros_like(held), where=total > 0.0)
    weights[0] += total <= 0.0
    return weights


class _Keyed:
    """A baseline that is equal to every other one of its fingerprint, and of its seasons'."""

    def __init__(self, baseline: Baseline, seasons: Seasons) -> None:
        self.baseline, self.seasons = baseline, seasons
        self._key = baseline.fingerprint, seasons.fingerprint

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Keyed) and self._key == other._key


def seasonal_tallies(baseline: Baseline) -> SeasonalTallies | None:
    """The tallies of the seasons of a baseline, ``None`` without any; the last ones are kept."""
    return None if baseline.seasons is None else _kept(_Keyed(baseline, baseline.seasons))


@lru_cache(maxsize=MOST_LAYOUTS)
def _kept(keyed: _Keyed) -> SeasonalTallies:
    return SeasonalTallies(tally_layout(keyed.baseline), keyed.baseline, keyed.seasons)
