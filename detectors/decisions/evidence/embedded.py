"""The pooled tallies in a report, so that findings over several windows can be computed again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa

from detectors.arrays import Floats, Ints
from detectors.errors import ProfileInvalid
from detectors.statistics.evidence.base import Pooled
from detectors.statistics.evidence.horizons import HORIZONS, PastWindow
from detectors.statistics.evidence.tallies import TallyLayout
from detectors.violation import Violation

_ZSTD: Final = pa.Codec("zstd", compression_level=3)
_DAMAGED: Final = (msgspec.MsgspecError, ValueError, IndexError, OSError, pa.ArrowException)


class _Encoded(msgspec.Struct, array_like=True):
    """``sums``: little-endian int64, by horizon and feature the tallies of it, compressed."""

    horizons: list[int]
    features: list[int]
    sums: bytes


def embedded(pooled: Pooled, violations: Iterable[Violation]) -> bytes:
    """The tallies that findings of violations over several windows were computed from, encoded.

    Of all features with such a violation, each at the horizons of its own. Empty without one.
    """
    index = pooled.layout.layout.index
    found = [(each.finding, index[each.feature]) for each in violations if each.finding]
    pairs = [(finding.horizon, i) for finding, i in found if finding.horizon > 1]
    if not pairs:
        return b""
    chosen, named = (sorted(set(each)) for each in zip(*pairs, strict=True))
    rows = [HORIZONS.index(horizon) for horizon in chosen]
    used = np.zeros((len(HORIZONS), pooled.layout.size), np.int64)
    for horizon, i in pairs:
        row, positions = HORIZONS.index(horizon), pooled.layout.positions([i])
        used[row, positions] = pooled.sums[row, positions]
    sums = used[rows][:, pooled.layout.positions(named)].astype("<i8").tobytes()
    body = bytes(_ZSTD.compress(sums))
    return msgspec.msgpack.encode(_Encoded(chosen, named, body))


class EmbeddedTallies:
    """The windows before a window, as far as its report has them.

    In the place of a history: a horizon of a feature that the report does not have has no rows.
    ``factor``: ``float64[features]``, the design effects that it states.
    Raises :class:`~detectors.errors.ProfileInvalid` for other data.
    """

    def __init__(self, layout: TallyLayout, data: bytes, factor: Floats) -> None:
        self._layout = layout
        self._factor = factor
        self._rows: Mapping[int, Ints] = _decode(layout, data) if data else {}

    def windows(self) -> tuple[PastWindow, ...]:
        """None: they are in the report as sums."""
        return ()

    def factor(self, layout: TallyLayout, start_ms: int) -> Floats:
        """The design effect of dependent rows that the report states, of each feature."""
        return self._factor

    def sums(self, start_ms: int, tallies: Ints) -> Ints:
        """The tallies of the window alone, and those that the report has, up to the longest."""
        longest = max(self._rows, default=0)
        sums = np.zeros((longest + 1, self._layout.size), np.int64)
        for row, found in self._rows.items():
            sums[row] = found
        sums[0] = tallies
        return sums


def _decode(layout: TallyLayout, data: bytes) -> dict[int, Ints]:
    try:
        encoded = msgspec.msgpack.decode(data, type=_Encoded)
        positions = layout.positions(encoded.features)
        nbytes = 8 * len(encoded.horizons) * len(positions)
        body = _ZSTD.decompress(encoded.sums, nbytes, asbytes=True)
        sums = np.frombuffer(body, "<i8").reshape(len(encoded.horizons), len(positions))
        rows = [HORIZONS.index(horizon) for horizon in encoded.horizons]
    except _DAMAGED as error:
        raise ProfileInvalid("its pooled tallies are damaged") from error
    found = {}
    for row, values in zip(rows, sums, strict=True):
        found[row] = np.zeros(layout.size, np.int64)
        found[row][positions] = values
    return found
