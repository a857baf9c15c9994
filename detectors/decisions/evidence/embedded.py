"""The pooled tallies in a report, so that findings over several windows can be computed again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa

from detectors.arrays import Floats, Ints
from detectors.decisions.evidence.window_evidence import WindowEvidence
from detectors.errors import ProfileInvalid
from detectors.profiles.segments import place_of
from detectors.report import SegmentReport
from detectors.statistics.evidence.horizons import HORIZONS, PastWindow
from detectors.statistics.evidence.seasonal import PastRows, SeasonalTallies
from detectors.statistics.evidence.tallies import TallyLayout
from detectors.violation import Violation

_ZSTD: Final = pa.Codec("zstd", compression_level=3)
_DAMAGED: Final = (msgspec.MsgspecError, ValueError, IndexError, OSError, pa.ArrowException)


class _Encoded(msgspec.Struct, array_like=True):
    """``sums``: little-endian int64, by horizon and feature the tallies of it, compressed."""

    horizons: list[int]
    features: list[int]
    sums: bytes


class _EncodedInSeasons(_Encoded, array_like=True):
    """``starts``: of the windows before, the newest first; ``rows``: as ``sums``, by window and
    feature those of each.
    """

    starts: list[int] = []
    rows: bytes = b""


class _EncodedWithSegments(_EncodedInSeasons, array_like=True):
    """``segments``: the same of the features of all segments, as a whole."""

    segments: bytes = b""


Place = tuple[int, int]
"""The horizon of a finding, and the position of its feature."""


def embedded(
    evidence: WindowEvidence | None,
    violations: Iterable[Violation],
    segments: Sequence[SegmentReport] = (),
) -> bytes:
    """The tallies that findings of violations over several windows were computed from, encoded.

    Of all features with such a violation in all rows, each at the horizons of its own, and of the
    feature of each of the ``segments`` that moved. Empty without one. Where there are seasons, the
    rows of each of these windows too: by them their seasons are weighted.
    """
    if evidence is None:
        return b""
    index = evidence.pooled.layout.layout.index
    found = [(each.finding, index[each.feature]) for each in violations if _in_all_rows(each)]
    encoded = _encoded(evidence, [(f.horizon, i) for f, i in found if f and f.horizon > 1])
    if evidence.segments is not None:
        of_segments = _encoded(evidence.segments, list(_places(evidence, segments)))
        if of_segments is not None:
            fields = msgspec.structs.asdict(encoded or _Encoded([], [], b""))
            data = msgspec.msgpack.encode(of_segments)
            encoded = _EncodedWithSegments(**fields, segments=data)
    return b"" if encoded is None else msgspec.msgpack.encode(encoded)


def _in_all_rows(violation: Violation) -> bool:
    return violation.finding is not None and not violation.segment


def _places(evidence: WindowEvidence, segments: Iterable[SegmentReport]) -> Iterator[Place]:
    """The findings over several windows of the segments that moved."""
    layout = evidence.pooled.layout.layout
    for each in segments:
        s = place_of(layout, each.by, each.value)
        if each.violates and s is not None and each.finding and each.finding.horizon > 1:
            yield each.finding.horizon, s * len(layout.features) + layout.index[each.feature]


def _encoded(evidence: WindowEvidence, pairs: Sequence[Place]) -> _Encoded | None:
    """The tallies of these features at these horizons; ``None`` without any."""
    if not pairs:
        return None
    pooled = evidence.pooled
    chosen, named = (sorted(set(each)) for each in zip(*pairs, strict=True))
    rows = [HORIZONS.index(horizon) for horizon in chosen]
    used = np.zeros((len(HORIZONS), pooled.layout.size), np.int64)
    for horizon, i in pairs:
        row, positions = HORIZONS.index(horizon), pooled.layout.positions([i])
        used[row, positions] = pooled.sums[row, positions]
    sums = used[rows][:, pooled.layout.positions(named)].astype("<i8").tobytes()
    encoded = _Encoded(chosen, named, bytes(_ZSTD.compress(sums)))
    if evidence.past_rows:
        return _in_seasons(encoded, evidence.past_rows[: chosen[-1] - 1])
    return encoded


def _in_seasons(encoded: _Encoded, past_rows: PastRows) -> _EncodedInSeasons:
    rows = np.stack([rows[encoded.features] for _, rows in past_rows]).astype("<i8").tobytes()
    return _EncodedInSeasons(
        **msgspec.structs.asdict(encoded),
        starts=[start_ms for start_ms, _ in past_rows],
        rows=bytes(_ZSTD.compress(rows)),
    )


def of_segments(data: bytes) -> bytes:
    """The part of the tallies in a report that is about segments; empty where there is none.

    Raises :class:`~detectors.errors.ProfileInvalid` for other data.
    """
    if not data:
        return b""
    try:
        return msgspec.msgpack.decode(data, type=_EncodedWithSegments).segments
    except msgspec.MsgspecError as error:
        raise ProfileInvalid("its pooled tallies are damaged") from error


class EmbeddedTallies:
    """The windows before a window, as far as its report has them.

    In the place of a history: a horizon of a feature that the report does not have has no rows.
    ``factor``: ``float64[features]``, the design effects that it states. For those of segments
    ``data`` is the part of :func:`of_segments`, and ``layout`` that of the segments.
    Raises :class:`~detectors.errors.ProfileInvalid` for other data.
    """

    def __init__(self, layout: TallyLayout, data: bytes, factor: Floats) -> None:
        self._layout = layout
        self._factor = factor
        self._sums: Mapping[int, Ints] = {}
        self._past_rows: list[tuple[int, Ints]] = []
        if data:
            self._sums, self._past_rows = _decode(layout, data)

    def windows(self) -> tuple[PastWindow, ...]:
        """None: they are in the report as sums."""
        return ()

    def factor(
        self,
        layout: TallyLayout,
        start_ms: int,
        seasonal: SeasonalTallies | None = None,
        tallies: Ints | None = None,
    ) -> Floats:
        """The design effect of dependent rows that the report states, of each feature."""
        return self._factor

    def rows(self, layout: TallyLayout, start_ms: int) -> list[tuple[int, Ints]]:
        """The windows before, as far as the report has them; other features have no rows."""
        return self._past_rows

    def sums(self, start_ms: int, tallies: Ints) -> Ints:
        """The tallies of the window alone, and those that the report has, up to the longest."""
        longest = max(self._sums, default=0)
        sums = np.zeros((longest + 1, self._layout.size), np.int64)
        for row, found in self._sums.items():
            sums[row] = found
        sums[0] = tallies
        return sums


def _decode(layout: TallyLayout, data: bytes) -> tuple[dict[int, Ints], list[tuple[int, Ints]]]:
    """The tallies by horizon, and the rows of the windows before where there are seasons."""
    try:
        encoded = msgspec.msgpack.decode(data, type=_EncodedInSeasons)
        if not encoded.horizons:
            return {}, []
        positions = layout.positions(encoded.features)
        sums = _matrix(encoded.sums, len(encoded.horizons), len(positions))
        rows = [HORIZONS.index(horizon) for horizon in encoded.horizons]
        before = np.zeros((len(encoded.starts), layout.features), np.int64)
        if encoded.starts:
            before[:, encoded.features] = _matrix(
                encoded.rows, len(encoded.starts), len(encoded.features)
            )
    except _DAMAGED as error:
        raise ProfileInvalid("its pooled tallies are damaged") from error
    found = {}
    for row, values in zip(rows, sums, strict=True):
        found[row] = np.zeros(layout.size, np.int64)
        found[row][positions] = values
    return found, list(zip(encoded.starts, before, strict=True))


def _matrix(data: bytes, rows: int, columns: int) -> Ints:
    body = _ZSTD.decompress(data, 8 * rows * columns, asbytes=True)
    return np.frombuffer(body, "<i8").reshape(rows, columns)
