"""The dependence of rows on their neighbours, from blocks of consecutive rows of the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.profiles.dependence import Dependence
from detectors.statistics.evidence.dependence import (
    QUANTITIES,
    block_gaps,
    freedom,
    missing_variance,
    squared_gaps,
)
from detectors.statistics.evidence.references import TallyReference
from detectors.statistics.evidence.tallies import TallyLayout
from detectors.statistics.laws import upper_tails

SHORTEST: Final = 16
"""The smallest number of rows in a block."""
TOGETHER: Final = 64
"""The number of blocks that are added at a time."""
CERTAIN: Final = 1e-4
"""The chance of taking independent rows of a feature for dependent ones, in a file."""
LEAST_BLOCKS: Final = 30
"""The number of blocks that a length needs."""
MOST_BLOCKS: Final = TOGETHER * TOGETHER
MOST_ROWS: Final = 1 << 18
"""The number of rows, the first ones, that are looked at."""
SETTLED: Final = 2.0
"""The growth from a quarter of the longest length on up to which the order of a file is trusted."""


def block_length(rows: int) -> int:
    """The length of the blocks of a file of ``rows`` rows: 16 times a power of two.

    >>> block_length(20_000), block_length(1_000_000)
    (16, 64)
    """
    length = SHORTEST
    while length * MOST_BLOCKS < min(rows, MOST_ROWS):
        length *= 2
    return length


class BlockTallies:
    """The variances of means over blocks of ``length``, twice ``length``, ... consecutive rows.

    Where rows are independent, the squared gap of a block's mean and that of the baseline has the
    mean 1 (:func:`~.dependence.squared_gaps`); its mean over all blocks is the design effect.

    ``seasons``: what the rows of each season are compared with, where the baseline has any. A block
    is then expected to be the mixture of those that its rows lie in (:func:`.block_gaps`): what
    differs by season is no dependence.
    """

    def __init__(
        self, layout: TallyLayout, length: int, seasons: Sequence[TallyReference] = ()
    ) -> None:
        self._layout = layout
        self._length = length
        self._seasons = seasons
        self._sums: dict[int, Floats] = {}
        self._blocks: dict[int, Floats] = {}
        self._longer: list[tuple[Ints, Ints]] = []

    def add(self, blocks: Ints, rows: Ints | None = None) -> None:
        """Add the tallies of consecutive blocks, ``int64[TOGETHER, size]``; fewer at the end.

        ``rows[blocks, seasons]`` are those of each block that lie in each of the seasons.
        """
        rows = np.zeros((len(blocks), 0), np.int64) if rows is None else rows
        self._add(blocks, rows, self._length)
        if len(blocks) == TOGETHER:
            self._longer.append((blocks.sum(axis=0), rows.sum(axis=0)))

    def _add(self, blocks: Ints, rows: Ints, length: int) -> None:
        """Add blocks of one length, and pairs of them up to :data:`TOGETHER` times as long."""
        longest = length * TOGETHER
        while len(blocks) and length < longest:
            gaps = self._gaps(blocks, rows)
            known = np.isfinite(gaps)
            self._sums[length] = self._sums.get(length, 0.0) + np.where(known, gaps, 0.0).sum(
                axis=1
            )
            self._blocks[length] = self._blocks.get(length, 0.0) + known.sum(axis=1)
            even = len(blocks) // 2 * 2
            blocks, rows = (side[:even:2] + side[1:even:2] for side in (blocks, rows))
            length *= 2

    def _gaps(self, blocks: Ints, rows: Ints) -> Floats:
        if self._seasons:
            return block_gaps(self._layout, blocks, rows, self._seasons)
        return squared_gaps(self._layout, blocks, self._layout.baseline[None], within=True)

    def dependence(self) -> Dependence:
        """The design effects of the features for which a length shows them beyond doubt."""
        if self._longer:
            blocks, rows = map(np.stack, zip(*self._longer, strict=True))
            self._add(blocks, rows, self._length * TOGETHER)
            self._longer = []
        lengths = [
            n for n in sorted(self._blocks) if self._blocks[n].max(initial=0) >= LEAST_BLOCKS
        ]
        if not lengths:
            return Dependence()
        ratios, certain = self._ratios(lengths)
        dependent = certain.any(axis=0)
        settled = ratios[-1] <= SETTLED * np.maximum(ratios[-3:][0], 1.0)
        used = np.where(dependent & settled, np.maximum(ratios, 1.0), 1.0).max(axis=1)
        factors = np.maximum.accumulate(used, axis=0)
        names = [feature.name for feature in self._layout.layout.features]
        found = np.flatnonzero(factors[-1] > 1.0).tolist()
        changing = np.flatnonzero((dependent & ~settled).any(axis=0)).tolist()
        return Dependence(
            tuple(lengths) if found else (),
            {names[i]: tuple(np.round(factors[:, i], 3).tolist()) for i in found},
            tuple(names[i] for i in changing),
        )

    def _ratios(self, lengths: list[int]) -> tuple[Floats, Floats]:
        """Design effects, and which are beyond doubt: ``[lengths, quantities, features]``.

        1 where a quantity is not compared.
        """
        dof = freedom(self._layout)
        ratios, certain = [], []
        for length in lengths:
            expected = self._blocks[length] * dof
            compared = expected > 0.0
            ratio = np.where(compared, self._sums[length] / np.where(compared, expected, 1.0), 1.0)
            known = np.where(compared, expected / (1.0 + self._excess(length) / 2.0), 0.0)
            doubt = upper_tails(ratio * known, known)
            ratios.append(ratio)
            certain.append(compared & (doubt <= CERTAIN / len(lengths) / len(QUANTITIES)))
        return np.array(ratios), np.array(certain)

    def _excess(self, length: int) -> Floats:
        """What a block's squared gap varies more than chi-squared: the kurtosis of few rows."""
        excess = np.zeros((len(QUANTITIES), self._layout.features))
        variance = missing_variance(self._layout)
        with np.errstate(divide="ignore", invalid="ignore"):
            excess[2] = np.maximum(1.0 / variance - 6.0, 0.0) / length
        excess[3] = 20.0 / length
        return np.where(np.isfinite(excess), excess, 0.0)
