"""Mergeable counts of labelled predictions: sparse integers, and exact sums of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np

from detectors.arrays import Ints

MOST_PARTS: Final = 16
"""The largest number of parts that are not added up yet."""


class Part(NamedTuple):
    """Sorted distinct cells, the count of each, and exact sums by name."""

    cells: Ints
    counts: Ints
    sums: Mapping[str, int]


class QualityCounts:
    """What is known of the labelled rows of some time, as a value that can be added.

    ``cells`` and ``counts`` are a sparse vector of integers: sorted distinct cells, and a count
    other than 0 for each. The meaning of a cell is that of its problem. ``sums`` are exact sums of
    doubles by name, as integers in units of ``2**-1074``, or ``2**-2148`` for squares: the result
    does not depend on the order of the rows, and what was added can be taken away. ``custom`` holds
    the encoded state of each custom metric.

    The ``parts`` of a sum are added up when it is asked for, or when there are more than
    ``MOST_PARTS``: so a few rows can be added many times at little cost.
    """

    def __init__(
        self,
        cells: Ints | None = None,
        counts: Ints | None = None,
        sums: Mapping[str, int] | None = None,
        custom: Mapping[str, bytes] | None = None,
    ) -> None:
        self.parts = [
            Part(
                np.empty(0, np.int64) if cells is None else cells,
                np.empty(0, np.int64) if counts is None else counts,
                dict(sums or {}),
            )
        ]
        self.custom = dict(custom or {})

    @property
    def cells(self) -> Ints:
        """The distinct cells, in order."""
        return self._whole().cells

    @property
    def counts(self) -> Ints:
        """The count of each cell."""
        return self._whole().counts

    @property
    def sums(self) -> Mapping[str, int]:
        """The exact sums by name."""
        return self._whole().sums

    def _whole(self) -> Part:
        """Add up the parts."""
        if len(self.parts) > 1:
            self.parts = [_sum(self.parts)]
        return self.parts[0]

    @classmethod
    def total(cls, parts: Sequence[QualityCounts]) -> QualityCounts:
        """Return the sum of all parts, without custom metrics: these need their classes."""
        total = cls()
        added = [each for part in parts for each in part.parts]
        if added:
            total.parts = [_sum(added)] if len(added) > MOST_PARTS else added
        return total

    def plus(self, other: QualityCounts) -> QualityCounts:
        """Return the sum of both, without custom metrics: these need their classes."""
        return QualityCounts.total([self, other])

    def encode(self) -> bytes:
        """Return the counts as MessagePack; equal counts give equal bytes.

        Cells are written as differences to the one before, and sums without the zero bytes at
        their end, so that counts of a few rows take a few bytes a cell.
        """
        steps = self.cells.copy()
        steps[1:] -= self.cells[:-1]
        sums = {name: _written(self.sums[name]) for name in sorted(self.sums)}
        custom = {name: self.custom[name] for name in sorted(self.custom)}
        return msgspec.msgpack.encode((steps.tolist(), self.counts.tolist(), sums, custom))

    @classmethod
    def decode(cls, data: bytes) -> QualityCounts:
        """Return the counts that :meth:`encode` wrote.

        Raises ``msgspec.ValidationError`` or ``msgspec.DecodeError`` if ``data`` is nothing of the
        kind.
        """
        steps, counts, sums, custom = _DECODER.decode(data)
        if len(steps) != len(counts):
            raise msgspec.ValidationError("counts of quality: cells and counts differ in length")
        return cls(
            np.cumsum(np.array(steps, np.int64)),
            np.array(counts, np.int64),
            {name: _read(*value) for name, value in sums.items()},
            custom,
        )


_DECODER = msgspec.msgpack.Decoder(
    tuple[list[int], list[int], dict[str, tuple[int, bytes]], dict[str, bytes]]
)


def _sum(parts: Sequence[Part]) -> Part:
    cells, counts = added(
        np.concatenate([part.cells for part in parts]),
        np.concatenate([part.counts for part in parts]),
    )
    sums: dict[str, int] = {}
    for part in parts:
        for name, value in part.sums.items():
            sums[name] = sums.get(name, 0) + value
    return Part(cells, counts, {name: sums[name] for name in sorted(sums) if sums[name]})


def added(keys: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """Return the distinct keys in order and the sum of the counts of each, without zeros.

    >>> added(np.array([7, 3, 7, 5]), np.array([1, 2, 1, 0]))
    (array([3, 7]), array([2, 2]))
    """
    if not len(keys):
        return keys, counts
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    total = np.add.reduceat(counts[order], first)
    kept = total != 0
    return ordered[first][kept], total[kept]


def _written(value: int) -> tuple[int, bytes]:
    """Return the number of zero bytes at the low end of an integer, and the rest."""
    zeros = ((value & -value).bit_length() - 1) // 8 if value else 0
    rest = value >> (8 * zeros)
    return zeros, rest.to_bytes(rest.bit_length() // 8 + 1, "little", signed=True)


def _read(zeros: int, rest: bytes) -> int:
    return int.from_bytes(rest, "little", signed=True) << (8 * zeros)
