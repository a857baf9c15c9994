"""The rows of small groups, in the order in which their cells are counted together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Ints


class RowSelection:
    """Rows of a batch, group after group.

    * ``layout_of[g]``: the position of a group's layout; ``layout_of_row[r]``: of a row's layout.
    * ``bounds[g]``: where a group begins among ``rows``, which are the rows of the batch.
    * ``only_layout``: the position of the layout that all groups share, -1 if they differ.
    * ``whole``: whether the groups are the batch from its first row on, without gaps.
    """

    def __init__(self, layout_of: Ints, bounds: Ints, rows: Ints) -> None:
        self.layout_of = layout_of
        self.bounds = bounds
        self.rows = rows
        self.only_layout = int(layout_of[0]) if (layout_of == layout_of[0]).all() else -1
        self.layout_of_row = np.repeat(layout_of, np.diff(bounds))
        self.whole = bool(len(rows)) and rows[0] == 0 and rows[-1] == len(rows) - 1

    def by_row(self, table: NDArray[Any]) -> NDArray[Any]:
        """The entries of a (layout, column) table for every row, ``[columns, rows]``.

        ``[columns, 1]`` where all rows have one layout.
        """
        one_layout = self.only_layout >= 0
        return table[self.only_layout][:, None] if one_layout else table.T[:, self.layout_of_row]

    def concatenate(self, columns: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """The rows of some columns, one column after the other."""
        if self.whole and len(columns[0]) == len(self.rows):
            return np.concatenate(columns)
        return np.concatenate([column[self.rows] for column in columns])

    def places(self, columns: int) -> Ints:
        """The place of each cell: ``column * groups + group``, ``[columns, rows]``."""
        sizes = np.diff(self.bounds)
        group = np.repeat(np.arange(len(sizes)), sizes)
        return np.arange(columns)[:, None] * len(sizes) + group
