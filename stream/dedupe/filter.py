"""Finds events with an id that was accepted before, within a horizon of event time.

The memory is bounded, and the result depends on the log alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detectors.arrays import Ints
from detectors.durations import Duration, duration_ms
from detectors.profiles.hashing import hashed
from stream.events import SeenIds

SLICES: Final = 5
"""The number of slices of the horizon; ids are forgotten one slice at a time."""


class Dedupe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rule by which an event counts once if its id is repeated within a horizon.

    ``by`` names the id; ``horizon`` is how long it is remembered, and ``most`` is the maximum
    number of ids remembered in a partition.

    The horizon is event time as read in the event's partition: an id is remembered for at least
    that long, and up to a fifth longer. An event without an id is never a duplicate, nor is an
    event that is repeated in *another* partition. Once ``most`` ids are remembered, new ones are
    not; ``driftline_ids_unremembered_total`` counts them. An id needs about 80 bytes of memory.
    Ids are kept as 64-bit hashes: among 10**10 events with 10**6 ids remembered, the probability
    that any event is mistaken for a duplicate is about 1 in 2,000.
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
        """Event time that one slice of remembered ids spans."""
        return max(duration_ms(self.horizon) // SLICES, 1)

    @property
    def ids_per_slice(self) -> int:
        """``most``, divided among the slices that can be remembered at the same time."""
        return self.most // (SLICES + 2)

    def forgotten(self, slice_start_ms: int, mark_ms: int) -> bool:
        """Return whether the ids of a slice are no longer remembered at a mark of ``mark_ms``."""
        return slice_start_ms + self.slice_ms + duration_ms(self.horizon) <= mark_ms


class DedupeResult(NamedTuple):
    """The duplicates among some records (one entry per record), and their new ids.

    ``new_ids`` holds the ids to remember, by slice; ``unremembered`` is the number of ids for which
    there was no room.
    """

    duplicate: NDArray[np.bool_]
    new_ids: list[SeenIds]
    unremembered: int


class DuplicateFilter:
    """The remembered ids of one partition.

    A record is a duplicate if its id was accepted before it in the partition and is still
    remembered at the record's running mark. The result therefore depends on the log alone, not on
    how it is split into batches.
    """

    def __init__(self, rules: Dedupe, partition: str, known: Iterable[SeenIds] = ()) -> None:
        self._rules = rules
        self._partition = partition
        self._slices: dict[int, set[int]] = {}
        for seen in known:
            hashes = np.frombuffer(seen.ids, np.uint64).tolist()
            self._slices.setdefault(seen.slice_ms, set()).update(hashes)

    def find(
        self, ids: NDArray[np.uint64], candidates: NDArray[np.bool_], marks: Ints
    ) -> DedupeResult:
        """Find the duplicates among the ``candidates``, and remember the ids of the others.

        ``ids``, ``candidates`` (records that would otherwise be accepted) and ``marks`` (the
        running mark in milliseconds) have one entry per record.
        """
        records = np.flatnonzero(candidates)
        starts = marks[records] // self._rules.slice_ms * self._rules.slice_ms
        hashes = ids[records].tolist()
        repeated = self._possibly_repeated(hashes)
        duplicate = np.zeros(len(ids), bool)
        new_ids: dict[int, list[int]] = {}
        unremembered = 0
        if not repeated and len(starts) and starts[0] == starts[-1]:
            unremembered = self._remember(int(starts[0]), hashes, new_ids)
        else:
            for k, start, id_ in zip(records.tolist(), starts.tolist(), hashes, strict=True):
                if id_ in repeated and self._is_known(id_, int(marks[k])):
                    duplicate[k] = True
                else:
                    unremembered += self._remember(start, [id_], new_ids)
        if len(marks):
            self._forget(int(marks[-1]))
        return DedupeResult(duplicate, self._as_seen(new_ids), unremembered)

    def _possibly_repeated(self, hashes: Sequence[int]) -> set[int]:
        """Return the ids that are remembered, or occur twice in the batch."""
        distinct = set(hashes)
        repeated: set[int] = set()
        for known in self._slices.values():
            repeated |= known & distinct
        if len(distinct) < len(hashes):
            before: set[int] = set()
            for id_ in hashes:
                (repeated if id_ in before else before).add(id_)
        return repeated

    def _is_known(self, id_: int, mark_ms: int) -> bool:
        return any(
            id_ in known and not self._rules.forgotten(start, mark_ms)
            for start, known in self._slices.items()
        )

    def _remember(self, start_ms: int, hashes: list[int], new_ids: dict[int, list[int]]) -> int:
        """Remember the ids of a slice for which there is room; returns the number of the others."""
        known = self._slices.setdefault(start_ms, set())
        room = max(self._rules.ids_per_slice - len(known), 0)
        kept = hashes[:room]
        known.update(kept)
        new_ids.setdefault(start_ms, []).extend(kept)
        return len(hashes) - len(kept)

    def _forget(self, mark_ms: int) -> None:
        for start in [start for start in self._slices if self._rules.forgotten(start, mark_ms)]:
            del self._slices[start]

    def _as_seen(self, new_ids: dict[int, list[int]]) -> list[SeenIds]:
        return [
            SeenIds(self._partition, start, np.array(hashes, np.uint64).tobytes())
            for start, hashes in new_ids.items()
        ]


def hashes_of(ids: Sequence[str | None]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Return a 64-bit hash of each id, and a mask of records with an id (not an empty text)."""
    try:
        column = pa.array(ids, pa.string())
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can contain
        raw = [None if id_ is None else id_.encode("utf-8", "surrogatepass") for id_ in ids]
        column = pa.array(raw, pa.binary()).view(pa.string())
    filled = column.fill_null("")
    return hashed(filled), pc.binary_length(filled).to_numpy() > 0
