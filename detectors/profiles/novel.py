"""Names of values that a baseline does not know: a bounded sample of each feature.

The sample holds the values with the smallest hashes, with exact counts (bottom-k sampling, Cohen
and Kaplan 2007). A value is left out only where enough others have smaller hashes, and then it is
in no sample of more rows either. So the sample of some rows does not depend on their order, nor on
the parts in which they were counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detectors.arrays import Ints
from detectors.profiles.hashing import hashed
from detectors.profiles.layout import HASHED_BINS

MAX_NOVEL: Final = 20
"""The largest number of names of unseen values that a profile keeps per feature."""
MAX_NAME: Final = 200
"""The largest number of characters of such a name: values may be long, and reports hold names."""

_BIN_BITS: Final = np.uint64((HASHED_BINS - 1).bit_length())
"""The highest bits of a hash choose the hashed bin. Ranks lack them: the names of a sample would
all be of a few bins otherwise."""


Sample: TypeAlias = list[tuple[int, str, int]]
"""Rank, name and count of each value of a sample, in this order: the smallest ranks of all."""


def short_name(value: str, most: int = MAX_NAME) -> str:
    """The value, cut to ``most`` characters with an ellipsis at the end.

    >>> short_name("winter", 4)
    'win…'
    """
    return value if len(value) <= most else value[: most - 1] + "…"


def merged(ours: Sample, theirs: Sample) -> Sample:
    """The sample of all rows behind two samples."""
    if not ours:
        return theirs
    out: Sample = []
    for entry in sorted((*ours, *theirs)):
        if out and out[-1][:2] == entry[:2]:
            out[-1] = (*entry[:2], out[-1][2] + entry[2])
        elif len(out) == MAX_NOVEL:
            break
        else:
            out.append(entry)
    return out


def counted(counts: Mapping[str, int]) -> Sample:
    """The sample of counted values; those that are equal once they are cut are added up."""
    sums: dict[str, int] = {}
    for value, count in counts.items():
        name = short_name(value)
        sums[name] = sums.get(name, 0) + count
    ranks = hashed(pa.array(list(sums), pa.string())) << _BIN_BITS
    return sorted(zip(ranks.tolist(), sums, sums.values(), strict=True))[:MAX_NOVEL]


def sample(values: pa.StringArray, counts: Ints) -> Sample:
    """The sample of counted values of one feature; a value may occur again."""
    encoded, ranks = _encoded(values, hashed(values))
    sums = np.zeros(len(ranks), np.int64)
    np.add.at(sums, encoded.indices.to_numpy(), counts)
    kept = _order(encoded.dictionary, ranks)[:MAX_NOVEL]
    names = encoded.dictionary.take(pa.array(kept)).to_pylist()
    return list(zip(ranks[kept].tolist(), names, sums[kept].tolist(), strict=True))


def samples(places: Ints, values: pa.StringArray, hashes: NDArray[np.uint64]) -> dict[int, Sample]:
    """The sample of the values of each place, from single values with their places and hashes."""
    encoded, ranks = _encoded(values, hashes)
    order = _order(encoded.dictionary, ranks)
    position = np.empty_like(order)
    position[order] = np.arange(len(order))
    keys = places * len(order) + position[encoded.indices.to_numpy()]
    keys, counts = np.unique(keys, return_counts=True)
    place = keys // len(order)
    kept = np.arange(len(keys)) - np.searchsorted(place, place) < MAX_NOVEL
    which = order[keys[kept] % len(order)]
    names = encoded.dictionary.take(pa.array(which)).to_pylist()
    entries = list(zip(ranks[which].tolist(), names, counts[kept].tolist(), strict=True))
    starts = np.flatnonzero(np.diff(place[kept], prepend=-1)).tolist()
    stops = [*starts[1:], len(entries)]
    found = place[kept][starts].tolist()
    return {p: entries[a:b] for p, a, b in zip(found, starts, stops, strict=True)}


def _encoded(
    values: pa.StringArray, hashes: NDArray[np.uint64]
) -> tuple[pa.DictionaryArray, NDArray[np.uint64]]:
    """The names of the values, each once, and the rank of each; ``hashes`` are those of the values.

    A name that is cut has a hash of its own, as it is all that later merges have.
    """
    if (pc.max(pc.binary_length(values)).as_py() or 0) > MAX_NAME:
        start = pc.utf8_slice_codeunits(values, 0, MAX_NAME - 1)
        cut = pc.binary_join_element_wise(start, "…", "")
        values = pc.if_else(pc.greater(pc.utf8_length(values), MAX_NAME), cut, values)
        hashes = hashed(values)
    encoded = pc.dictionary_encode(values)
    ranks = np.empty(len(encoded.dictionary), np.uint64)
    ranks[encoded.indices.to_numpy()] = hashes << _BIN_BITS
    return encoded, ranks


def _order(names: pa.StringArray, ranks: NDArray[np.uint64]) -> Ints:
    """The positions of different names by rank; the text decides between equal ranks."""
    order = np.argsort(ranks)
    ordered = ranks[order]
    if (ordered[1:] > ordered[:-1]).all():
        return order
    texts = names.to_pylist()
    by_text = sorted(range(len(texts)), key=lambda k: (int(ranks[k]), texts[k]))
    return np.array(by_text, np.int64)
