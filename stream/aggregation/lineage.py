"""Partitions that go on where others end: shards that were split or merged. Functions over the
places, without clock or I/O.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping

import msgspec

from stream.aggregation.state import JobState
from stream.event_time import PartitionState
from stream.events import CoveredRange, DiscoveredPartition


def await_parents(
    partitions: Mapping[str, PartitionState], found: DiscoveredPartition
) -> PartitionState:
    """The place of a partition that was just found: it waits for those of its parents that are not
    ended.

    Its mark is the smallest of its ended parents: what came last in them is not older than what
    comes first in it.

    >>> await_parents({"a": PartitionState(1, 9, 70, ended=True), "b": PartitionState(1, 4, 50)}, DiscoveredPartition("c", 0, ("a", "b")))
    PartitionState(claim=0, next=0, mark_ms=70, quiet_ms=None, said_ms=None, idle=False, arrival_ms=None, ended=False, parents=('a', 'b'))
    """
    waits = any(name not in partitions or not partitions[name].ended for name in found.parents)
    marks = [
        partitions[name].mark_ms
        for name in found.parents
        if name in partitions and partitions[name].ended
    ]
    known = [mark for mark in marks if mark is not None]
    return PartitionState(
        0, found.start, min(known, default=None), parents=found.parents if waits else ()
    )


def end(
    partitions: MutableMapping[str, PartitionState], cover: CoveredRange
) -> dict[str, tuple[str, ...]]:
    """A partition is read to its end: returns the partitions that may be read now, and the parents
    of each.

    Its children enter in the same step, so that there is no moment at which neither it nor they
    hold the watermark.
    """
    partitions[cover.partition] = msgspec.structs.replace(
        partitions[cover.partition], ended=True, arrival_ms=None
    )
    for child in cover.children:
        partitions.setdefault(
            child.partition,
            PartitionState(0, child.start, parents=child.parents or (cover.partition,)),
        )
    waiting = {
        name: place.parents
        for name, place in partitions.items()
        if cover.partition in place.parents
    }
    for name in waiting:
        place = partitions[name]
        anew = await_parents(partitions, DiscoveredPartition(name, place.next, place.parents))
        partitions[name] = msgspec.structs.replace(
            place, mark_ms=anew.mark_ms, parents=anew.parents
        )
    return {name: parents for name, parents in waiting.items() if partitions[name].read}


def let_go(state: JobState, unlisted: Collection[str]) -> None:
    """Forget ended partitions that the source does not have any more; one for whose children or gap
    it still matters stays.

    Children are known when their parents end, or were discovered long before those are gone.
    """
    needed = {parent for place in state.partitions.values() for parent in place.parents} | set(
        state.open_gaps
    )
    for name in set(unlisted) - needed:
        if name in state.partitions and state.partitions[name].ended:
            del state.partitions[name]
            state.ledger.fold(name)
