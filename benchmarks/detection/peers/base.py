"""The contract of a peer: it learns reference columns, and flags windows that it is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

Columns = Mapping[str, npt.NDArray[np.generic]]
Flags = dict[str, npt.NDArray[np.bool_]]
"""By method, ``bool[windows, features]``."""


class PeerWatch(Protocol):
    """A peer that has learned a reference, and sees the windows in their order."""

    def flags(self, columns: Columns) -> Flags:
        """Which features of which of the next windows each of its methods flags."""
        ...


class Peer(Protocol):
    """One library, with one or more methods.

    ``remembers_windows``: whether what it says of a window depends on those before it.
    """

    remembers_windows: bool

    def watch(self, kinds: Sequence[str], reference: Columns, n: int) -> PeerWatch:
        """Learn the reference, for windows of n rows."""
        ...
