"""How far the rows of a baseline depend on their neighbours, in the order of its file."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from detectors.arrays import Floats


class Dependence(msgspec.Struct, frozen=True):
    """The design effects of the features whose rows depend on their neighbours.

    ``lengths`` are rising numbers of rows. ``factors`` holds, by feature, one number for each: the
    variance of a mean of so many consecutive rows over that of as many independent ones, at least 1
    and never falling. A feature that is not in it has independent rows, as far as the file shows.
    ``changing`` are features whose variance grows with the length to the end, as in a file that is
    sorted: its order says nothing about that of the stream.
    """

    lengths: tuple[int, ...] = ()
    factors: dict[str, tuple[float, ...]] = {}
    changing: tuple[str, ...] = ()

    def factor(self, names: Sequence[str], rows: Floats) -> Floats:
        """The design effect of windows of ``rows[..., feature]`` rows, of the same shape.

        Linear in the logarithm of the rows, and constant beyond both ends of ``lengths``; 1 for a
        feature without factors.

        >>> known = Dependence((16, 64), {"price": (2.0, 4.0)})
        >>> known.factor(["price", "city"], np.array([32.0, 32.0]))
        array([3., 1.])
        """
        factors = np.ones_like(rows)
        for i, name in enumerate(names):
            if name in self.factors:
                at = np.log2(np.maximum(rows[..., i], 1.0))
                factors[..., i] = np.interp(at, np.log2(self.lengths), self.factors[name])
        return factors
