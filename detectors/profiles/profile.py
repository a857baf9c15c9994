"""The counts of one model in one pane: additive, the same in any order and after any replay."""

from __future__ import annotations

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from detectors.errors import LayoutMismatch
from detectors.profiles.layout import FRACTIONAL, INTEGRAL, MISSING, Layout

MAX_NOVEL = 20
"""How many names of unseen values a profile remembers a feature."""
MAX_NAME = 200
"""How many characters of such a name: a value may be megabytes, and the names go into every report.
"""


class _Wire(msgspec.Struct, frozen=True, array_like=True):
    version: int
    fingerprint: str
    rows: int
    size: int
    body: bytes
    novel: dict[str, dict[str, int]]


class Profile:
    """Counts, moments and extremes of every feature over some rows.

    * ``rows``: how many rows were folded in.
    * ``counts``: ``int64[layout.size]``, see :class:`detectors.profiles.layout.Layout`. The eight
      type slots of a feature add up to ``rows``.
    * ``sums``: ``float64[features, 2]``: sum of ``x - center`` and of its square over the finite
      numbers.
    * ``low``, ``high``: ``float64[features]``: smallest and largest finite number;
      ``+inf``/``-inf`` where there is none.
    * ``novel``: names of some values outside the vocabulary with counts, best effort and bounded:
      not part of the profile's identity, never needed for a number.

    Two profiles of one layout merge by addition: integers exactly, in any order; floating-point
    sums up to rounding. An empty profile is the neutral element.
    """

    __slots__ = ("counts", "high", "layout", "low", "novel", "rows", "sums")

    def __init__(self, layout: Layout) -> None:
        features = len(layout.features)
        self.layout = layout
        self.rows = 0
        self.counts: NDArray[np.int64] = np.zeros(layout.size, dtype=np.int64)
        self.sums: NDArray[np.float64] = np.zeros((features, 2))
        self.low: NDArray[np.float64] = np.full(features, np.inf)
        self.high: NDArray[np.float64] = np.full(features, -np.inf)
        self.novel: dict[str, dict[str, int]] = {}

    def merge(self, other: Profile) -> None:
        """Add ``other`` into this profile; ``other`` stays as it is.

        Raises :class:`~detectors.errors.LayoutMismatch` if the layouts differ.
        """
        if other.layout is not self.layout and other.layout.fingerprint != self.layout.fingerprint:
            raise LayoutMismatch(self.layout.fingerprint, other.layout.fingerprint)
        self.rows += other.rows
        self.counts += other.counts
        with np.errstate(
            over="ignore", invalid="ignore"
        ):  # beyond the largest float they are infinite, and their difference is nothing
            self.sums += other.sums
        np.minimum(self.low, other.low, out=self.low)
        np.maximum(self.high, other.high, out=self.high)
        for name, seen in other.novel.items():
            self.note_novel(name, seen)

    def note_novel(self, name: str, seen: dict[str, int]) -> None:
        """Remember names of unseen values of a feature, at most ``MAX_NOVEL`` of them and
        ``MAX_NAME`` characters of each.
        """
        mine = self.novel.setdefault(name, {})
        for whole, count in seen.items():
            value = whole if len(whole) <= MAX_NAME else whole[: MAX_NAME - 1] + "…"
            if value in mine or len(mine) < MAX_NOVEL:
                mine[value] = mine.get(value, 0) + count

    def copy(self) -> Profile:
        """An independent profile with the same content."""
        out = Profile(self.layout)
        out.merge(self)
        return out

    @property
    def missing(self) -> NDArray[np.int64]:
        """Missing values of each feature."""
        return self.counts[self.layout.starts[:-1] + MISSING]

    @property
    def finite(self) -> NDArray[np.int64]:
        """Finite numbers of each feature: the ``n`` of its moments. Meaningless for text features."""
        starts = self.layout.starts[:-1]
        total: NDArray[np.int64] = self.counts[starts + INTEGRAL] + self.counts[starts + FRACTIONAL]
        return total

    def encode(self) -> bytes:
        """Versioned MessagePack with the vectors compressed by zstd; equal profiles of one history
        give equal bytes.
        """
        raw = b"".join(part.tobytes() for part in (self.counts, self.sums, self.low, self.high))
        body = _ZSTD.compress(raw, asbytes=True)
        return msgspec.msgpack.encode(
            _Wire(1, self.layout.fingerprint, self.rows, len(raw), body, self.novel)
        )

    @classmethod
    def decode(cls, data: bytes, layout: Layout) -> Profile:
        """The profile that :meth:`encode` wrote; raises ``LayoutMismatch`` if it belongs to another
        layout.
        """
        wire = msgspec.msgpack.decode(data, type=_Wire)
        if wire.fingerprint != layout.fingerprint:
            raise LayoutMismatch(layout.fingerprint, wire.fingerprint)
        raw = _ZSTD.decompress(wire.body, decompressed_size=wire.size, asbytes=True)
        out, features, end = cls(layout), len(layout.features), layout.size * 8
        out.rows = wire.rows
        out.counts = np.frombuffer(raw, np.int64, layout.size).copy()
        floats = np.frombuffer(raw, np.float64, features * 4, end).copy()
        out.sums = floats[: features * 2].reshape(features, 2)
        out.low, out.high = (
            floats[features * 2 : features * 3].copy(),
            floats[features * 3 :].copy(),
        )
        out.novel = wire.novel
        return out

    @staticmethod
    def rows_of(data: bytes) -> int:
        """Rows of an encoded profile, whatever its layout."""
        return msgspec.msgpack.decode(data, type=_Wire).rows


_ZSTD = pa.Codec("zstd", compression_level=1)
