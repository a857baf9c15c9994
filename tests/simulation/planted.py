"""Faults that are planted into the protocol, to see that the schedules catch them."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping

import msgspec
import pytest

from stream.aggregation import aggregator, lineage
from stream.aggregation.aggregator import Aggregator
from stream.aggregation.closing import WindowCloser
from stream.event_time import JobSettings, PartitionState
from stream.events import Assign, CoveredRange, DiscoveredPartition, ModelKey, Output, Partial
from tests.simulation import reading
from tests.simulation.logs import Record, too_late
from tests.simulation.owner import Committed, Owner, SharedStore
from tests.simulation.world import World

Patch = pytest.MonkeyPatch


def accepted_if(holds: Callable[[CoveredRange, PartitionState], bool]) -> Callable[[Patch], None]:
    """A fault: partials are accepted if this holds for each cover."""

    def acceptable(self: Aggregator, partial: Partial) -> bool:
        partitions = self.state.partitions
        return all(
            cover.partition in partitions and holds(cover, partitions[cover.partition])
            for cover in partial.covers
        )

    return lambda patch: patch.setattr(Aggregator, "_acceptable", acceptable)


def restored_without_panes(patch: Patch) -> None:
    def nothing(self: Owner, kept: Committed) -> None:
        self.panes.changed.clear()

    patch.setattr(Owner, "restore", nothing)


def revision_used_again(patch: Patch) -> None:
    close = WindowCloser._close

    def again(self: WindowCloser, key: ModelKey, end_ms: int, cut: bool = False) -> list[Output]:
        reported, window = self._state.key_state(key).reported, (self._settings.window_ms, end_ms)
        if window in reported:
            reported[window] -= 1
        return close(self, key, end_ms, cut)

    patch.setattr(WindowCloser, "_close", again)


def late_by_the_watermark(patch: Patch) -> None:
    read, walls = World.read, [0]

    def looking(self: World, owner: Owner | None = None) -> None:
        walls.append((owner or self.owner).aggregator.state.watermark_ms or 0)
        read(self, owner)

    def late(record: Record, mark: int, settings: JobSettings) -> bool:
        return too_late(record, walls[-1] + settings.grace_ms, settings)

    patch.setattr(World, "read", looking)
    patch.setattr(reading, "too_late", late)


def delivered_before_the_commit(patch: Patch) -> None:
    take = Owner.take

    def at_once(self: Owner, outputs: list[Output]) -> None:
        for output in outputs:
            if not isinstance(output, Assign):
                self._sink.take(output)
        take(self, outputs)

    patch.setattr(Owner, "take", at_once)


def of_children(**changes: object) -> Callable[[Patch], None]:
    """A fault: partitions that go on where others end get this place."""
    right = lineage.await_parents

    def wrong(
        partitions: MutableMapping[str, PartitionState], found: DiscoveredPartition
    ) -> PartitionState:
        place = right(partitions, found)
        return msgspec.structs.replace(place, **changes) if found.parents else place

    def plant(patch: Patch) -> None:
        patch.setattr(aggregator, "await_parents", wrong)
        patch.setattr(lineage, "await_parents", wrong)

    return plant


def children_enter_later(patch: Patch) -> None:
    right = lineage.end

    def alone(
        partitions: MutableMapping[str, PartitionState], cover: CoveredRange
    ) -> dict[str, tuple[str, ...]]:
        return right(partitions, cover._replace(children=()))

    patch.setattr(aggregator, "end", alone)


def stale_commit_accepted(patch: Patch) -> None:
    patch.setattr(SharedStore, "allows", lambda self, epoch: True)


CHAOS: dict[str, Callable[[Patch], None]] = {
    "a partial is accepted whatever its first": accepted_if(lambda cover, place: True),
    "a partial is accepted by its claim instead of its first": accepted_if(
        lambda cover, place: cover.claim == place.claim
    ),
    "a partial of a partition that waits is accepted": accepted_if(
        lambda cover, place: cover.first == place.next
    ),
    "a restart forgets the panes": restored_without_panes,
    "a revision has the number of the one before": revision_used_again,
    "late is decided by the watermark": late_by_the_watermark,
    "reports go out before the commit": delivered_before_the_commit,
    "a child is read before its parents are at their end": of_children(parents=()),
    "a child starts without the mark of its parents": of_children(mark_ms=None),
    "the watermark moves between the end of a partition and its children": children_enter_later,
    "the commit of an old owner is accepted": stale_commit_accepted,
}


def idle_for_ever(place: PartitionState, now_ms: int, idle_ms: int) -> bool:
    return place.quiet_ms is not None and now_ms - place.quiet_ms >= idle_ms


def idle_without_a_reader(patch: Patch) -> None:
    patch.setattr(aggregator, "is_idle", idle_for_ever)


def idle_over_a_restart(patch: Patch) -> None:
    def assign_as_it_is(self: Aggregator, partition: str) -> Assign:
        place = self.state.partitions[partition]
        place = msgspec.structs.replace(place, claim=place.claim + 1)
        self.state.partitions[partition] = place
        return Assign(place.claim, partition, place.next, place.mark_ms)

    idle_without_a_reader(patch)
    patch.setattr(Aggregator, "_assign", assign_as_it_is)
    patch.setattr(
        Aggregator,
        "resume",
        lambda self: [
            self._assign(name) for name, place in self.state.partitions.items() if place.read
        ],
    )


def quiet_over_a_pause(patch: Patch) -> None:
    right = Aggregator._move

    def unbroken(self: Aggregator, cover: CoveredRange) -> None:
        before = self.state.partitions[cover.partition]
        self.state.partitions[cover.partition] = msgspec.structs.replace(
            before, said_ms=self.state.now_ms
        )
        right(self, cover)

    patch.setattr(Aggregator, "_move", unbroken)


LIVE: dict[str, Callable[[Patch], None]] = {
    "a partition is idle although nobody reads it": idle_without_a_reader,
    "a partition is idle over a restart": idle_over_a_restart,
    "what was said before a pause and after it makes a partition idle": quiet_over_a_pause,
}
