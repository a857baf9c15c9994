"""The contract of the store of waiting predictions and labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from stream.labels.rows import Rows

Kind = Literal["predictions", "labels"]
"""The two kinds of rows; both are kept until nothing can match them any more."""


class Slice(NamedTuple):
    """The rows of one kind with a time in ``[start_ms, start_ms + length_ms)``."""

    kind: Kind
    start_ms: int
    length_ms: int


class JoinStore(Protocol):
    """Rows by slice and id.

    Changes take effect at once for :meth:`find`, and are kept by the next commit. Rows with the
    same id, also equal ones, are all kept.
    """

    def slices(self) -> Sequence[Slice]:
        """Return the slices that have rows."""

    def find(self, slice_: Slice, ids: NDArray[np.uint64]) -> Rows:
        """Return all rows of a slice with one of these ids, in the order of their ids.

        ``ids`` are sorted and distinct. Empty if there are none.
        """

    def add(self, slice_: Slice, rows: Rows) -> None:
        """Add rows, in any order, to a slice, which need not exist yet."""

    def drop(self, slice_: Slice) -> None:
        """Remove a slice with all of its rows."""
