"""The values that a baseline knows beyond the vocabulary of a text feature: a filter of hashes."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

RARE_BINS: Final = 64
"""The number of bins that rare values are hashed into, by the same bits as unseen ones."""
MAX_RARE: Final = 65_536
"""The largest number of values in a filter, which then takes 256 KiB."""
KEY_BITS: Final = 32
"""The bits of a key: a value that the baseline does not have passes for one of n with n / 2**32."""


class RareValues(msgspec.Struct, frozen=True):
    """The rare values of one text feature: known values that its vocabulary has no room for.

    ``keys`` holds the upper 32 bits of the hash of each value, rising, as little-endian integers.
    ``new_share`` is the share of the rows of these values, 0 to 1, that may turn out to be values
    that the baseline does not know, see
    :func:`detectors.profiles.vocabulary_choice.rare_values`.

    ``lucky`` are the rows of those values that would not be known had each of them one row less:
    values of a single row, as a rule. ``variance`` is that of the estimate of unknown rows. A
    filter of 0.1.0 has neither, and its values share one bin.
    """

    keys: bytes
    new_share: float
    lucky: int | msgspec.UnsetType = msgspec.UNSET
    variance: float | msgspec.UnsetType = msgspec.UNSET

    @property
    def bins(self) -> int:
        """The number of bins that these values are hashed into: 64, or 1 in a filter of 0.1.0."""
        return 1 if self.lucky is msgspec.UNSET else RARE_BINS

    def hold(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Whether each value is one of these, from its hash (:mod:`detectors.profiles.hashing`)."""
        keys = np.frombuffer(self.keys, "<u4")
        wanted = keys_of(hashes)
        nearest = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        found: NDArray[np.bool_] = keys[nearest] == wanted
        return found

    @property
    def problem(self) -> str:
        """What is wrong with the filter; empty for a valid one."""
        if not self.keys or len(self.keys) % 4:
            return "keys of rare values must be one or more 32-bit integers"
        keys = np.frombuffer(self.keys, "<u4")
        if not np.all(keys[1:] > keys[:-1]):
            return "keys of rare values must rise"
        return "" if 0.0 <= self.new_share <= 1.0 else "new_share must be 0 to 1"


def keys_of(hashes: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """The upper 32 bits of each hash."""
    return (hashes >> np.uint64(64 - KEY_BITS)).astype("<u4")
