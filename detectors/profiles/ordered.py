"""The order of many numbers, in less time than by ``argsort``."""

from __future__ import annotations

import numpy as np

from detectors.arrays import Floats, Ints


def in_order(values: Floats) -> tuple[Ints, Floats]:
    """The positions of the values in rising order, and the values in it; NaN last.

    Sorts integers: the bits of each value, the last of which are replaced by its position. That is
    the order of the values unless two differ in those bits alone, or one is NaN; then they are
    sorted by ``argsort``.

    >>> in_order(np.array([2.0, -1.0, np.inf, 0.5]))[0].tolist()
    [1, 3, 0, 2]
    """
    taken = (1 << len(values).bit_length()) - 1
    bits = np.ascontiguousarray(values, np.float64).view(np.int64)
    # Of negative numbers, the larger bits are those of the smaller value.
    keys = bits ^ ((bits >> 63) & np.int64(0x7FFFFFFFFFFFFFFF))
    keys &= ~np.int64(taken)
    keys |= np.arange(len(values))
    keys.sort()
    keys &= np.int64(taken)
    ordered = values.take(keys)
    if not (ordered[1:] >= ordered[:-1]).all():
        keys = np.argsort(values)
        ordered = values.take(keys)
    return keys, ordered
