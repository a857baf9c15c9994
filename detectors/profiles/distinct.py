"""The distinct values of a feature: a bounded sample with exact counts.

SageMaker Model Monitor compares the distinct values of a window with those of its baseline, and its
files hold values. Bins cannot give either, so a profile keeps values where that is asked for.

The sample holds the values with the smallest hashes, with exact counts (bottom-k sampling, Cohen
and Kaplan 2007). So it does not depend on the order of the rows, nor on the parts in which they
were counted. Up to :data:`MOST_VALUES` different values it is complete; beyond that it is a uniform
sample of the different values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detectors.arrays import Floats, Ints
from detectors.profiles.hashing import hashed

MOST_VALUES: Final = 2_048
"""The largest number of different values that are kept of a feature; so many rows are exact in the
sketch of SageMaker, too."""
MOST_BYTES: Final = 1_024
"""The length of the longest text that is kept as it is, in bytes."""
CUT: Final = 200
"""The number of characters that are kept of a longer text."""

Values: TypeAlias = Floats | pa.StringArray
"""Finite numbers, or texts."""
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)


class DistinctValues(NamedTuple):
    """Different values of one feature with their counts, in the order of their ranks.

    ``ranks`` are hashes of the values, ascending and each once. Numbers have different ranks; two
    texts with one 64-bit hash count as one. ``total`` is the number of rows with a value, also of
    values that are not in the sample.
    """

    ranks: NDArray[np.uint64]
    values: Values
    counts: Ints
    total: int

    @property
    def complete(self) -> bool:
        """Whether no value was left out."""
        return int(self.counts.sum()) == self.total

    @property
    def distinct(self) -> float:
        """The number of different values; an estimate where values were left out.

        That is ``(k - 1) / r`` for the k-th smallest hash ``r`` on the unit interval, within 2.2 %
        in two of three cases. 0 without values.
        """
        if self.complete:
            return float(len(self.ranks))
        return (len(self.ranks) - 1) / (float(self.ranks[-1]) / 2.0**64)


def of_numbers(ordered: Floats) -> DistinctValues:
    """The distinct values of finite numbers that are sorted; ``-0.0`` is ``0.0``.

    >>> found = of_numbers(np.array([1.0, 2.0, 2.0]))
    >>> sorted(zip(found.values.tolist(), found.counts.tolist()))
    [(1.0, 1), (2.0, 2)]
    """
    starts, counts = _runs(ordered[1:] != ordered[:-1], len(ordered))
    values = (ordered if len(starts) == len(ordered) else ordered[starts]) + 0.0
    return _smallest(_mixed(values.view(np.uint64)), values, counts, len(ordered))


def of_texts(texts: pa.StringArray, counts: Ints) -> DistinctValues:
    """The distinct values of counted texts, none of them null; a text may occur again.

    >>> found = of_texts(pa.array(["a", "b", "a"]), np.array([1, 2, 3]))
    >>> sorted(zip(found.values.to_pylist(), found.counts.tolist()))
    [('a', 4), ('b', 2)]
    """
    texts = shortened(texts)
    ranks, first, place = np.unique(ranks_of(texts), return_index=True, return_inverse=True)
    sums = np.zeros(len(ranks), np.int64)
    np.add.at(sums, place, counts)
    ranks, first, sums = ranks[:MOST_VALUES], first[:MOST_VALUES], sums[:MOST_VALUES]
    return DistinctValues(ranks, texts.take(pa.array(first)), sums, int(counts.sum()))


def numbers_by_place(places: Ints, numbers: Floats) -> Iterator[tuple[int, DistinctValues]]:
    """The distinct values of the finite numbers of each place."""
    values = numbers + 0.0
    ranks = _mixed(values.view(np.uint64))
    order = np.lexsort((ranks, places))
    return _by_place(places[order], ranks[order], values[order])


def texts_by_place(
    places: Ints, codes: Ints, parts: Sequence[tuple[pa.StringArray, NDArray[np.uint64]]]
) -> Iterator[tuple[int, DistinctValues]]:
    """The distinct values of the texts of each place.

    ``codes`` has the position of the text in each place among the texts of all ``parts``, which are
    shortened, and have their ranks beside them.
    """
    used = np.zeros(sum(len(texts) for texts, _ in parts), bool)
    used[codes] = True
    codes = (np.cumsum(used) - 1)[codes]
    chosen = np.split(used, np.cumsum([len(texts) for texts, _ in parts])[:-1])
    found = [
        (texts.filter(pa.array(mask)), ranks[mask])
        for (texts, ranks), mask in zip(parts, chosen, strict=True)
    ]
    texts = pa.concat_arrays([texts for texts, _ in found])
    ranks = np.concatenate([ranks for _, ranks in found])[codes]
    order = np.lexsort((ranks, places))
    return _by_place(places[order], ranks[order], codes[order], texts)


def merged(ours: DistinctValues, theirs: DistinctValues) -> DistinctValues:
    """The distinct values of all rows behind two samples of one feature."""
    total = ours.total + theirs.total
    if len(ours.ranks) < len(theirs.ranks):
        ours, theirs = theirs, ours
    if len(ours.ranks) == MOST_VALUES:  # what is beyond the last rank is in no sample of more rows
        theirs = _head(theirs, int(np.searchsorted(theirs.ranks, ours.ranks[-1], side="right")))
    ranks = np.concatenate((ours.ranks, theirs.ranks))
    order = np.argsort(ranks, kind="stable")  # merges two sorted runs
    ranks, counts = ranks[order], np.concatenate((ours.counts, theirs.counts))[order]
    twice = (ranks[1:] == ranks[:-1]).nonzero()[0]
    if len(twice):
        counts[twice] += counts[twice + 1]
        once = np.ones(len(ranks), bool)
        once[twice + 1] = False
        ranks, counts, order = ranks[once], counts[once], order[once]
    return DistinctValues(
        ranks[:MOST_VALUES], _taken(ours, theirs, order[:MOST_VALUES]), counts[:MOST_VALUES], total
    )


def _taken(ours: DistinctValues, theirs: DistinctValues, order: Ints) -> Values:
    """The values at these positions in both samples, one after the other."""
    if isinstance(ours.values, pa.Array):
        if len(order) and len(order) == len(ours.ranks) and order[-1] == len(order) - 1:
            return ours.values  # as often: no value is new
        return pa.concat_arrays([ours.values, theirs.values]).take(pa.array(order))
    numbers: Floats = np.concatenate((ours.values, theirs.values))[order]
    return numbers


def _head(values: DistinctValues, most: int) -> DistinctValues:
    """The values with the smallest ranks."""
    ranks, kept, counts, total = values
    return DistinctValues(ranks[:most], kept[:most], counts[:most], total)


def _smallest(
    ranks: NDArray[np.uint64], values: Floats, counts: Ints, total: int
) -> DistinctValues:
    if len(ranks) > MOST_VALUES:  # sorting all of them would take most of the time
        kept = ranks <= np.partition(ranks, MOST_VALUES - 1)[MOST_VALUES - 1]
        ranks, values, counts = ranks[kept], values[kept], counts[kept]
    order = np.argsort(ranks)
    return DistinctValues(ranks[order], values[order], counts[order], total)


def _by_place(
    places: Ints, ranks: NDArray[np.uint64], values: Ints | Floats, texts: pa.StringArray = None
) -> Iterator[tuple[int, DistinctValues]]:
    """One sample for each place, from single values in the order of place and rank."""
    changes = (places[1:] != places[:-1]) | (ranks[1:] != ranks[:-1])
    starts, counts = _runs(changes, len(places))
    places, ranks, values = places[starts], ranks[starts], values[starts]
    found = values if texts is None else texts.take(pa.array(values))
    bounds = _runs(places[1:] != places[:-1], len(places))[0].tolist()
    for first, stop in zip(bounds, [*bounds[1:], len(places)][: len(bounds)], strict=True):
        here = slice(first, min(stop, first + MOST_VALUES))
        total = int(counts[first:stop].sum())
        yield int(places[first]), DistinctValues(ranks[here], found[here], counts[here], total)


def _runs(changes: NDArray[np.bool_], size: int) -> tuple[Ints, Ints]:
    """Where runs of equal entries begin, and their lengths.

    ``changes[k]`` is true if entry ``k + 1`` differs from the one before it.
    """
    if not size:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    ends = changes.nonzero()[0]
    bounds = np.empty(len(ends) + 2, np.int64)
    bounds[0], bounds[1:-1], bounds[-1] = 0, ends + 1, size
    return bounds[:-1], bounds[1:] - bounds[:-1]


def shortened(texts: pa.StringArray) -> pa.StringArray:
    """The texts as they are kept: a long one is cut, and ends with the hash of the whole.

    So different texts stay different, and 2,048 of them stay small.
    """
    if (pc.max(pc.binary_length(texts)).as_py() or 0) <= MOST_BYTES:
        return texts
    long = np.array(pc.greater(pc.binary_length(texts), MOST_BYTES))
    whole = texts.filter(pa.array(long))
    ends = pa.array([f"…{rank:016x}" for rank in hashed(whole).tolist()])
    cut = pc.binary_join_element_wise(pc.utf8_slice_codeunits(whole, 0, CUT), ends, "")
    return pc.replace_with_mask(texts, pa.array(long), cut)


def ranks_of(texts: pa.StringArray) -> NDArray[np.uint64]:
    """The rank of each text; none is null."""
    return _mixed(hashed(texts))


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): different for different bits."""
    mixed = bits >> np.uint64(30)
    mixed ^= bits
    mixed *= _FIRST
    mixed ^= mixed >> np.uint64(27)
    mixed *= _SECOND
    mixed ^= mixed >> np.uint64(31)
    return mixed


class Wire(msgspec.Struct, frozen=True, array_like=True):
    """The encoded form of a sample of ``size`` values.

    ``body`` is compressed by zstd: the counts, then the numbers, or the offsets and bytes of texts;
    ``length`` is that of the whole before it was compressed.
    """

    size: int
    total: int
    text: bool
    length: int
    body: bytes


def encode(values: DistinctValues) -> Wire:
    """The sample as plain data; ranks follow from the values."""
    parts = [values.counts.tobytes()]
    text = isinstance(values.values, pa.Array)
    if isinstance(values.values, pa.Array):
        lengths = pc.binary_length(values.values).to_numpy(zero_copy_only=False)
        offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
        parts += [offsets.tobytes(), "".join(values.values.to_pylist()).encode()]
    else:
        parts.append(values.values.tobytes())
    raw = b"".join(parts)
    body = _ZSTD.compress(raw, asbytes=True)
    return Wire(len(values.ranks), values.total, text, len(raw), body)


def decode(wire: Wire) -> DistinctValues:
    """The sample that :func:`encode` wrote. Raises ``ValueError`` for other data."""
    size, most = wire.size, MOST_VALUES * (12 + MOST_BYTES) + 4
    least = 12 * size + 4 if wire.text else 16 * size
    if not (0 <= size <= MOST_VALUES and least <= wire.length <= most):
        raise ValueError(f"{size} distinct values in {wire.length} bytes")
    try:
        raw: bytes = _ZSTD.decompress(wire.body, decompressed_size=wire.length, asbytes=True)
    except OSError as error:
        raise ValueError("distinct values cannot be decompressed") from error
    counts = np.frombuffer(raw, np.int64, size)
    if not wire.text:
        numbers = np.frombuffer(raw, np.float64, size, 8 * size)
        return _decoded(_mixed(numbers.view(np.uint64)), numbers, counts, wire.total)
    offsets, data = raw[8 * size : 12 * size + 4], raw[12 * size + 4 :]
    buffers = (pa.py_buffer(offsets), pa.py_buffer(data))
    texts = pa.StringArray.from_buffers(size, *buffers)
    texts.validate(full=True)
    return _decoded(ranks_of(texts), texts, counts, wire.total)


def _decoded(ranks: NDArray[np.uint64], values: Values, counts: Ints, total: int) -> DistinctValues:
    if (ranks[1:] <= ranks[:-1]).any() or (counts <= 0).any():
        raise ValueError("distinct values without the order of their ranks, or with no count")
    return DistinctValues(ranks, values, counts, total)


_ZSTD: Final = pa.Codec("zstd", compression_level=1)
