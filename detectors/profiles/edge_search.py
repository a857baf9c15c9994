"""Finds the bins of many values, among the edges of many features, in one search."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

CACHED: Final = 20_000
"""The number of values to search together: more do not fit into the processor's cache."""


def edges_below(
    edges: NDArray[np.float64], base: NDArray[np.int64], width: int, values: NDArray[np.float64]
) -> NDArray[np.int64]:
    """The number of edges in each value's table that are at or below the value.

    Halves the tables: ``log2(width)`` steps. ``edges`` holds tables of ``width`` rising edges, a
    power of two, the last one infinite. ``base`` is the position before each value's table, in any
    shape that broadcasts with ``values``.

    >>> edges_below(np.array([1.0, 2.0, 3.0, np.inf]), np.array([-1]), 4, np.array([0.5, 2.0, 9.0]))
    array([0, 2, 3])
    """
    kind = np.int32 if edges.size < 2**31 else np.int64
    at = np.empty(values.shape, kind)
    at[:] = base
    probe, edge, below = np.empty_like(at), np.empty_like(values), np.empty(at.shape, bool)
    step = width >> 1
    while step:
        np.add(at, kind(step), out=probe)
        edges.take(probe, out=edge, mode="clip")
        np.less_equal(edge, values, out=below)
        np.multiply(below, kind(step), out=probe)
        at += probe
        step >>= 1
    below_value: NDArray[np.int64] = at - base
    return below_value
