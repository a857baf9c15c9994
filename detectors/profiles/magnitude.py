"""The magnitude of identifiers and times that are numbers: the numbers that have as many digits."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from math import floor, inf, log10
from typing import Final

from msgspec import structs

from detectors.profiles.layout import MAX_EDGES, Feature

LEAST: Final = 10.0
"""The smallest number that others can have fewer digits than."""


def with_magnitude(feature: Feature, lowest: float, highest: float) -> Feature:
    """The feature with an edge where numbers have fewer digits than ``lowest``; of times also
    where they have more than ``highest``.

    Identifiers grow, and may have any number of digits later: none are too large. Nothing is below
    the digits of a number less than 1.
    """
    below = 10.0 ** floor(log10(lowest)) if lowest >= LEAST else -inf
    is_time = feature.nature == "time"
    above = 10.0 ** (floor(log10(highest)) + 1) if is_time and highest >= 1.0 else inf
    if (below, above) == (-inf, inf):
        return feature
    for edge in (below, above):
        if abs(edge) < inf:
            feature = _with_edge(feature, edge)
    if any(abs(edge) < inf and edge not in feature.edges for edge in (below, above)):
        return feature
    return structs.replace(feature, magnitude=(below, above))


def bins_beyond_magnitude(
    edges: Sequence[float], magnitude: tuple[float, float]
) -> tuple[int, int]:
    """The number of bins below a magnitude, and the first bin above it.

    >>> bins_beyond_magnitude((1.0, 10.0, 20.0, 100.0), (10.0, 100.0))
    (2, 4)
    """
    return bisect_right(edges, magnitude[0]), bisect_left(edges, magnitude[1]) + 1


def _with_edge(feature: Feature, edge: float) -> Feature:
    """The feature with one more edge; in a ladder it takes the place of a rung.

    Unchanged where a bin of a single value holds it, or there is no room for it.
    """
    edges, ladder = list(feature.edges), feature.ladder
    k = bisect_left(edges, edge)
    if k < len(edges) and edges[k] == edge:
        return feature
    if ladder and k < ladder:
        edges[min(k, ladder - 2)] = edge
    elif ladder and k > len(edges) - ladder:
        edges[max(k - 1, len(edges) - ladder + 1)] = edge
    else:
        return _divided(feature, k, edge)
    return structs.replace(feature, edges=tuple(edges))


def _divided(feature: Feature, k: int, edge: float) -> Feature:
    """The feature with bin ``k`` in two."""
    singles = feature.single_values
    if k in singles or len(feature.edges) == MAX_EDGES:
        return feature
    edges, cells = list(feature.edges), list(feature.cells)
    edges.insert(k, edge)
    cells.insert(k, cells[k])
    moved = tuple((b + (b > k), value) for b, value in singles.items())
    return structs.replace(feature, edges=tuple(edges), cells=tuple(cells), singles=moved)
