"""Ids of events that were accepted: what comes again within a horizon is a duplicate. Bounded, and
a function of the log alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from detectors.arrays import Ints
from detectors.durations import Duration, duration_ms
from detectors.profiles.hashing import hashed
from stream.events import SeenIds

SLICES: Final = 5
"""Ids are forgotten a slice of the horizon at a time."""


class Dedupe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Count an event once if its id comes again: ``by`` which id, for how long (``horizon``), at
    ``most`` how many ids a partition.

    The horizon is event time, as far as it was read in the event's partition: an id is remembered
    for at least that long, and up to a fifth longer. An event without an id is never a duplicate,
    nor is one that comes again in *another* partition. Once ``most`` ids are remembered, new ones
    are not; ``driftline_ids_unremembered_total`` counts them (an id costs about 80 bytes of memory).
    Ids are kept as 64-bit hashes: among 10**10 events with 10**6 ids remembered, the chance that
    any is taken for another is about 1 in 2,000.
    """

    by: Literal["event_id", "inference_id"] = "event_id"
    """The id that is compared. An event without it is never a duplicate."""
    horizon: Duration = "5m"
    """How long an id is remembered, in event time as read in its partition; up to a fifth longer.
    """
    most: Annotated[int, msgspec.Meta(ge=1000)] = 500_000
    """The number of ids that are remembered for each partition, at about 80 bytes of memory each;
    further ids are not remembered, and are counted. Ids are compared by 64-bit hashes: among
    10**10 events with 10**6 ids remembered, the chance that any is taken for another is about 1 in
    2,000.
    """

    @property
    def slice_ms(self) -> int:
        """How much event time one slice of remembered ids spans."""
        return max(duration_ms(self.horizon) // SLICES, 1)

    def forgotten(self, slice_start_ms: int, mark_ms: int) -> bool:
        """True if ids of the slice that starts there are no longer remembered when the partition's
        mark is ``mark_ms``.
        """
        return slice_start_ms + self.slice_ms + duration_ms(self.horizon) <= mark_ms


class DedupeResult(NamedTuple):
    """Which records are duplicates, the ids that are new by slice, and how many could not be
    remembered.
    """

    duplicate: NDArray[np.bool_]
    fresh: list[SeenIds]
    unremembered: int


class DuplicateFilter:
    """The remembered ids of one partition.

    A record is a duplicate if its id was accepted before it in the partition and is still
    remembered at the running mark of the record. So what is found depends on the log alone, not on
    how it is cut into batches.
    """

    def __init__(self, rules: Dedupe, partition: str, known: Iterable[SeenIds] = ()) -> None:
        self._rules, self._partition = rules, partition
        self._slices: dict[int, set[int]] = {}
        for one in known:
            self._slices.setdefault(one.slice_ms, set()).update(
                np.frombuffer(one.ids, np.uint64).tolist()
            )

    def look(self, ids: NDArray[np.uint64], asked: NDArray[np.bool_], marks: Ints) -> DedupeResult:
        """Find the duplicates among records that would be accepted (``asked``), and remember the
        others.

        ``ids`` and ``marks`` (the running mark, in ms) have an entry a record.
        """
        where = np.flatnonzero(asked)
        starts = marks[where] // self._rules.slice_ms * self._rules.slice_ms
        hashes = ids[where].tolist()
        suspicious = self._suspicious(hashes)
        duplicate = np.zeros(len(ids), bool)
        fresh: dict[int, list[int]] = {}
        left_out = 0
        if not suspicious and len(starts) and starts[0] == starts[-1]:
            left_out = self._add(int(starts[0]), hashes, fresh)
        else:
            for k, start, one in zip(where.tolist(), starts.tolist(), hashes, strict=True):
                if one in suspicious and self._known(one, int(marks[k])):
                    duplicate[k] = True
                else:
                    left_out += self._add(start, [one], fresh)
        if len(marks):
            self._forget(int(marks[-1]))
        told = [
            SeenIds(self._partition, start, np.array(some, np.uint64).tobytes())
            for start, some in fresh.items()
        ]
        return DedupeResult(duplicate, told, left_out)

    def _suspicious(self, hashes: Sequence[int]) -> set[int]:
        """Ids that are remembered, or come twice in the batch."""
        once = set(hashes)
        found: set[int] = set()
        for slice_ in self._slices.values():
            found |= slice_ & once
        if len(once) < len(hashes):
            again: set[int] = set()
            for one in hashes:
                (found if one in again else again).add(one)
        return found

    def _known(self, one: int, mark_ms: int) -> bool:
        return any(
            one in some and not self._rules.forgotten(start, mark_ms)
            for start, some in self._slices.items()
        )

    def _add(self, start_ms: int, hashes: list[int], fresh: dict[int, list[int]]) -> int:
        slice_ = self._slices.setdefault(start_ms, set())
        room = max(self._rules.most // (SLICES + 2) - len(slice_), 0)
        kept = hashes[:room]
        slice_.update(kept)
        fresh.setdefault(start_ms, []).extend(kept)
        return len(hashes) - len(kept)

    def _forget(self, mark_ms: int) -> None:
        for start in [start for start in self._slices if self._rules.forgotten(start, mark_ms)]:
            del self._slices[start]


def hashes_of(ids: Sequence[str | None]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """A 64-bit hash of each id, and which records have one (an empty text is none)."""
    try:
        column = pa.array(ids, pa.string())
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can write
        raw = [None if one is None else one.encode("utf-8", "surrogatepass") for one in ids]
        column = pa.array(raw, pa.binary()).view(pa.string())
    return hashed(column.fill_null("")), np.fromiter(map(bool, ids), bool, len(ids))
