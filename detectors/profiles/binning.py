"""Which bins a feature gets, from what its baseline looks like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.profiles.layout import MAX_EDGES, Feature, InferredType, Role

GRID_BINS: Final = 128
COARSE_CELLS: Final = 10
LADDER: Final = 16
MOST_CODES: Final = 32
MOST_WORDS: Final = 1_000
ATOM_SHARE: Final = 0.01
OWN_CELL_SHARE: Final = 0.05


def text_feature(name: str, role: Role, counts: Mapping[str, int]) -> Feature:
    """A text feature: the most frequent values (ties by name), at most 1,000, are its vocabulary."""
    ordered = sorted(counts, key=lambda value: (-counts[value], value))[:MOST_WORDS]
    return Feature(name, "String", "text", role, vocabulary=tuple(ordered))


def codes_feature(
    name: str, role: Role, kind: InferredType, counts: Mapping[float, int]
) -> Feature:
    """A numeric feature of few distinct values: a bin and a cell a value; all gaps between them
    share the cell ``other``.

    ``counts`` must hold 1 to 32 values.
    """
    values = sorted(counts)
    edges: list[float] = []
    cells: list[int] = []
    for k, value in enumerate(values):
        edges += [value, float(np.nextafter(value, np.inf))]
        cells += [len(values), k]
    cells.append(len(values))
    edges, cells = _without_empty(edges, cells)
    array, weights = np.array(values), np.array([counts[value] for value in values], dtype=float)
    center = float((array * weights).sum() / weights.sum())
    scale = float(np.sqrt(((array - center) ** 2 * weights).sum() / weights.sum()))
    return Feature(
        name,
        kind,
        "codes",
        role,
        tuple(edges),
        tuple(cells),
        (),
        center,
        scale,
        values[0],
        values[-1],
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
) -> Feature:
    """A numeric feature of many values: a grid at the baseline's quantiles, atoms, and a ladder
    beyond each end.

    ``quantiles``: rising values of equally spaced ranks. ``atoms``: values with a share of 1 % or
    more, with their shares; each has a bin of its own, those of 5 % a coarse cell too. The ladders
    have 16 bins a side, whose widths double from a 64th of the range. The remaining bins are merged
    into about ten coarse cells of equal share; ladders belong to the end cells.
    """
    atoms = dict(
        sorted(atoms.items(), key=lambda item: -item[1])[: (MAX_EDGES - 2 * LADDER - 40) // 3]
    )
    inner = _inner_edges(quantiles, atoms, low, high)
    step = high / 64.0 - low / 64.0
    top = float(np.nextafter(high, np.inf))
    with np.errstate(over="ignore"):
        rungs = step * (2.0 ** np.arange(LADDER) - 1.0)
        edges = np.unique(np.concatenate((low - rungs, inner, top + rungs)))
    edges = edges[np.isfinite(edges)]
    cells = _coarse(edges, np.asarray(quantiles, dtype=float), atoms)
    below, above = int((edges <= low).sum()), int((edges >= top).sum())
    ladder = LADDER if below == LADDER and above == LADDER else 0
    return Feature(
        name, kind, "grid", role, tuple(edges.tolist()), cells, (), center, scale, low, high, ladder
    )


def _inner_edges(
    quantiles: Sequence[float], atoms: Mapping[float, float], low: float, high: float
) -> Floats:
    room = MAX_EDGES - 2 * LADDER - 2 * len(atoms) - 2
    ranks = np.linspace(0, len(quantiles) - 1, min(GRID_BINS, room) + 1).round().astype(int)
    grid = np.unique(np.asarray(quantiles, dtype=float)[ranks])
    lone = np.array([edge for value in atoms for edge in (value, np.nextafter(value, np.inf))])
    edges = np.unique(np.concatenate((grid, lone)))
    return edges[(edges > low) & (edges <= high)]


def _coarse(edges: Floats, quantiles: Floats, atoms: Mapping[float, float]) -> tuple[int, ...]:
    """The coarse cell of each bin: big atoms alone, all others by the rank of their upper end."""
    own = {value for value, share in atoms.items() if share >= OWN_CELL_SHARE}
    ordered = np.sort(quantiles)
    uppers = np.append(edges, np.inf)
    lowers = np.concatenate(([-np.inf], edges))
    ranks = (
        np.searchsorted(ordered, uppers, side="left")
        + np.searchsorted(ordered, lowers, side="left")
    ) / 2.0
    tens = np.minimum((ranks / max(len(ordered), 1) * COARSE_CELLS).astype(int), COARSE_CELLS - 1)
    names = [
        ("atom", low) if low in own and up == np.nextafter(low, np.inf) else ("ten", ten)
        for low, up, ten in zip(lowers.tolist(), uppers.tolist(), tens.tolist(), strict=True)
    ]
    number: dict[tuple[str, float], int] = {}
    return tuple(number.setdefault(cell, len(number)) for cell in names)
