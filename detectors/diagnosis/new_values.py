"""Names for the hashed bins of a window: the new values in them that its profile names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from detectors.arrays import Ints
from detectors.profiles.hashing import hashed, hashed_bin
from detectors.profiles.layout import HASHED_BINS, HEAD, NEW
from detectors.profiles.novel import MAX_NAME, short_name
from detectors.profiles.profile import Profile

SHOWN: Final = 3
"""The largest number of new values that a label or a sentence names."""
MAX_SHOWN_NAME: Final = 60
"""The largest number of characters of a name in a label or a sentence."""


class NewValue(NamedTuple):
    """A value that the baseline does not know, with the slot of its hashed bin and its rows."""

    slot: int
    name: str
    rows: int


def new_values(side: Profile, i: int) -> list[NewValue]:
    """The new values of feature ``i`` that a profile names, the most frequent first.

    Without values that the profile has cut: their bin is not known.
    """
    feature = side.layout.features[i]
    entries = side.samples.get(feature.name, [])
    if feature.numeric or not entries:
        return []
    names = pa.array([name for _, name, _ in entries], pa.string())
    slots = (_first_hashed(side, i) + hashed_bin(hashed(names))).tolist()
    found = [NewValue(slot, *entry[1:]) for slot, entry in zip(slots, entries, strict=True)]
    whole = [value for value in found if len(value.name) < MAX_NAME]
    return sorted(whole, key=lambda value: (-value.rows, value.name))


def new_value_labels(side: Profile, i: int) -> dict[int, str]:
    """The label of each coarse cell of feature ``i`` (from 0) whose new values are named.

    ``new: 'winter'``, or ``new: 'winter' and others``. Cells without a count are left out.
    """
    values = new_values(side, i)
    start = int(side.layout.starts[i]) + HEAD
    return {
        slot - start: NEW + _listed([value for value in values if value.slot == slot], total)
        for slot in dict.fromkeys(value.slot for value in values)
        if (total := int(side.counts[slot]))
    }


def new_values_in_words(side: Profile, i: int, allowed: Ints | None = None) -> str:
    """The most frequent new values of feature ``i``, in quotes; empty if the profile names none.

    Without those in the ``allowed`` slots.
    """
    first = _first_hashed(side, i)
    slots = np.arange(first, first + HASHED_BINS)
    slots = slots if allowed is None else np.setdiff1d(slots, allowed)
    values = [value for value in new_values(side, i) if value.slot in slots]
    return _listed(values, int(side.counts[slots].sum())) if values else ""


def quoted(name: str) -> str:
    """The name as it is shown: cut, in quotes, with control characters escaped.

    >>> quoted("winter"), quoted("\\x1b[2J")
    ("'winter'", "'\\\\x1b[2J'")
    """
    return repr(short_name(name, MAX_SHOWN_NAME))


def _first_hashed(side: Profile, i: int) -> int:
    return int(side.layout.starts[i]) + HEAD + len(side.layout.features[i].vocabulary)


def _listed(values: Sequence[NewValue], total: int) -> str:
    """Up to three of the values; ``total`` is the count of these and of others."""
    shown = values[:SHOWN]
    others = total > sum(value.rows for value in shown)
    return ", ".join(quoted(value.name) for value in shown) + (" and others" if others else "")
