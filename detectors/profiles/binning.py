"""Chooses the bins of a feature from the values of its baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.profiles.layout import MAX_EDGES, Feature, InferredType, Role
from detectors.profiles.reading import PLAIN, Reading

GRID_BINS: Final = 128
"""The number of fine bins, at quantiles, of a numeric feature of many values."""
COARSE_CELLS: Final = 10
"""The number of coarse cells of equal share that these bins are merged into."""
LADDER: Final = 16
"""The number of bins beyond the smallest value, and beyond the largest."""
MAX_CODES: Final = 32
"""The largest number of distinct values of a feature of codes."""
MAX_WORDS: Final = 1_000
"""The largest number of values in the vocabulary of a text feature."""
ATOM_SHARE: Final = 0.01
"""The share from which on a number is an atom: a value with a bin of its own."""
OWN_CELL_SHARE: Final = 0.05
"""The share from which on an atom also has a coarse cell of its own."""


def text_feature(
    name: str, role: Role, counts: Mapping[str, int], reading: Reading = PLAIN
) -> Feature:
    """A text feature; its vocabulary is the most frequent values (ties by name), at most 1,000."""
    ordered = sorted(counts, key=lambda value: (-counts[value], value))[:MAX_WORDS]
    return Feature(
        name=name,
        type="String",
        kind="text",
        role=role,
        vocabulary=tuple(ordered),
        reading=reading,
    )


def empty_feature(name: str, role: Role, reading: Reading = PLAIN) -> Feature:
    """A feature without a value in its baseline: every later value is an unseen text."""
    return Feature(name=name, type="Unknown", kind="text", role=role, reading=reading)


def codes_feature(
    name: str,
    role: Role,
    kind: InferredType,
    counts: Mapping[float, int],
    reading: Reading = PLAIN,
) -> Feature:
    """A numeric feature of few distinct values, each with a bin and a cell of its own.

    All gaps between the values share the cell ``other``. ``counts`` must hold 1 to 32 values.
    """
    values = sorted(counts)
    edges: list[float] = []
    cells: list[int] = []
    for k, value in enumerate(values):
        edges += [value, float(np.nextafter(value, np.inf))]
        cells += [len(values), k]
    cells.append(len(values))
    edges, cells = _without_empty(edges, cells)
    array = np.array(values)
    weights = np.array([counts[value] for value in values], dtype=float)
    center = float((array * weights).sum() / weights.sum())
    scale = float(np.sqrt(((array - center) ** 2 * weights).sum() / weights.sum()))
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
    )


def _without_empty(edges: list[float], cells: list[int]) -> tuple[list[float], list[int]]:
    """Drop the empty gap between two values that are neighbours as floating-point numbers."""
    keep = [k for k in range(len(edges)) if k == 0 or edges[k] > edges[k - 1]]
    kept_cells = [cells[0], *(cells[k + 1] for k in keep)]
    return [edges[k] for k in keep], kept_cells


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
    reading: Reading = PLAIN,
) -> Feature:
    """A numeric feature of many values: a grid at quantiles, atoms, and a ladder beyond each end.

    ``quantiles``: rising values of equally spaced ranks. ``atoms``: values with a share of 1 % or
    more, with their shares; each has a bin of its own, those of 5 % or more a coarse cell too. A
    ladder has 16 bins, whose widths double from a 64th of the range on. The remaining bins are
    merged into about ten coarse cells of equal share; ladders belong to the end cells.
    """
    most_frequent = sorted(atoms.items(), key=lambda item: -item[1])
    atoms = dict(most_frequent[: (MAX_EDGES - 2 * LADDER - 40) // 3])
    inner = _inner_edges(quantiles, atoms, low, high)
    step = high / 64.0 - low / 64.0
    top = float(np.nextafter(high, np.inf))
    with np.errstate(over="ignore"):
        rungs = step * (2.0 ** np.arange(LADDER) - 1.0)
        edges = np.unique(np.concatenate((low - rungs, inner, top + rungs)))
    edges = edges[np.isfinite(edges)]
    cells = _coarse(edges, np.asarray(quantiles, dtype=float), atoms)
    below, above = int((edges <= low).sum()), int((edges >= top).sum())
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
    )


def _inner_edges(
    quantiles: Sequence[float], atoms: Mapping[float, float], low: float, high: float
) -> Floats:
    """Edges between the smallest and the largest value: quantiles, and both ends of each atom."""
    free = MAX_EDGES - 2 * LADDER - 2 * len(atoms) - 2
    ranks = np.linspace(0, len(quantiles) - 1, min(GRID_BINS, free) + 1).round().astype(int)
    grid = np.unique(np.asarray(quantiles, dtype=float)[ranks])
    lone = np.array([edge for value in atoms for edge in (value, np.nextafter(value, np.inf))])
    edges = np.unique(np.concatenate((grid, lone)))
    return edges[(edges > low) & (edges <= high)]


def _coarse(edges: Floats, quantiles: Floats, atoms: Mapping[float, float]) -> tuple[int, ...]:
    """The coarse cell of each bin: frequent atoms alone, all others by the rank of their middle.

    Cells are numbered in the order of their first bin.
    """
    own = {value for value, share in atoms.items() if share >= OWN_CELL_SHARE}
    ordered = np.sort(quantiles)
    uppers = np.append(edges, np.inf)
    lowers = np.concatenate(([-np.inf], edges))
    rank_sums = np.searchsorted(ordered, uppers) + np.searchsorted(ordered, lowers)
    shares = rank_sums / 2.0 / max(len(ordered), 1)
    deciles = np.minimum((shares * COARSE_CELLS).astype(int), COARSE_CELLS - 1)
    cells = [
        ("atom", low) if low in own and up == np.nextafter(low, np.inf) else ("decile", decile)
        for low, up, decile in zip(lowers.tolist(), uppers.tolist(), deciles.tolist(), strict=True)
    ]
    numbers: dict[tuple[str, float], int] = {}
    return tuple(numbers.setdefault(cell, len(numbers)) for cell in cells)
