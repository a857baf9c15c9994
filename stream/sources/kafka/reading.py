"""Reads a topic from driftline's own positions: gaps are reported, and nothing is read twice.

A topic that is recreated *while* it is read is detected by its id, within about half a second.
Records that were read from it in between, at the offsets of the previous topic, are counted. The
new positions name these offsets, and they are skipped
(:class:`stream.sources.kafka.positions.VerifiedOffsets`).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from typing import Final

import numpy as np

from stream.events import Assign, DiscoveredPartition, Gap, Position, RawBatch
from stream.sources.base import Reading
from stream.sources.kafka.client import (
    FetchClient,
    LazyPositions,
    RecordColumns,
    Unreadable,
    no_records,
)
from stream.sources.kafka.positions import RefusedPosition, TopicPosition, VerifiedOffsets
from stream.sources.kafka.rereading import TRIES, Rereading
from stream.sources.kafka.stalls import STALLED_S, StallDetector
from stream.sources.kafka.topic_watch import TopicObservation, TopicWatch

FRESH_S: Final = 1.0
"""The time for which an observation of the log's end is valid."""
OBSERVE_S: Final = 2.0
"""The longest time that an assignment waits for an observation of the log."""
VERIFY_S: Final = 0.3
"""The time after which the topic's id is requested, so that few offsets stay unverified."""


def is_at_end(observed: TopicObservation, number: int, position: TopicPosition) -> bool:
    """Return whether a recent observation found the log's end at the position.

    A partition that no longer exists is at its end.
    """
    if time.monotonic() - observed.ends_s >= FRESH_S:
        return False
    end = observed.ends.get(number)
    return end is None or (position.topic_id, position.offset) == (observed.topic_id, end)


class KafkaReading(Reading):
    """Reads a topic with a client that fetches and a watch that observes it.

    See :class:`stream.sources.base.Reading` for the contract. ``rereading`` reads what the client
    cannot; what that cannot read either is a gap. ``resources`` are closed with the reading. With
    ``from_start`` a partition is discovered at its first offset; without it, at its last one, until
    partitions have been assigned.
    """

    finished = False

    def __init__(
        self,
        topic: str,
        client: FetchClient,
        watch: TopicWatch,
        rereading: Rereading,
        resources: ExitStack,
        from_start: bool,
    ) -> None:
        self._topic = topic
        self._client = client
        self._watch = watch
        self._rereading = rereading
        self._resources = resources
        self._positions: dict[int, TopicPosition] = {}
        self._refused: dict[int, RefusedPosition] = {}
        self._unreadable: dict[int, Unreadable] = {}
        self._stalls = StallDetector()
        self._verified: dict[int, VerifiedOffsets] = {}
        self._from_start = from_start

    @property
    def trouble(self) -> str:
        """Why the topic cannot be observed, or why records cannot be read; else empty."""
        unreadable = [f"{self._partition(n)}: {f.reason}" for n, f in self._unreadable.items()]
        return self._watch.failure or ", ".join(unreadable)

    def discover(self) -> list[DiscoveredPartition]:
        """Return all partitions of the latest observation."""
        observed = self._watch.latest
        starts = observed.begins if self._from_start else observed.ends
        return [
            DiscoveredPartition(
                partition=self._partition(number),
                start=(observed.topic_id, offset),
                inside=offset > 0,
            )
            for number, offset in sorted(starts.items())
        ]

    def assign(self, assigns: list[Assign]) -> list[Gap]:
        """Read the partitions from their positions on.

        If the broker does not respond within two seconds, positions are used unchecked; it refuses
        wrong ones later.
        """
        self._from_start = True
        observed = self._watch.observed_after(time.monotonic(), OBSERVE_S)
        gaps: list[Gap] = []
        seeks: dict[int, int] = {}
        for assign in assigns:
            number = _number(assign.partition)
            position = self._parsed(assign.next)
            self._positions.pop(number, None)
            self._refused.pop(number, None)
            self._unreadable.pop(number, None)
            self._verified[number] = self._verified_at(number, position)
            gap = None if observed is None else self._gap(number, position, observed, None)
            if gap is not None:
                gaps.append(gap)
            else:
                self._positions[number] = position
                seeks[number] = position.offset
        self._client.assign(self._positions, seeks)
        return gaps

    def assigned_elsewhere(self, partitions: Collection[str]) -> None:
        """Note that partitions discovered later start at their first record."""
        self._from_start = True

    def poll(self, timeout_s: float, max_records: int) -> list[RawBatch | Gap]:
        """Return new records; a gap is returned once, and its partition is then not read."""
        gaps = self._gaps()
        chunks = self._read_again(gaps, max_records)
        if not chunks and self._positions.keys() <= self._paused():
            time.sleep(timeout_s)
        elif not chunks:
            chunks, refused, unreadable = self._client.poll(timeout_s, max_records)
            self._pause(refused)
            self._pause_unreadable(unreadable | self._stalled())
        if len(chunks) < len(self._positions):
            self._watch.request()
        observed = self._watch.latest
        batches = [
            self._batch(number, chunks.get(number), observed) for number in sorted(self._positions)
        ]
        self._note_read()
        return [*gaps, *(batch for batch in batches if batch is not None)]

    def publish_positions(self, positions: Mapping[str, Position]) -> None:
        """Commit the group's offsets without waiting; a failure is logged, and repaired later."""
        topic_id = self._watch.latest.topic_id
        offsets: dict[int, int] = {}
        for name, position in positions.items():
            parsed = self._parsed(position)
            if parsed.topic_id == topic_id:
                offsets[_number(name)] = parsed.offset
        if offsets:
            self._client.commit(offsets)

    def lag(self, positions: Mapping[str, Position]) -> dict[str, int]:
        """Return the offsets from each position to the end of its log, as observed last.

        At least as many as records: transaction markers, aborted records and holes have offsets
        too.
        """
        observed = self._watch.latest
        lags: dict[str, int] = {}
        for name, position in positions.items():
            number = _number(name)
            parsed = self._parsed(position)
            if parsed.topic_id == observed.topic_id and number in observed.ends:
                lags[name] = max(observed.ends[number] - parsed.offset, 0)
        return lags

    def close(self) -> None:
        """Close both clients; safe to call twice."""
        self._resources.close()

    def _partition(self, number: int) -> str:
        return f"{self._topic}-{number}"

    def _parsed(self, position: Position) -> TopicPosition:
        if isinstance(position, int):
            return TopicPosition(self._watch.latest.topic_id, position)
        return TopicPosition.of(position)

    def _verified_at(self, number: int, position: TopicPosition) -> VerifiedOffsets:
        start = position.topic_id, position.offset
        verified = self._verified.get(number)
        return VerifiedOffsets(*start) if verified is None else verified.resumed(*start)

    def _note_read(self) -> None:
        """Note the offsets read; request an observation if they have been unverified for long."""
        now_s = time.monotonic()
        for number, position in self._positions.items():
            self._verified[number].note_read(position.offset, now_s)
        unverified = (self._verified[number].unverified_s(now_s) for number in self._positions)
        if any(since_s > VERIFY_S for since_s in unverified):
            self._watch.request(topic=True)

    def _pause(self, refused: Mapping[int, int | None]) -> None:
        """Stop reading partitions with a refused position, until the topic is observed."""
        read = {number: until for number, until in refused.items() if number in self._positions}
        for number, valid_until in read.items():
            self._client.pause(number)
            self._refused[number] = RefusedPosition(time.monotonic(), valid_until)
        if read:
            self._watch.request(topic=True)

    def _paused(self) -> set[int]:
        """Return the partitions that the client does not fetch."""
        return self._refused.keys() | self._unreadable.keys()

    def _pause_unreadable(self, unreadable: Mapping[int, Unreadable]) -> None:
        """Stop fetching partitions with unreadable records, which the next poll reads again."""
        for number, found in unreadable.items():
            if number in self._positions:
                self._client.pause(number)
                self._unreadable[number] = found

    def _stalled(self) -> dict[int, Unreadable]:
        """Return the partitions from which the client returns nothing, although the log goes on.

        librdkafka reports nothing about some damaged batches, and requests them again and again.
        """
        observed, now_s = self._watch.latest, time.monotonic()
        offsets = {number: position.offset for number, position in self._positions.items()}
        behind = {
            number
            for number, offset in offsets.items()
            if number not in self._paused()
            and now_s - observed.ends_s < FRESH_S
            and offset < observed.ends.get(number, 0)
        }
        reason = f"the client returned no record for {STALLED_S:g} s, although the log goes on"
        stalled = self._stalls.stalled(offsets, behind, now_s)
        return dict.fromkeys(stalled, Unreadable(reason))

    def _read_again(self, gaps: list[RawBatch | Gap], max_records: int) -> dict[int, RecordColumns]:
        """Return the records that the client could not read; add a gap for those nobody can."""
        chunks: dict[int, RecordColumns] = {}
        for number, found in list(self._unreadable.items()):
            offset = self._positions[number].offset
            outcome = self._rereading.read(number, offset, found, max_records)
            if outcome is None:
                continue
            del self._unreadable[number]
            if isinstance(outcome, Unreadable):
                gaps.append(self._unreadable_gap(number, outcome))
                del self._positions[number]
                self._client.assign(self._positions, {})
                continue
            self._client.resume(number, outcome.next_offset)
            if outcome.chunk is not None:
                chunks[number] = outcome.chunk
        return chunks

    def _unreadable_gap(self, number: int, found: Unreadable) -> Gap:
        position = self._positions[number]
        resume = found.next_offset or position.offset + 1
        return Gap(
            partition=self._partition(number),
            expected=position.position,
            resume=position._replace(offset=resume).position,
            lost=resume - position.offset,
            reason=f"offset {position.offset} is unreadable after {TRIES} tries: {found.reason}",
        )

    def _gaps(self) -> list[RawBatch | Gap]:
        """Return the gaps of refused partitions and of a recreated topic, and stop reading them."""
        observed = self._watch.latest
        gaps: list[RawBatch | Gap] = []
        for number, position in list(self._positions.items()):
            self._verified[number].note_observation(observed.topic_id, observed.topic_s)
            refused = self._refused.get(number)
            if refused is None and position.topic_id != observed.topic_id:
                self._pause({number: None})  # the length of the new log counts from here on
            if refused is None or observed.topic_s < refused.refused_s:
                continue
            if gap := self._gap(number, position, observed, refused.valid_until):
                gaps.append(gap)
                del self._positions[number]
                self._unreadable.pop(number, None)
            else:  # the log has the position after all
                self._client.resume(number, position.offset)
            del self._refused[number]
        if gaps:
            self._client.assign(self._positions, {})
        return gaps

    def _gap(
        self,
        number: int,
        position: TopicPosition,
        observed: TopicObservation,
        valid_until: int | None,
    ) -> Gap | None:
        """Return the gap at a position.

        None if the log has the position, or if the topic does not have the partition (any more).
        """
        begin, end = observed.begins.get(number), observed.ends.get(number)
        if begin is None or end is None:
            return None
        resume = begin
        already_read = position.already_read
        lost: int | None = None
        if position.topic_id != observed.topic_id:
            reason = "the topic was recreated"
            already_read = self._already_read(number, position.offset, end)
        elif position.offset < begin:
            reason = "the log begins later (retention or deleted records)"
            lost = begin - position.offset
        elif position.offset > end or valid_until is not None:
            reason = "the log was truncated"
            resume = end if valid_until is None else max(valid_until, begin)
        else:
            return None
        return Gap(
            partition=self._partition(number),
            expected=position.position,
            resume=TopicPosition(observed.topic_id, resume, already_read).position,
            lost=lost,
            reason=reason,
        )

    def _already_read(self, number: int, offset: int, end: int) -> tuple[int, int] | None:
        """Return the offsets of a recreated topic that may have been read as the old one's."""
        start, stop = self._verified[number].offset, min(offset, end)
        return (start, stop) if start < stop else None

    def _batch(
        self, number: int, chunk: RecordColumns | None, observed: TopicObservation
    ) -> RawBatch | None:
        """Return the records of a partition.

        A batch without records advances over control records, or reports the end; None if there is
        nothing to report.
        """
        position = self._positions[number]
        is_paused = number in self._paused()
        offset = position.offset
        if not is_paused:
            offset = max(offset, self._client.position(number) or 0)
        if chunk is not None:
            offset = max(offset, chunk.offsets[-1] + 1)
        self._positions[number] = following = position._replace(offset=offset)
        at_end = not is_paused and is_at_end(observed, number, following)
        if chunk is None and offset == position.offset and not at_end:
            return None
        records = position.unread(chunk or no_records())
        return RawBatch(
            partition=self._partition(number),
            origin=self._topic,
            first=position.position,
            next=following.position,
            positions=LazyPositions(position.topic_id, records.offsets),
            values=records.values,
            arrival_ms=np.array(records.timestamps, np.int64),
            keys=records.keys,
            headers=records.headers,
            at_end=at_end,
        )


def _number(partition: str) -> int:
    return int(partition.rpartition("-")[2])
