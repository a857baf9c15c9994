"""The partitions of a job: their positions, claims and marks, idleness, lineage and gaps.

No clock and no I/O: everything follows from the job's state and the arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from stream.aggregation.lineage import await_parents, end, expire
from stream.aggregation.state import IncompleteSpan, LogState
from stream.dedupe.index import RememberedIds
from stream.errors import GapFound
from stream.event_time import (
    JobSettings,
    PartitionState,
    is_idle,
    longest_break_ms,
    retained_from,
    watermark,
)
from stream.events import Assign, CoveredRange, DiscoveredPartition, Gap, Position, position_text


class Partitions:
    """Positions, claims, marks, idleness, lineage and gaps of a job's partitions.

    The part of the aggregator that deals with the partitions of one log; it shares the log's state
    and keeps none of its own. ``ids`` are the ids of accepted events, which children inherit.
    """

    def __init__(self, settings: JobSettings, state: LogState, ids: RememberedIds) -> None:
        self._settings = settings
        self._state = state
        self._ids = ids

    def discover(self, discovered: DiscoveredPartition) -> list[Assign]:
        """Add a partition if it is new; returns its assignment unless it waits for its parents."""
        known = self._state.partitions
        if discovered.partition in known:
            return []
        known[discovered.partition] = partition = await_parents(known, discovered)
        if discovered.inside:
            self._state.open_starts[discovered.partition] = self._state.now_ms
        if not partition.assignable:
            return []
        self._ids.hand_down(discovered.parents, discovered.partition)
        return [self.assign(discovered.partition)]

    def assign(self, name: str) -> Assign:
        """Assign a partition from its expected position, under a new claim.

        It is no longer idle: reports under the old claim do not count any more.
        """
        before = self._state.partitions[name]
        partition = msgspec.structs.replace(
            before, claim=before.claim + 1, quiet_ms=None, reported_ms=None, idle=False
        )
        self._state.partitions[name] = partition
        return Assign(
            claim=partition.claim,
            partition=name,
            next=partition.next,
            mark_ms=partition.mark_ms,
            seen=self._ids.of(name),
        )

    def assign_all(self) -> list[Assign]:
        """Assign all partitions that may be read."""
        return self.assign_again(list(self._state.partitions))

    def assign_again(self, names: Iterable[str]) -> list[Assign]:
        """Assign the named partitions that may be read now; others are ignored."""
        known = self._state.partitions
        return [self.assign(name) for name in names if name in known and known[name].assignable]

    def expects(self, cover: CoveredRange) -> bool:
        """Return whether a range continues a partition that is being read at its expected position.

        Exactness depends on ``first`` alone; the claim does not matter.
        """
        return self._is_read_at(cover.partition, cover.first)

    def refuse(self, covers: Sequence[CoveredRange]) -> list[Assign]:
        """Assign the partitions of a refused partial again.

        A range that was read under an old claim needs no new assignment, since there was one
        already.
        """
        known = self._state.partitions
        current = [
            cover.partition
            for cover in covers
            if cover.partition in known and cover.claim == known[cover.partition].claim
        ]
        return self.assign_again(current)

    def advance(self, cover: CoveredRange) -> list[str]:
        """Move a partition to the end of an accepted range.

        Returns the partitions that may be read from now on, because this one ended.
        """
        name = cover.partition
        now_ms = self._state.now_ms
        moved = self._moved(self._state.partitions[name], cover)
        idle = now_ms is not None and is_idle(moved, now_ms, self._settings.idle_ms)
        self._state.partitions[name] = msgspec.structs.replace(moved, idle=idle)
        if name in self._state.open_gaps and (cover.dated or idle or cover.ended):
            self._close_gap(cover)
        if name in self._state.open_starts and (cover.dated or idle or cover.ended):
            self._close_start(cover)
        if cover.ended:
            return self._end(cover)
        self._ids.forget(name, cover.mark_ms)
        return []

    def follow_clock(self, now_ms: int) -> None:
        """Update which partitions are idle at this time; the clock may have been set back."""
        starts = self._state.open_starts
        starts.update({name: now_ms for name, began_ms in starts.items() if began_ms is None})
        for name, partition in self._state.partitions.items():
            seen = msgspec.structs.replace(
                partition,
                quiet_ms=_capped(partition.quiet_ms, now_ms),
                reported_ms=_capped(partition.reported_ms, now_ms),
            )
            idle = is_idle(seen, now_ms, self._settings.idle_ms)
            self._state.partitions[name] = msgspec.structs.replace(seen, idle=idle)

    def meets(self, gap: Gap) -> bool:
        """Return whether a gap lies at the expected position of a partition that is being read."""
        return self._is_read_at(gap.partition, gap.expected)

    def skip(self, gap: Gap) -> Assign:
        """Continue after a gap. Windows are incomplete until a later time is read there.

        Raises ``GapFound`` if the job is to stop at a gap.
        """
        if self._settings.stop_on_gap:
            expected, resume = position_text(gap.expected), position_text(gap.resume)
            raise GapFound(gap.partition, expected, resume, gap.lost, gap.reason)
        self._state.open_gaps.setdefault(gap.partition, self._state.closed_ms)
        self._state.partitions[gap.partition] = msgspec.structs.replace(
            self._state.partitions[gap.partition], next=gap.resume
        )
        return self.assign(gap.partition)

    def expire(self, names: Iterable[str]) -> None:
        """Forget ended partitions that the source no longer has, unless their ids are needed."""
        expire(self._state, [name for name in names if not self._ids.remembers(name)])

    def ended(self) -> Iterable[str]:
        """Return the names of the partitions that have been read to their end."""
        return (name for name, partition in self._state.partitions.items() if partition.ended)

    def watermark(self, follow_clock: bool) -> int | None:
        """Return the time up to which all records are expected to have arrived; it may fall.

        While all partitions are idle it follows the clock if ``follow_clock`` is set, else it is
        ``None``.
        """
        now_ms = self._state.now_ms if follow_clock else None
        return watermark(self._state.partitions.values(), now_ms, self._settings)

    def retained_from(self, watermark_ms: int) -> int | None:
        """Return the time up to which panes get no more events; ``None`` if all must be kept."""
        return retained_from(self._state.partitions.values(), watermark_ms, self._settings)

    def _is_read_at(self, name: str, position: Position) -> bool:
        partition = self._state.partitions.get(name)
        return partition is not None and partition.assignable and partition.next == position

    def _moved(self, partition: PartitionState, cover: CoveredRange) -> PartitionState:
        arrival_ms = cover.arrival_ms or partition.arrival_ms
        return msgspec.structs.replace(
            partition,
            next=cover.next,
            mark_ms=cover.mark_ms,
            quiet_ms=self._quiet_since(partition, cover),
            reported_ms=self._state.now_ms,
            arrival_ms=None if cover.at_end else arrival_ms,
        )

    def _quiet_since(self, partition: PartitionState, cover: CoveredRange) -> int | None:
        """Return the time since which readers report that there is nothing to date.

        Reports from before and after an outage do not add up, see
        :func:`~stream.event_time.longest_break_ms`. ``None`` if the range has a dated record and
        more follows.
        """
        now_ms = self._state.now_ms
        quiet = not cover.dated and (cover.at_end or cover.read > 0)
        if not quiet:
            return now_ms if cover.at_end else None
        unbroken = (
            now_ms is not None
            and partition.reported_ms is not None
            and now_ms - partition.reported_ms <= longest_break_ms(self._settings.idle_ms)
        )
        return partition.quiet_ms if unbroken and partition.quiet_ms is not None else now_ms

    def _end(self, cover: CoveredRange) -> list[str]:
        """End a partition; returns the children that may be read now, which inherit its ids."""
        children = end(self._state.partitions, cover)
        for name, parents in children.items():
            self._ids.hand_down(parents, name)
        return list(children)

    def _close_gap(self, cover: CoveredRange) -> None:
        """Note the span of event time in which records were lost, once its end is known.

        The lost records are older than the first time read after them. In an idle partition, they
        are older than the marks of the others. In an ended partition nothing follows, so they are
        older than now.
        """
        state = self._state
        until_ms = cover.mark_ms if cover.dated else self._newest_other_mark(cover.partition)
        if cover.ended and not cover.dated and state.now_ms is not None:
            until_ms = state.now_ms
        if until_ms is not None:
            since_ms = state.open_gaps.pop(cover.partition)
            state.spans.append(IncompleteSpan(since_ms, until_ms, f"gap in {cover.partition}"))

    def _close_start(self, cover: CoveredRange) -> None:
        """Note the event time before which records were not read, once it is known.

        The records before the start are at most ``grace`` newer than the first time that is read.
        They are also older than the moment at which the job began, which counts where the partition
        was quiet for some time. In an idle partition they are older than the marks of the others.
        """
        state = self._state
        found_ms = self._newest_other_mark(cover.partition)
        if cover.first_ms is not None:
            found_ms = cover.first_ms + self._settings.grace_ms
        known_ms = [ms for ms in (found_ms, state.open_starts[cover.partition]) if ms is not None]
        if known_ms and (found_ms is not None or cover.ended):
            del state.open_starts[cover.partition]
            state.spans.append(IncompleteSpan(None, min(known_ms), began_inside(cover.partition)))

    def _newest_other_mark(self, name: str) -> int | None:
        """Return the highest mark of the other partitions, if it is ahead of this one's."""
        own_ms = self._state.partitions[name].mark_ms
        ahead = [
            partition.mark_ms
            for other, partition in self._state.partitions.items()
            if other != name
            and partition.mark_ms is not None
            and (own_ms is None or partition.mark_ms > own_ms)
        ]
        return max(ahead, default=None)


def began_inside(name: str) -> str:
    """Return the reason why windows are incomplete that began before a partition was read."""
    return f"{name} is read from a position inside its log"


def _capped(time_ms: int | None, now_ms: int) -> int | None:
    return None if time_ms is None else min(time_ms, now_ms)
