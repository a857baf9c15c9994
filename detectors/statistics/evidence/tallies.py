"""Tallies: the sums of a window's counts that the tests need, additive over windows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import Final, TypeVar

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.profiles.baseline import Baseline
from detectors.profiles.binning import TAIL_SHARES
from detectors.profiles.layout import HASHED_BINS, HEAD, MISSING, NEG_INF, TAIL, Feature
from detectors.profiles.magnitude import bins_beyond_magnitude
from detectors.statistics.evidence.references import TallyReference
from detectors.statistics.evidence.scores import SCALE, scores_of
from detectors.statistics.evidence.text_cells import beyond_patterns, text_cells, unseen_rows
from detectors.statistics.measures import FITTING, TYPES

SLACK: Final = 1.25
"""The largest share in a tail, in units of that which its edge is made for from a sample."""
SCORES: Final = ("location", "spread", "normal")
"""The tallies that are sums of scores of the fine bins, in units of ``1 / SCALE``."""
SHARES: Final = (
    "missing", "nan", "infinite", "mistyped", "unseen", "below", "above",
    *(f"{end}_tail_{k}" for end in ("low", "high") for k in range(len(TAIL_SHARES))),
)  # fmt: skip
"""The tallies whose share is tested; see :attr:`TallyLayout.totals` for what each is a share of."""
OUTER_SHARES: Final = (0.02, 0.01)
"""The shares of the outer parts at both ends, in which it is tested how far out values lie."""
OUTER: Final = tuple(
    f"{end}_outer_{k}" for end in ("low", "high") for k in range(len(OUTER_SHARES))
)
TOTALS: Final = ("rows", "present", "values")
"""Rows, rows with a value, and values in the coarse cells (finite numbers, or texts)."""
TOTAL_OF: Final = {
    "missing": "rows",
    "nan": "present",
    "infinite": "present",
    "mistyped": "present",
} | dict.fromkeys(SHARES[4:], "values")
"""The total of which each of :data:`SHARES` is a part."""
NAMES: Final = (*TOTALS, *SCORES, *SHARES, *OUTER)

Tallies = TypeVar("Tallies", Ints, Floats)
"""Sums of counts, or of weighted ones."""
MOST_LAYOUTS: Final = 1_024
"""The number of baselines whose layouts are kept, those used last."""


class TallyLayout:
    """The order of the tallies of a baseline's layout in one ``int64`` vector.

    First one tally a feature for each of :data:`NAMES`, then the cells that distributions are
    compared by. Each is a weighted sum of counts with whole weights: the tallies of two windows
    together are the sum of theirs, exactly and in any order.

    The cells are the coarse cells of numeric features, and those of
    :func:`~detectors.statistics.evidence.text_cells.text_cells`.
    """

    def __init__(self, baseline: Baseline) -> None:
        self.layout = baseline.layout
        self.features = len(baseline.layout.features)
        self._baseline = baseline.fingerprint
        self._counts = baseline.profile.counts
        self.cell_feature, self._cell_of = _cells(baseline)
        self.first_cell = len(NAMES) * self.features
        self.size = self.first_cell + len(self.cell_feature)
        scored = [scores_of(self.layout, i, self._counts) for i in range(self.features)]
        self.variances: Floats = np.array([[each[name][1] for each in scored] for name in SCORES])
        """The variances of the baseline's scores, ``[scores, features]``; NaN for text."""
        slots, targets, weights = self._entries(scored)
        order = np.argsort(targets, kind="stable")
        self._filled, self._firsts = np.unique(targets[order], return_index=True)
        # Thousands of models have one of these each: no number in it needs 64 bits.
        self._slots = slots[order].astype(np.int32)
        self._weights = weights[order].astype(np.int32)
        self.baseline: Ints = self.tallies(self._counts)

    def tallies(self, counts: Ints) -> Ints:
        """The tallies of a vector of counts of the layout."""
        out = np.zeros(self.size, np.int64)
        weighted = counts.take(self._slots)
        weighted *= self._weights
        out[self._filled] = np.add.reduceat(weighted, self._firsts)
        return out

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits over the baseline, and over the weight of each slot in each tally.

        Tallies of equal fingerprints may be added up; those of another baseline, also with the
        same bins, or that an earlier version weighted in another way, may not.
        """
        seed = blake2b("/".join((self._baseline, *NAMES)).encode(), digest_size=8)
        for vector in (self._filled, self._firsts, self._slots, self._weights):
            seed.update(vector.tobytes())
        return seed.hexdigest()

    def named(self, tallies: Tallies, name: str) -> Tallies:
        """One kind of tally: of ``tallies[..., size]`` the part ``[..., features]``."""
        start = NAMES.index(name) * self.features
        return tallies[..., start : start + self.features]

    def several(self, tallies: Tallies, names: Sequence[str]) -> Tallies:
        """Several kinds of tallies that follow each other in :data:`NAMES`.

        Of ``tallies[..., size]`` the part ``[names, ..., features]``.
        """
        start = NAMES.index(names[0])
        kinds = tallies[..., : self.first_cell].reshape(
            *tallies.shape[:-1], len(NAMES), self.features
        )
        return np.moveaxis(kinds[..., start : start + len(names), :], -2, 0)

    def cells(self, tallies: Tallies) -> Tallies:
        """The cells of ``tallies[..., size]``."""
        return tallies[..., self.first_cell :]

    def positions(self, features: Sequence[int]) -> Ints:
        """The positions of all tallies of some features in a vector, in order.

        Raises ``IndexError`` for a feature that there is not.
        """
        if features and not 0 <= min(features) <= max(features) < self.features:
            raise IndexError(features)
        of_names = [k * self.features + i for k in range(len(NAMES)) for i in features]
        of_cells = self.first_cell + np.flatnonzero(np.isin(self.cell_feature, features))
        return np.concatenate([np.array(of_names, np.int64), of_cells])

    @cached_property
    def shares_before(self) -> tuple[Floats, Floats]:
        """The parts and totals of :data:`SHARES` in the baseline, ``[shares, features]``.

        Counts, but for the unseen values of text: none is unseen in the data that says what is
        known. See :func:`~detectors.statistics.evidence.text_cells.unseen_rows`.
        """
        totals = [self.named(self.baseline, TOTAL_OF[name]) for name in SHARES]
        parts, of = (
            np.asarray(counts, np.float64)
            for counts in (self.several(self.baseline, SHARES), totals)
        )
        unseen = SHARES.index("unseen")
        for i, feature in enumerate(self.layout.features):
            if not feature.numeric:
                bins = self._counts[self.layout.bins(i)]
                parts[unseen, i], of[unseen, i] = unseen_rows(feature, bins)
        return parts, of

    @cached_property
    def cell_starts(self) -> Ints:
        """The first cell of each feature; each has at least one."""
        return np.searchsorted(self.cell_feature, np.arange(self.features)).astype(np.int64)

    @cached_property
    def whole(self) -> TallyReference:
        """The whole baseline, which windows are compared with unless there are seasons."""
        parts, totals = self.shares_before
        return TallyReference(
            self.layout,
            self.baseline[None].astype(np.float64),
            self.variances[:, None],
            (parts[:, None], totals[:, None]),
            self._counts,
        )

    def squared_scores(self, counts: Ints) -> Floats:
        """The sums of the squared scores of a vector of counts, ``[scores, features]``."""
        first = NAMES.index(SCORES[0]) * self.features
        sums = np.zeros(len(SCORES) * self.features)
        low, high = np.searchsorted(self._filled, (first, first + len(sums)))
        if low < high:
            firsts = np.append(self._firsts, len(self._slots))
            entries = slice(firsts[low], firsts[high])
            squares = counts[self._slots[entries]] * (self._weights[entries] / SCALE) ** 2
            filled = self._filled[low:high] - first
            sums[filled] = np.add.reduceat(squares, firsts[low:high] - firsts[low])
        return sums.reshape(len(SCORES), self.features)

    def _entries(self, scored: list[dict[str, tuple[Ints, float]]]) -> tuple[Ints, Ints, Ints]:
        """Slots, the tallies that they are added to, and their weights."""
        slots: list[Ints] = []
        targets: list[Ints] = []
        weights: list[Ints] = []

        def add(name: str, i: int, of: Ints, weight: Ints | int = 1) -> None:
            slots.append(of)
            targets.append(np.full(len(of), NAMES.index(name) * self.features + i))
            weights.append(np.broadcast_to(np.asarray(weight, np.int64), len(of)))

        for i, feature in enumerate(self.layout.features):
            for name, found in _parts(self.layout.features[i], self._own(i)).items():
                add(name, i, int(self.layout.starts[i]) + found)
            for name in SCORES:
                if feature.numeric:
                    bins = self.layout.bins(i)
                    add(name, i, np.arange(bins.start, bins.stop), scored[i][name][0])
        in_cell = np.flatnonzero(self._cell_of >= 0)
        slots.append(in_cell)
        targets.append(self.first_cell + self._cell_of[in_cell])
        weights.append(np.ones(len(in_cell), np.int64))
        return np.concatenate(slots), np.concatenate(targets), np.concatenate(weights)

    def _own(self, i: int) -> Ints:
        return self._counts[int(self.layout.starts[i]) : int(self.layout.starts[i + 1])]


class _Keyed:
    """A baseline that is equal to every other one of its fingerprint."""

    def __init__(self, baseline: Baseline) -> None:
        self.baseline = baseline

    def __hash__(self) -> int:
        return hash(self.baseline.fingerprint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Keyed) and self._key == other._key

    @property
    def _key(self) -> str:
        return self.baseline.fingerprint


def tally_layout(baseline: Baseline) -> TallyLayout:
    """The layout of the tallies of a baseline; those of the last :data:`MOST_LAYOUTS` are kept."""
    return _kept_layout(_Keyed(baseline))


@lru_cache(maxsize=MOST_LAYOUTS)
def _kept_layout(keyed: _Keyed) -> TallyLayout:
    return TallyLayout(keyed.baseline)


def _cells(baseline: Baseline) -> tuple[Ints, Ints]:
    """The feature of each cell, and the cell of each slot (-1 where it has none)."""
    layout, counts = baseline.layout, baseline.profile.counts
    cell_of = np.full(layout.size, -1, np.int64)
    features: list[int] = []
    for i, feature in enumerate(layout.features):
        slots = layout.bins(i)
        inside = _own_cells(feature, counts[slots])
        cell_of[slots] = len(features) + inside
        features += [i] * (int(inside.max()) + 1)
    return np.array(features, np.int64), cell_of


def _own_cells(feature: Feature, bins: Ints) -> Ints:
    """The cell of each bin of a feature; a single one where its distribution is not judged."""
    if not feature.compared:
        return np.zeros(feature.bins, np.int64)
    return np.asarray(feature.cells) if feature.numeric else text_cells(feature, bins)


def _parts(feature: Feature, counts: Ints) -> dict[str, Ints]:
    """The slots of a feature, from its first one on, that each of the plain tallies adds up."""
    last = len(counts)
    types = [*range(HEAD), last - 2, last - 1]
    present = [slot for slot in types if slot != MISSING]
    fitting = {TYPES[name] for name in FITTING.get(feature.type, TYPES)}
    written = [slot for slot in present if slot in TYPES.values()]
    bins = np.arange(HEAD, last - TAIL)
    parts = {
        "rows": np.array(types),
        "present": np.array(present),
        "values": bins,
        "missing": np.array([MISSING]),
        "mistyped": np.array([slot for slot in written if slot not in fitting], np.int64),
    }
    if feature.numeric:
        parts |= {"nan": np.array([last - 1]), "infinite": np.array([NEG_INF, last - 2])}
    if feature.magnitude:
        below, above = bins_beyond_magnitude(feature.edges, feature.magnitude)
        return parts | {"below": bins[:below], "above": bins[above:]}
    if not feature.compared:
        return parts
    if not feature.numeric:
        known = len(feature.vocabulary)
        parts["unseen"] = bins[known : known + HASHED_BINS]
        return parts | {"above": bins[known:][beyond_patterns(feature)]}
    if feature.kind == "codes":
        other = np.asarray(feature.cells) == feature.bin_cells - 1
        return parts | {"unseen": bins[other]}
    ladder = feature.ladder
    if ladder:
        parts |= {"below": bins[:ladder], "above": bins[len(bins) - ladder :]}
    return parts | _tails(bins, counts[bins])


def _tails(bins: Ints, counts: Ints) -> dict[str, Ints]:
    """The bins of each tail and outer part: as many as hold about its share of the values at most.

    The edge may come from a sample of the values, beyond which there are some more of them.
    """
    total = SLACK * counts.sum()
    tails: dict[str, Ints] = {}
    for name, shares in (("tail", TAIL_SHARES), ("outer", OUTER_SHARES)):
        for k, share in enumerate(shares):
            low = int(np.searchsorted(np.cumsum(counts), share * total, side="right"))
            high = int(np.searchsorted(np.cumsum(counts[::-1]), share * total, side="right"))
            tails |= {
                f"low_{name}_{k}": bins[:low],
                f"high_{name}_{k}": bins[len(bins) - high :],
            }
    return tails
