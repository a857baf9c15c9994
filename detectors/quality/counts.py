"""Mergeable counts of labelled predictions: sparse integers, and exact sums of numbers."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from detectors.arrays import Ints


class QualityCounts:
    """What is known of the labelled rows of some time, as a value that can be added.

    ``cells`` and ``counts`` are a sparse vector of integers: sorted distinct cells, and a count
    other than 0 for each. The meaning of a cell is that of its problem. ``sums`` are exact sums of
    doubles by name, as integers in units of ``2**-1074``: the result does not depend on the order
    of the rows, and what was added can be taken away. ``custom`` holds the encoded state of each
    custom metric.
    """

    def __init__(
        self,
        cells: Ints | None = None,
        counts: Ints | None = None,
        sums: Mapping[str, int] | None = None,
        custom: Mapping[str, bytes] | None = None,
    ) -> None:
        self.cells = np.empty(0, np.int64) if cells is None else cells
        self.counts = np.empty(0, np.int64) if counts is None else counts
        self.sums = dict(sums or {})
        self.custom = dict(custom or {})

    def plus(self, other: QualityCounts) -> QualityCounts:
        """Return the sum of both, without custom metrics: these need their classes."""
        cells = np.concatenate([self.cells, other.cells])
        counts = np.concatenate([self.counts, other.counts])
        distinct, inverse = np.unique(cells, return_inverse=True)
        total = np.zeros(len(distinct), np.int64)
        np.add.at(total, inverse, counts)
        kept = total != 0
        sums = dict(self.sums)
        for name, value in other.sums.items():
            sums[name] = sums.get(name, 0) + value
        return QualityCounts(
            distinct[kept], total[kept], {name: value for name, value in sums.items() if value}
        )

    def encode(self) -> bytes:
        """Return the counts as MessagePack."""
        sums = {name: _bytes_of(value) for name, value in self.sums.items()}
        return msgspec.msgpack.encode(
            (self.cells.tobytes(), self.counts.tobytes(), sums, self.custom)
        )

    @classmethod
    def decode(cls, data: bytes) -> QualityCounts:
        """Return the counts that :meth:`encode` wrote.

        Raises ``msgspec.ValidationError`` if ``data`` is nothing of the kind.
        """
        cells, counts, sums, custom = msgspec.msgpack.decode(
            data, type=tuple[bytes, bytes, dict[str, bytes], dict[str, bytes]]
        )
        return cls(
            np.frombuffer(cells, np.int64),
            np.frombuffer(counts, np.int64),
            {name: int.from_bytes(value, "little", signed=True) for name, value in sums.items()},
            custom,
        )


def _bytes_of(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
