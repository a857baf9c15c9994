"""The sample of ids that wait for labels, the same for predictions and labels."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_STEPS: Final = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_LAST_SHIFT: Final = np.uint64(31)


def sampled(hashes: NDArray[np.uint64], share: float) -> NDArray[np.bool_]:
    """Return which ids are in a sample of this share of all ids, by their hashes.

    An id is in the sample if its mixed hash is below ``share * 2**64``: so it depends on the id and
    the share alone, and a larger share keeps what a smaller one has. The hash is mixed once more,
    by the finalizer of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
    generators", OOPSLA 2014), because what else is decided by the hash must be independent of it.
    ``share`` is above 0 and at most 1; with 1 every id is in. Empty for no hashes.

    >>> int(sampled(np.arange(100_000, dtype=np.uint64), 0.25).sum())
    25164
    """
    if share >= 1:
        return np.ones(len(hashes), bool)
    within: NDArray[np.bool_] = _mixed(hashes) < np.uint64(int(share * 2**64))
    return within


def _mixed(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed = hashes
    for shift, factor in _STEPS:
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    last: NDArray[np.uint64] = mixed ^ (mixed >> _LAST_SHIFT)
    return last
