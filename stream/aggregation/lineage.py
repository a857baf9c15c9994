"""Lineage of partitions: shards that are split or merged. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping

import msgspec

from stream.aggregation.state import LogState
from stream.event_time import PartitionState
from stream.events import CoveredRange, DiscoveredPartition


def await_parents(
    partitions: Mapping[str, PartitionState], discovered: DiscoveredPartition
) -> PartitionState:
    """Return the state of a new partition, which waits until all of its parents are ended.

    Its mark is the smallest mark of its ended parents: the last records of the parents are not
    older than the first records of the child.

    >>> a, b = PartitionState(1, 9, mark_ms=70, ended=True), PartitionState(1, 4, mark_ms=50)
    >>> child = await_parents({"a": a, "b": b}, DiscoveredPartition("c", 0, ("a", "b")))
    >>> child.mark_ms, child.parents
    (70, ('a', 'b'))
    """
    ended = [
        partitions[name]
        for name in discovered.parents
        if name in partitions and partitions[name].ended
    ]
    marks = [parent.mark_ms for parent in ended if parent.mark_ms is not None]
    return PartitionState(
        claim=0,
        next=discovered.start,
        mark_ms=min(marks, default=None),
        parents=discovered.parents if len(ended) < len(discovered.parents) else (),
    )


def end(
    partitions: MutableMapping[str, PartitionState], cover: CoveredRange
) -> dict[str, tuple[str, ...]]:
    """End a partition; returns the partitions that may be read now, with the parents of each.

    Its children are added in the same step, so that at every moment either it or its children hold
    the watermark.
    """
    partitions[cover.partition] = msgspec.structs.replace(
        partitions[cover.partition], ended=True, arrival_ms=None
    )
    for child in cover.children:
        waiting = PartitionState(0, child.start, parents=child.parents or (cover.partition,))
        partitions.setdefault(child.partition, waiting)
    children = {
        name: partition.parents
        for name, partition in partitions.items()
        if cover.partition in partition.parents
    }
    for name, parents in children.items():
        before = partitions[name]
        after = await_parents(partitions, DiscoveredPartition(name, before.next, parents))
        partitions[name] = msgspec.structs.replace(
            before, mark_ms=after.mark_ms, parents=after.parents
        )
    return {name: parents for name, parents in children.items() if partitions[name].assignable}


def expire(state: LogState, names: Collection[str]) -> None:
    """Forget ended partitions that the source no longer has.

    A partition stays while a child waits for it, or its gap or its start is open. All children are
    known before: they are added when their parents end, or are discovered long before these expire.
    """
    parents = {parent for partition in state.partitions.values() for parent in partition.parents}
    for name in set(names) - parents - set(state.open_gaps) - set(state.open_starts):
        if name in state.partitions and state.partitions[name].ended:
            del state.partitions[name]
            state.ledger.close_account(name)
