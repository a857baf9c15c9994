"""The mean errors before and after a change."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from detectors.arrays import Floats

LATEST: Final = 256
"""The rows that are kept one by one to find where a change began."""


class LevelSplit(NamedTuple):
    """The mean errors of the rows on both sides of a point; ``before`` is ``None`` without rows."""

    before: float | None
    after: float
    rows_before: int
    rows_after: int


class ErrorLevels:
    """The errors since the previous change: the latest 256 in ``latest``, and the count and sum of
    the ``older`` ones.

    The result does not depend on how the rows were divided into batches.
    """

    def __init__(
        self, older_rows: int = 0, older_sum: float = 0.0, latest: Floats | None = None
    ) -> None:
        self.older_rows = older_rows
        self.older_sum = older_sum
        self.latest = np.empty(0, np.float64) if latest is None else latest

    @property
    def rows(self) -> int:
        """The number of rows since the previous change."""
        return self.older_rows + len(self.latest)

    def extend(self, errors: Floats) -> None:
        """Add errors, all finite, in their order."""
        joined = np.concatenate([self.latest, errors])
        older, self.latest = np.split(joined, [max(len(joined) - LATEST, 0)])
        self.older_rows += len(older)
        # One addition after the other: a pairwise sum would depend on the batches.
        with np.errstate(over="ignore"):
            sums = np.add.accumulate(np.append(self.older_sum, older))
        self.older_sum = float(sums[-1])

    def split(self) -> LevelSplit:
        """Divide the rows where two means fit them best, among the latest 256.

        That is where ``b a (mean before - mean after)**2`` is largest for ``b`` rows before and
        ``a`` rows after, the least-squares estimate; of equal ones the first. There must be a row.

        >>> levels = ErrorLevels()
        >>> levels.extend(np.array([0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0]))
        >>> levels.split()
        LevelSplit(before=0.3333333333333333, after=1.0, rows_before=3, rows_after=4)
        """
        before = self.older_rows + np.arange(len(self.latest))
        after = self.rows - before
        with np.errstate(all="ignore"):
            sums = np.add.accumulate(np.append(self.older_sum, self.latest))
            gaps = sums[:-1] / before - (sums[-1] - sums[:-1]) / after
            fit = np.where(before > 0, before * after * gaps**2, -1.0)
        at = int(np.argmax(fit))
        rows_before = int(before[at])
        return LevelSplit(
            before=float(sums[at] / rows_before) if rows_before else None,
            after=float((sums[-1] - sums[at]) / after[at]),
            rows_before=rows_before,
            rows_after=int(after[at]),
        )
