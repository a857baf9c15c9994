"""Chooses the bins of a feature from the values of its baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.profiles.deviation import mean_and_deviation
from detectors.profiles.layout import MAX_EDGES, Feature, InferredType, Role
from detectors.profiles.reading import PLAIN, CellReading
from detectors.profiles.single_values import Interval, intervals, rounded_ends
from detectors.profiles.vocabulary_choice import rare_values, vocabulary_size

GRID_BINS: Final = 128
"""The number of fine bins, at quantiles, of a numeric feature of many values."""
TAIL_SHARES: Final = (0.005, 0.0025, 0.001, 0.0005)
"""The shares of the values beyond the outermost edges of the grid, at both ends."""
COARSE_CELLS: Final = 10
"""The number of coarse cells of equal share that these bins are merged into."""
LADDER: Final = 16
"""The number of bins beyond the smallest value, and beyond the largest."""
MAX_CODES: Final = 32
"""The largest number of distinct values of a feature of codes."""
ATOM_SHARE: Final = 0.01
"""The share from which on a number is an atom: a value with a bin of its own."""
OWN_CELL_SHARE: Final = 0.05
"""The share from which on an atom also has a coarse cell of its own."""


def text_feature(
    name: str,
    role: Role,
    counts: Mapping[str, int],
    reading: CellReading = PLAIN,
    exact: bool = True,
) -> Feature:
    """A text feature; its vocabulary is the most frequent values (ties by name).

    See :func:`detectors.profiles.vocabulary_choice.vocabulary_size`. The others are its rare
    values, see :func:`detectors.profiles.vocabulary_choice.rare_values`. ``exact`` is false where
    the counts are not, or values were left out.
    """
    ordered = sorted(counts, key=lambda value: (-counts[value], value))
    words = vocabulary_size(np.array([counts[value] for value in ordered], np.int64))
    return Feature(
        name=name,
        type="String",
        kind="text",
        role=role,
        vocabulary=tuple(ordered[:words]),
        reading=reading,
        rare=rare_values([(value, counts[value]) for value in ordered[words:]], exact),
    )


def empty_feature(name: str, role: Role, reading: CellReading = PLAIN) -> Feature:
    """A feature without a value in its baseline: every later value is an unseen text."""
    return Feature(name=name, type="Unknown", kind="text", role=role, reading=reading)


def codes_feature(
    name: str,
    role: Role,
    kind: InferredType,
    counts: Mapping[float, int],
    reading: CellReading = PLAIN,
) -> Feature:
    """A numeric feature of few distinct values, each with a bin and a cell of its own.

    All gaps between the values share the cell ``other``. ``counts`` must hold 1 to 32 values.
    """
    values = sorted(counts)
    edges, cells, singles = _codes_bins(intervals(values, kind))
    array = np.array(values)
    weights = np.array([counts[value] for value in values], dtype=float)
    center, scale = mean_and_deviation(array, weights)
    return Feature(
        name=name,
        type=kind,
        kind="codes",
        role=role,
        edges=tuple(edges),
        cells=tuple(cells),
        center=center,
        scale=scale,
        low=values[0],
        high=values[-1],
        reading=reading,
        singles=tuple(singles),
    )


def _codes_bins(
    single: Sequence[Interval],
) -> tuple[list[float], list[int], list[tuple[int, float]]]:
    """Edges, coarse cells and values of the bins of codes; gaps between codes are the last cell."""
    edges: list[float] = []
    cells: list[int] = [len(single)]
    singles: list[tuple[int, float]] = []
    for k, (start, value, stop) in enumerate(single):
        if edges and edges[-1] == start:
            cells.pop()
        else:
            edges.append(start)
        singles.append((len(edges), value))
        cells += [k, len(single)]
        edges.append(stop)
    if edges[-1] == np.inf:
        edges.pop()
        cells.pop()
    return edges, cells, singles


def grid_feature(
    name: str,
    role: Role,
    kind: InferredType,
    quantiles: Sequence[float],
    atoms: Mapping[float, float],
    low: float,
    high: float,
    center: float,
    scale: float,
    reading: CellReading = PLAIN,
) -> Feature:
    """A numeric feature of many values: a grid at quantiles, atoms, and a ladder beyond each end.

    ``quantiles``: rising values of equally spaced ranks. ``atoms``: values with a share of 1 % or
    more, with their shares; each has a bin of its own, those of 5 % or more a coarse cell too. The
    grid also has edges at the quantiles 0.05, 0.1, 0.5, 99.5, 99.9 and 99.95 %. A ladder has 16
    bins, whose widths double from a 64th of the range on. The remaining bins are merged into about
    ten coarse cells of equal share; ladders belong to the end cells.
    """
    most_frequent = sorted(atoms.items(), key=lambda item: -item[1])
    atoms = dict(most_frequent[: (MAX_EDGES - 2 * LADDER - 40) // 3])
    known = np.unique([*quantiles, *atoms, low, high])
    lone = intervals(sorted(atoms), kind, known)
    starts, top = rounded_ends(known)
    bottom = lone[0].start if low in atoms else float(starts[0])
    top = lone[-1].stop if high in atoms else top
    step = high / 64.0 - low / 64.0
    with np.errstate(over="ignore"):
        rungs = step * (2.0 ** np.arange(LADDER) - 1.0)
        inner = _inner_edges(quantiles, known, starts, lone)
        inner = inner[(inner > bottom) & (inner < top)]
        outer = bottom - rungs, inner, top + rungs
        edges = np.unique(np.concatenate(outer))
    edges = edges[np.isfinite(edges)]
    singles = _single_bins(edges, lone)
    cells = _coarse(edges, np.asarray(quantiles, dtype=float), atoms, dict(singles))
    below, above = int((edges <= bottom).sum()), int((edges >= top).sum())
    return Feature(
        name=name,
        type=kind,
        kind="grid",
        role=role,
        edges=tuple(edges.tolist()),
        cells=cells,
        center=center,
        scale=scale,
        low=low,
        high=high,
        ladder=LADDER if below == above == LADDER else 0,
        reading=reading,
        singles=singles,
    )


def _inner_edges(
    quantiles: Sequence[float], known: Floats, starts: Floats, lone: Sequence[Interval]
) -> Floats:
    """Edges at quantiles outside of the atoms, and both ends of each atom.

    ``starts`` are the smallest numbers that ``known`` ones may be rounded to: an edge at a quantile
    lies there, so that a value and its rounded form share a bin.
    """
    free = MAX_EDGES - 2 * LADDER - 2 * len(lone) - 2 - 2 * len(TAIL_SHARES)
    ranks = np.linspace(0, len(quantiles) - 1, min(GRID_BINS, free) + 1).round().astype(int)
    ordered = np.asarray(quantiles, dtype=float)
    values = np.unique(np.concatenate((ordered[ranks], _tail_edges(ordered))))
    grid = starts[np.searchsorted(known, values[values < known[-1]])]
    for start, _, stop in lone:
        grid = grid[(grid <= start) | (grid >= stop)]
    ends = [edge for start, _, stop in lone for edge in (start, stop)]
    return np.unique(np.concatenate((grid, ends)))


def _tail_edges(ordered: Floats) -> Floats:
    """The values at which the tails of :data:`TAIL_SHARES` begin, each of at most its share.

    The lower tail holds the values below its edge, the upper one those from its edge on.

    >>> _tail_edges(np.arange(1_000.0)).tolist()
    [5.0, 2.0, 1.0, 0.0, 995.0, 998.0, 999.0]
    """
    within = [int(share * len(ordered)) for share in TAIL_SHARES]
    lower = [float(ordered[k]) for k in within]
    above = [np.searchsorted(ordered, ordered[-k - 1], "right") for k in within]
    return np.array([*lower, *(float(ordered[k]) for k in above if k < len(ordered))])


def _single_bins(edges: Floats, lone: Sequence[Interval]) -> tuple[tuple[int, float], ...]:
    """The bins that hold exactly one of these intervals, with its value."""
    bounds = np.append(edges, np.inf)
    found = []
    for start, value, stop in lone:
        k = int(np.searchsorted(bounds, start))
        if bounds[k] == start and k + 1 < len(bounds) and bounds[k + 1] == stop:
            found.append((k + 1, value))
    return tuple(found)


def _coarse(
    edges: Floats, quantiles: Floats, atoms: Mapping[float, float], singles: Mapping[int, float]
) -> tuple[int, ...]:
    """The coarse cell of each bin: frequent atoms alone, all others by the rank of their middle.

    Cells are numbered in the order of their first bin.
    """
    ordered = np.sort(quantiles)
    uppers = np.append(edges, np.inf)
    lowers = np.concatenate(([-np.inf], edges))
    rank_sums = np.searchsorted(ordered, uppers) + np.searchsorted(ordered, lowers)
    shares = rank_sums / 2.0 / max(len(ordered), 1)
    deciles = np.minimum((shares * COARSE_CELLS).astype(int), COARSE_CELLS - 1)
    cells = [
        ("atom", singles[b])
        if b in singles and atoms[singles[b]] >= OWN_CELL_SHARE
        else ("decile", decile)
        for b, decile in enumerate(deciles.tolist())
    ]
    numbers: dict[tuple[str, float], int] = {}
    return tuple(numbers.setdefault(cell, len(numbers)) for cell in cells)
