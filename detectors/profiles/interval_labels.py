"""The names of the cells of numeric features: intervals and single values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from detectors.profiles.number_texts import different_texts

if TYPE_CHECKING:
    from detectors.profiles.layout import Feature


def interval_labels(feature: Feature) -> list[str]:
    """One label per cell, see :func:`_interval_label`."""
    cells = np.asarray(feature.cells)
    ends = Ends(feature)
    members = (np.flatnonzero(cells == cell).tolist() for cell in range(feature.bin_cells))
    return [_interval_label(bins, ends, feature.kind) for bins in members]


def _interval_label(bins: Sequence[int], ends: Ends, kind: str) -> str:
    """A single value, an interval, or ``other`` codes.

    An interval names the values in it that have cells of their own (``without``), and shows at its
    ends whether it holds the single value that it borders on: ``(10, 20)`` lies next to ``10``.
    """
    first, last = bins[0], bins[-1]
    holes = sorted(set(range(first, last)) - set(bins))
    if holes and kind == "codes":
        return "other"
    if first == last and first in ends.values:
        return ends.values[first]
    without = ", ".join(ends.values.get(hole, ends.start(hole)) for hole in holes)
    interval = f"{ends.lower(first)}, {ends.upper(last)}"
    return f"{interval} without {without}" if without else interval


class Ends:
    """The texts of the ends of the bins of a numeric feature, and of its single values by bin.

    A number has six digits, or as many more as make all different.
    """

    def __init__(self, feature: Feature) -> None:
        self._bins = feature.bins
        singles = feature.single_values
        plain = {
            b: feature.edges[b - 1]
            for b in range(1, feature.bins)
            if b not in singles and b - 1 not in singles
        }
        texts = different_texts([*singles.values(), *plain.values()])
        self.values = dict(zip(singles, texts, strict=False))
        self._edges = dict(zip(plain, texts[len(singles) :], strict=True))

    def start(self, b: int) -> str:
        """The number at which bin ``b`` starts: its edge, or the value that it borders on."""
        if b in self.values:
            return self.values[b]
        return self.values[b - 1] if b - 1 in self.values else self._edges[b]

    def lower(self, first: int) -> str:
        """The lower end of an interval that begins with bin ``first``."""
        if first == 0:
            return "[-inf"
        before = self.values.get(first - 1)
        return f"[{self.start(first)}" if before is None else f"({before}"

    def upper(self, last: int) -> str:
        """The upper end of an interval that ends with bin ``last``."""
        if last == self._bins - 1:
            return "inf)"
        return f"{self.values[last]}]" if last in self.values else f"{self.start(last + 1)})"
