"""A stable hash for values that are not in the baseline."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detectors.profiles.layout import HASHED_BINS, Feature
from detectors.profiles.text_patterns import TextPatterns

BASE: Final = 0x9E3779B97F4A7C15
MIX: Final = 0xBF58476D1CE4E5B9
_SHIFT: Final = np.uint64(64 - (HASHED_BINS - 1).bit_length())


def hashed(values: pa.StringArray) -> NDArray[np.uint64]:
    """A 64-bit hash of each string, from its UTF-8 bytes ``b[0] ... b[k-1]`` alone.

    ``h = sum((b[j] + 1) * BASE ** (j + 1))``, then ``h ^= h >> 32``, ``h *= MIX``, all modulo
    2**64. An empty string has h = 0. The same on every machine and in every version: stored
    profiles and remembered ids depend on it. ``values`` must have no nulls.
    """
    if len(values) == 0:
        return np.empty(0, dtype=np.uint64)
    offsets = np.frombuffer(values.buffers()[1], np.int32)[
        values.offset : values.offset + len(values) + 1
    ]
    data = np.frombuffer(values.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
    sums = _sums(data, offsets - offsets[0])
    mixed: NDArray[np.uint64] = (sums ^ (sums >> np.uint64(32))) * np.uint64(MIX)
    return mixed


def _sums(data: NDArray[np.uint8], offsets: NDArray[np.int32]) -> NDArray[np.uint64]:
    """The sum of each string before it is mixed; string ``i`` is ``data[offsets[i]:offsets[i+1]]``.

    Strings of one length, as ids have, are the rows of a matrix, which is summed several times
    faster.
    """
    lengths = np.diff(offsets)
    longest = int(lengths.max())
    powers = np.multiply.accumulate(np.full(longest, BASE, dtype=np.uint64))
    if longest and (lengths == longest).all():
        matrix = data.reshape(len(lengths), longest).astype(np.uint64)
        matrix += np.uint64(1)
        equally_long: NDArray[np.uint64] = np.einsum("ij,j->i", matrix, powers)
        return equally_long
    sums = np.zeros(len(lengths), dtype=np.uint64)
    filled = lengths > 0
    if filled.any():
        starts = offsets[:-1][filled].astype(np.int64)
        within = np.arange(len(data)) - np.repeat(starts, lengths[filled])
        terms = (data.astype(np.uint64) + np.uint64(1)) * powers[within]
        sums[filled] = np.add.reduceat(terms, starts)
    return sums


def hashed_bin(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The hashed bin (0 to 63) of each hash: its top six bits.

    >>> hashed_bin(hashed(pa.array(["", "a", "b"]))).tolist()
    [0, 55, 17]
    """
    return (hashes >> _SHIFT).astype(np.int64)


def bins_beyond(feature: Feature, values: pa.StringArray) -> NDArray[np.int64]:
    """The bin of each value that the vocabulary of a text feature does not have.

    A bin of rare values for those, else a hashed bin. ``values`` must have no nulls.
    """
    if isinstance(feature.rare, msgspec.UnsetType):
        return len(feature.vocabulary) + class_beyond(feature, values)
    hashes = hashed(values)
    beyond = pattern_bin(feature.patterns, values) if feature.patterns else hashed_bin(hashes)
    bins = len(feature.vocabulary) + beyond
    rare = feature.rare.hold(hashes)
    if feature.rare.bins == 1:
        bins[rare] = len(feature.vocabulary) + HASHED_BINS
    else:
        bins[rare] += HASHED_BINS
    return bins


def pattern_bin(patterns: TextPatterns, values: pa.StringArray) -> NDArray[np.int64]:
    """The bin (0 to 63) of the pattern of each value: its own, or a hashed one after those.

    ``values`` must have no nulls, and no blanks around them.

    >>> digits = TextPatterns(("9",), (8, 8))
    >>> pattern_bin(digits, pa.array(["12345678", "99999999", "123456789"])).tolist()
    [0, 0, 0]
    """
    several, which = patterns.of(values)
    found = pc.index_in(several, value_set=pa.array(patterns.known, pa.string()))
    own = np.uint64(len(patterns.known))
    others = own + hashed(several) % (np.uint64(HASHED_BINS) - own)
    known = found.fill_null(-1).to_numpy()
    of_pattern = np.where(known >= 0, known, others.astype(np.int64)).astype(np.int64)
    bins: NDArray[np.int64] = of_pattern[which]
    return bins


def class_beyond(feature: Feature, values: pa.StringArray) -> NDArray[np.int64]:
    """The number (0 to 63) of the hashed bin that each value has or would have."""
    return pattern_bin(feature.patterns, values) if feature.patterns else hashed_bin(hashed(values))
