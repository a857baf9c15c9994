"""The cells of the sparse vector of quality counts: kinds, and sums by group of rows.

A cell is ``kind * 2**40 + body``. Each kind gives its body a meaning:

========== =====================================================================================
kind       body, and what is counted
========== =====================================================================================
CONFUSION  ``label * 2**20 + prediction``, as codes: rows
EXCLUDED   0: rows whose prediction or label is no code or no number in range, in no other cell
SCORES     ``grid * 2**16 + 2 * bin + label``: rows with a score in that bin of that grid
SCORE_MARK the same body: the sum of 32-bit hashes of the scores, see ``score_histogram``
OUTSIDE    0: rows with a score below 0 or above 1
RELIABLE   ``2 * tenth + label``: rows with a score in that tenth
RELIABLE_P ``tenth``: the sum of these scores, in units of ``2**-32``
ERRORS     ``2**20`` plus the step of the prediction minus the label on the ladder: rows
DELAYS     ``2**20`` plus the step of the delay in milliseconds on the ladder: rows
========== =====================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Floats, Ints
from detectors.quality.counts import QualityCounts, added
from detectors.quality.ladder import quantiles, steps_of

KIND_BITS: Final = 40
CODE_BITS: Final = 20
"""The codes of classes are below ``2**CODE_BITS``."""
STEP_ZERO: Final = 1 << 20
CONFUSION, EXCLUDED, SCORES, SCORE_MARK, OUTSIDE, RELIABLE, RELIABLE_P, ERRORS, DELAYS = range(9)
_MOST_GROUPS: Final = 1 << 19
"""A group and a cell must fit into 63 bits."""


class Entries(NamedTuple):
    """Some rows' entries in the sparse vector: the group, the cell and what is added to it."""

    group: Ints
    cell: Ints
    amount: Ints


def entries(kind: int, group: Ints, body: Ints | int, amount: Ints) -> Entries:
    """Return the entries of one kind, one for each row."""
    return Entries(group, np.broadcast_to((kind << KIND_BITS) + body, group.shape), amount)


def tallied(
    parts: Sequence[Entries], sums: dict[str, list[int]], groups: int
) -> list[QualityCounts]:
    """Return the counts of each group from the entries of all rows, and sums by name and group.

    Raises ``ValueError`` for more than ``2**19`` groups.
    """
    if groups > _MOST_GROUPS:
        raise ValueError(f"{groups} groups at once; at most {_MOST_GROUPS} can be counted")
    shift = KIND_BITS + 4
    keys, counts = added(
        np.concatenate([(part.group << shift) + part.cell for part in parts]),
        np.concatenate([part.amount for part in parts]),
    )
    ends = np.searchsorted(keys, np.arange(groups + 1) << shift).tolist()
    cells = keys & ((1 << shift) - 1)
    names = sorted(sums)
    return [
        QualityCounts(
            cells[ends[group] : ends[group + 1]].copy(),  # else each would hold all of them
            counts[ends[group] : ends[group + 1]].copy(),
            {name: sums[name][group] for name in names if sums[name][group]},
        )
        for group in range(groups)
    ]


class CellTable:
    """The cells of some counts by kind."""

    def __init__(self, counts: QualityCounts) -> None:
        self._bodies = counts.cells & ((1 << KIND_BITS) - 1)
        self._counts = counts.counts
        kinds = np.arange(DELAYS + 2) << KIND_BITS
        self._ends = np.searchsorted(counts.cells, kinds).tolist()

    def of(self, kind: int) -> tuple[Ints, Ints]:
        """Return the bodies of a kind, in order, and their counts."""
        part = slice(self._ends[kind], self._ends[kind + 1])
        return self._bodies[part], self._counts[part]

    def number(self, kind: int) -> int:
        """Return the sum of the counts of a kind."""
        return int(self.of(kind)[1].sum())


def delay_entries(group: Ints, delay_ms: Ints, weight: Ints) -> Entries:
    """Return the entries of the delays of labels; unknown ones, below 0, are left out."""
    known = delay_ms >= 0
    steps = steps_of(delay_ms[known].astype(np.float64))
    return entries(DELAYS, group[known], STEP_ZERO + steps, weight[known])


def delay_quantiles_s(table: CellTable) -> dict[str, float]:
    """Return the median and the 95th percentile of the delay, in seconds; empty without rows."""
    body, counts = table.of(DELAYS)
    if not len(body):
        return {}
    at: Floats = quantiles(body - STEP_ZERO, counts, np.array([0.5, 0.95])) / 1_000
    return {"p50": float(at[0]), "p95": float(at[1])}


def is_code(values: Floats, classes: int) -> NDArray[np.bool_]:
    """Return which values are whole numbers from 0 to below ``classes``."""
    known: NDArray[np.bool_] = (values >= 0) & (values < classes) & (values == np.floor(values))
    return known
