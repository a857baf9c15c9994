"""A profile: the counts of some rows, additive and equal in any order and after any replay."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import structs
from numpy.typing import NDArray

from detectors.errors import LayoutMismatch, ProfileInvalid
from detectors.profiles import distinct
from detectors.profiles.joint_levels import LEVELS
from detectors.profiles.layout import FRACTIONAL, HEAD, INTEGRAL, MISSING, Layout
from detectors.profiles.novel import Sample, counted, merged
from detectors.profiles.segments import stacked, targets


class _Wire(msgspec.Struct, frozen=True, array_like=True):
    version: int
    fingerprint: str
    rows: int
    size: int
    body: bytes
    novel: dict[str, dict[str, int]]


class _WireWithValues(_Wire, frozen=True, array_like=True):
    values: dict[int, distinct.Wire] = {}


class _WireWithPairs(_WireWithValues, frozen=True, array_like=True):
    pairs: bytes = b""


class _WireWithSegments(_WireWithPairs, frozen=True, array_like=True):
    segments: bytes = b""


class Profile:
    """Counts, moments and extremes of every feature over some rows.

    * ``rows``: the number of rows counted.
    * ``counts``: ``int64[layout.size]``, see :class:`detectors.profiles.layout.Layout`. The eight
      type slots of a feature add up to ``rows``.
    * ``sums``: ``float64[features, 2]``: sum of ``x - center`` and of its square over the finite
      numbers.
    * ``low``, ``high``: ``float64[features]``: smallest and largest finite number;
      ``+inf``/``-inf`` where there is none.
    * ``samples``: of each feature with values outside the vocabulary, up to 20 of them by name
      (:mod:`detectors.profiles.novel`). Not used for any number.
    * ``values``: the distinct values of features, by position (:mod:`detectors.profiles.distinct`).
      Empty unless they are kept; then a feature without a value has no entry.
    * ``pairs``: ``int64``, how often the levels of two features occur together, see
      :mod:`detectors.profiles.joint_counts`. Empty unless the layout chooses features.
    * ``segments``: the counts, moments and extremes of each segment of the rows, in the stacked
      layout (:mod:`detectors.profiles.segments`); ``None`` if the layout has no segments.

    Two profiles of one layout merge by addition: integers exactly, in any order; floating-point
    sums up to rounding. An empty profile is the neutral element.
    """

    __slots__ = (
        "counts", "high", "layout", "low", "pairs", "rows", "samples", "segments", "sums", "values"
    )  # fmt: skip

    def __init__(self, layout: Layout) -> None:
        features = len(layout.features)
        self.layout = layout
        self.rows = 0
        self.counts: NDArray[np.int64] = np.zeros(layout.size, dtype=np.int64)
        self.sums: NDArray[np.float64] = np.zeros((features, 2))
        self.low: NDArray[np.float64] = np.full(features, np.inf)
        self.high: NDArray[np.float64] = np.full(features, -np.inf)
        self.samples: dict[str, Sample] = {}
        self.values: dict[int, distinct.DistinctValues] = {}
        self.pairs: NDArray[np.int64] = np.zeros(_pairs_size(layout), np.int64)
        self.segments = Profile(stacked(layout)) if layout.segmentations else None

    @property
    def without_inputs(self) -> bool:
        """Whether there are rows and inputs, but no row has a value of any input."""
        inputs = [i for i, f in enumerate(self.layout.features) if f.role != "prediction"]
        if not inputs or not self.rows:
            return False
        return bool((self.counts[self.layout.starts[inputs] + MISSING] == self.rows).all())

    def merge(self, other: Profile) -> None:
        """Add ``other`` into this profile; ``other`` stays as it is.

        Raises :class:`~detectors.errors.LayoutMismatch` if the layouts differ.
        """
        if other.layout is not self.layout and other.layout.fingerprint != self.layout.fingerprint:
            raise LayoutMismatch(self.layout.fingerprint, other.layout.fingerprint)
        self.rows += other.rows
        self.counts += other.counts
        self.pairs += other.pairs
        # Beyond the largest float a sum is infinite, and the difference of two such sums is NaN.
        with np.errstate(over="ignore", invalid="ignore"):
            self.sums += other.sums
        np.minimum(self.low, other.low, out=self.low)
        np.maximum(self.high, other.high, out=self.high)
        for name, sampled in other.samples.items():
            self.add_sample(name, sampled)
        for i, found in other.values.items():
            self.add_values(i, found)
        if self.segments is not None and other.segments is not None:
            self.segments.merge(other.segments)

    def add_values(self, i: int, found: distinct.DistinctValues) -> None:
        """Add the distinct values of more rows of feature ``i``."""
        before = self.values.get(i)
        self.values[i] = found if before is None else distinct.merged(before, found)

    def add_sample(self, name: str, sampled: Sample) -> None:
        """Add a sample of unseen values of feature ``name``."""
        self.samples[name] = merged(self.samples.get(name, []), sampled)

    @property
    def novel(self) -> dict[str, dict[str, int]]:
        """Names of values outside the vocabulary, with their counts, by feature.

        All of them up to 20, else a sample of 20; long names are cut. Both sorted by name.
        """
        return {
            name: {value: count for _, value, count in sorted(self.samples[name], key=_by_name)}
            for name in sorted(self.samples)
        }

    def note_novel(self, name: str, counts: Mapping[str, int]) -> None:
        """Add counted values of feature ``name``, none of them in its vocabulary."""
        if counts:
            self.add_sample(name, counted(counts))

    def copy(self) -> Profile:
        """An independent profile with the same content."""
        out = Profile(self.layout)
        out.merge(self)
        return out

    def of_all_rows(self, layout: Layout) -> Profile:
        """The counts of all rows under another layout of the same bins.

        Its pairs and segments are empty: those that ``layout`` has may be others.
        """
        out = Profile(layout)
        out.rows = self.rows
        out.counts, out.sums = self.counts.copy(), self.sums.copy()
        out.low, out.high = self.low.copy(), self.high.copy()
        out.samples, out.values = dict(self.samples), dict(self.values)
        return out

    @property
    def nbytes(self) -> int:
        """The memory of all counts and distinct values, in bytes, without small fixed parts."""
        of_segments = 0 if self.segments is None else self.segments.nbytes
        return self.counts.nbytes + self.pairs.nbytes + self.values_nbytes + of_segments

    @property
    def values_nbytes(self) -> int:
        """The memory of the distinct values, in bytes."""
        return sum(16 * len(found.ranks) + found.values.nbytes for found in self.values.values())

    @property
    def feature_rows(self) -> NDArray[np.int64]:
        """Rows of each feature: the sum of its eight type slots."""
        starts, ends = self.layout.starts[:-1], self.layout.starts[1:]
        slots = [*(starts + slot for slot in range(HEAD)), ends - 2, ends - 1]
        total: NDArray[np.int64] = np.sum([self.counts[slot] for slot in slots], axis=0)
        return total

    @property
    def missing(self) -> NDArray[np.int64]:
        """Missing values of each feature."""
        return self.counts[self.layout.starts[:-1] + MISSING]

    @property
    def finite(self) -> NDArray[np.int64]:
        """Finite numbers of each feature, the ``n`` of its moments; meaningless for text."""
        starts = self.layout.starts[:-1]
        total: NDArray[np.int64] = self.counts[starts + INTEGRAL] + self.counts[starts + FRACTIONAL]
        return total

    def encode(self, with_values: bool = True) -> bytes:
        """Versioned MessagePack with the vectors compressed by zstd.

        Equal profiles of one history give equal bytes. ``with_values``: the distinct values too.
        """
        vectors = (self.counts, self.sums, self.low, self.high)
        raw = b"".join(vector.tobytes() for vector in vectors)
        wire = _Wire(
            version=1,
            fingerprint=self.layout.fingerprint,
            rows=self.rows,
            size=len(raw),
            body=_ZSTD.compress(raw, asbytes=True),
            novel=self.novel,
        )
        kept = self.values if with_values else {}
        values = {i: distinct.encode(kept[i]) for i in sorted(kept)}
        fields = structs.asdict(wire)
        pairs = b""
        if len(self.pairs):
            pairs = bytes(_ZSTD.compress(self.pairs.tobytes(), asbytes=True))
        if self.segments is not None:
            of_segments = self.segments.encode()
            return msgspec.msgpack.encode(
                _WireWithSegments(**fields, values=values, pairs=pairs, segments=of_segments)
            )
        if pairs:
            return msgspec.msgpack.encode(_WireWithPairs(**fields, values=values, pairs=pairs))
        if values:
            return msgspec.msgpack.encode(_WireWithValues(**fields, values=values))
        return msgspec.msgpack.encode(wire)

    @classmethod
    def decode(cls, data: bytes, layout: Layout) -> Profile:
        """The profile that :meth:`encode` wrote.

        Raises :class:`~detectors.errors.LayoutMismatch` if it belongs to another layout, and
        :class:`~detectors.errors.ProfileInvalid` if it is damaged.
        """
        wire = _wire(data)
        if wire.fingerprint != layout.fingerprint:
            raise LayoutMismatch(layout.fingerprint, wire.fingerprint)
        features = len(layout.features)
        size = (layout.size + 4 * features) * 8
        if wire.size != size:
            raise ProfileInvalid(f"it has {wire.size} bytes, and its layout {size}")
        raw = _decompressed(wire.body, size)
        floats = np.frombuffer(raw, np.float64, features * 4, layout.size * 8).copy()
        profile = cls(layout)
        profile.rows = wire.rows
        profile.counts = np.frombuffer(raw, np.int64, layout.size).copy()
        profile.sums = floats[: features * 2].reshape(features, 2)
        profile.low = floats[features * 2 : features * 3].copy()
        profile.high = floats[features * 3 :].copy()
        for name, counts in wire.novel.items():
            profile.note_novel(name, counts)
        try:
            profile.values = {i: distinct.decode(values) for i, values in wire.values.items()}
        except ValueError as error:
            raise ProfileInvalid(str(error)) from error
        if len(profile.pairs):
            pairs = _decompressed(wire.pairs, profile.pairs.nbytes)
            profile.pairs = np.frombuffer(pairs, np.int64).copy()
        if profile.segments is not None:
            profile.segments = cls.decode(wire.segments, profile.segments.layout)
        return profile

    @staticmethod
    def rows_of(data: bytes) -> int:
        """The rows of an encoded profile of any layout.

        Raises :class:`~detectors.errors.ProfileInvalid` if it is damaged.
        """
        return _wire(data).rows


def resegmented(profile: Profile, layout: Layout) -> Profile:
    """The same counts with other segments: those of ``layout``, which are among its own.

    See :func:`detectors.profiles.segments.targets`. Distinct values and samples stay.
    """
    out = profile.of_all_rows(layout)
    out.pairs = profile.pairs.copy()
    if out.segments is None or profile.segments is None:
        return out
    into, of = out.segments, profile.segments
    for s, target in enumerate(targets(profile.layout, layout)):
        if target >= 0:
            rows = len(layout.features)
            part, place = slice(s * rows, (s + 1) * rows), slice(target * rows, (target + 1) * rows)
            into.counts.reshape(-1, layout.size)[target] += of.counts.reshape(-1, layout.size)[s]
            into.sums[place] += of.sums[part]
            into.low[place] = np.minimum(into.low[place], of.low[part])
            into.high[place] = np.maximum(into.high[place], of.high[part])
    into.rows = of.rows
    return out


def _by_name(entry: tuple[int, str, int]) -> str:
    return entry[1]


_ZSTD = pa.Codec("zstd", compression_level=1)


def _pairs_size(layout: Layout) -> int:
    """The number of counts of pairs: the upper triangle of a matrix of all indicators."""
    indicators = LEVELS * len(layout.joint_features)
    return indicators * (indicators + 1) // 2


def _wire(data: bytes) -> _WireWithSegments:
    try:
        wire = msgspec.msgpack.decode(data, type=_WireWithSegments)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ProfileInvalid(str(error)) from error
    if wire.rows < 0:
        raise ProfileInvalid(f"it has {wire.rows} rows")
    return wire


def _decompressed(body: bytes, size: int) -> bytes:
    """A vector of the ``size`` that the layout requires: that in the data is not trusted."""
    try:
        raw: bytes = _ZSTD.decompress(body, decompressed_size=size, asbytes=True)
    except (OSError, pa.ArrowException) as error:
        raise ProfileInvalid("it cannot be decompressed") from error
    return raw
