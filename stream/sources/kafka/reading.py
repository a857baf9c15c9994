"""Reading a topic of Apache Kafka from our own positions: gaps are told, and nothing is read twice.

A topic that is made anew *while* it is read is noticed by its id, within about half a second. What
was read of it in between, for the offsets of the topic before, is counted; the new positions name
these offsets, and they are passed over (:class:`stream.sources.kafka.positions.VerifiedOffsets`).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from typing import Final

import numpy as np

from stream.events import Assign, DiscoveredPartition, Gap, Position, RawBatch
from stream.sources.base import Reading
from stream.sources.kafka.client import FetchClient, LazyPositions, RecordColumns
from stream.sources.kafka.connection import TopicObservation, TopicWatch
from stream.sources.kafka.positions import RefusedPosition, TopicPosition, VerifiedOffsets

FRESH_S: Final = 1.0
"""How long an answer about the log's end is trusted."""
ANSWER_S: Final = 2.0
"""How long an assignment waits for an answer about the log."""
UNSURE_S: Final = 0.3
"""After this the topic's id is asked for, so that little is in doubt if it was made anew."""


def at_the_end(look: TopicObservation, number: int, place: TopicPosition) -> bool:
    """Whether a recent look found the log's end at ``place``; a partition that is no longer there
    is at its end.
    """
    if time.monotonic() - look.ends_s >= FRESH_S:
        return False
    end = look.ends.get(number)
    return end is None or (place.topic_id, place.offset) == (look.topic_id, end)


class KafkaReading(Reading):
    """The reading half; see :class:`stream.sources.base.Reading` for what each method promises."""

    finished = False

    def __init__(
        self,
        topic: str,
        client: FetchClient,
        watch: TopicWatch,
        undo: ExitStack,
        from_the_first: bool,
    ) -> None:
        self._topic, self._client, self._watch, self._undo = topic, client, watch, undo
        self._at: dict[int, TopicPosition] = {}
        self._lost: dict[int, RefusedPosition] = {}
        self._sure: dict[int, VerifiedOffsets] = {}
        self._began = from_the_first

    def discover(self) -> list[DiscoveredPartition]:
        """All partitions; with ``start: latest`` at their end, but only until something was
        assigned.
        """
        look = self._watch.latest
        starts = look.begins if self._began else look.ends
        return [
            DiscoveredPartition(f"{self._topic}-{number}", (look.topic_id, offset))
            for number, offset in sorted(starts.items())
        ]

    def assign(self, assigns: list[Assign]) -> list[Gap]:
        """Read from there on; without an answer within two seconds the positions are taken
        unchecked and the broker judges them.
        """
        self._began = True
        look = self._watch.after(time.monotonic(), ANSWER_S)
        gaps: list[Gap] = []
        seeks: dict[int, int] = {}
        for assign in assigns:
            number = int(assign.partition.rpartition("-")[2])
            place = self._place(assign.next)
            self._at.pop(number, None)
            self._lost.pop(number, None)
            self._sure[number] = self._sure.get(number, VerifiedOffsets(*place[:2])).again(
                *place[:2]
            )
            if look is not None and (gap := self._gap(number, place, look, None)) is not None:
                gaps.append(gap)
            else:
                self._at[number] = place
                seeks[number] = place.offset
        self._client.assign(self._at, seeks)
        return gaps

    def assigned_elsewhere(self, partitions: Collection[str]) -> None:
        """Partitions that are found from now on begin at their first record."""
        self._began = True

    def poll(self, timeout_s: float, max_records: int) -> list[RawBatch | Gap]:
        """What has come since; a gap is told once, and its partition then waits to be assigned
        again.
        """
        gaps = self._gaps()
        chunks: dict[int, RecordColumns] = {}
        if len(self._at) == len(self._lost):
            time.sleep(timeout_s)
        else:
            chunks, refused = self._client.poll(timeout_s, max_records)
            self._lose(refused)
        if len(chunks) < len(self._at):
            self._watch.want()
        look, now_s = self._watch.latest, time.monotonic()
        batches = [self._batch(number, chunks.get(number), look) for number in sorted(self._at)]
        for number, place in self._at.items():
            self._sure[number].read(place.offset, now_s)
        if any(self._sure[number].unsure_s(now_s) > UNSURE_S for number in self._at):
            self._watch.want(topic=True)
        return [*gaps, *(batch for batch in batches if batch is not None)]

    def publish_positions(self, positions: Mapping[str, Position]) -> None:
        """Commit the group's offsets without waiting; a failure is logged and the next call makes
        it good.
        """
        places = [
            (int(partition.rpartition("-")[2]), self._place(position))
            for partition, position in positions.items()
        ]
        offsets = {
            number: place.offset
            for number, place in places
            if place.topic_id == self._watch.latest.topic_id
        }
        if offsets:
            self._client.commit(offsets)

    def lag(self, positions: Mapping[str, Position]) -> dict[str, int]:
        """Offsets from a position to the end of the log, as it was a moment ago: at least as many
        as records, since markers of transactions, what was taken back, and holes count too.
        """
        look, out = self._watch.latest, {}
        for partition, position in positions.items():
            number, place = int(partition.rpartition("-")[2]), self._place(position)
            if place.topic_id == look.topic_id and number in look.ends:
                out[partition] = max(look.ends[number] - place.offset, 0)
        return out

    def close(self) -> None:
        """Let go of both clients and give the client's log back; safe to call twice."""
        self._undo.close()

    def _place(self, position: Position) -> TopicPosition:
        return (
            TopicPosition(self._watch.latest.topic_id, position)
            if isinstance(position, int)
            else TopicPosition.of(position)
        )

    def _lose(self, refused: Mapping[int, int | None]) -> None:
        """Stop reading partitions that the broker refused, until a look at the log tells what
        became of it.
        """
        for number, safe in refused.items():
            self._client.pause(number)
            self._lost[number] = RefusedPosition(time.monotonic(), safe)
        if refused:
            self._watch.want(topic=True)

    def _gaps(self) -> list[RawBatch | Gap]:
        """Gaps of partitions that were refused, or whose topic was made anew; they are read no
        longer.
        """
        look = self._watch.latest
        found: list[RawBatch | Gap] = []
        for number, place in list(self._at.items()):
            self._sure[number].looked(look.topic_id, look.topic_s)
            lost = self._lost.get(number)
            if lost is None and place.topic_id != look.topic_id:
                self._lose(
                    {number: None}
                )  # how long the new log is counts from when nothing more is read of it
            if lost is None or look.topic_s < lost.since_s:
                continue
            if gap := self._gap(number, place, look, lost.safe):
                found.append(gap)
                del self._at[number]
            else:  # the log has the position after all
                self._client.resume(number, place.offset)
            del self._lost[number]
        if found:
            self._client.assign(self._at, {})
        return found

    def _gap(
        self, number: int, place: TopicPosition, look: TopicObservation, safe: int | None
    ) -> Gap | None:
        """What is missing at ``place``; None when the log has it, or when the topic has no such
        partition (any more).
        """
        begin, end, had = look.begins.get(number), look.ends.get(number), place.had
        if begin is None or end is None:
            return None
        if place.topic_id != look.topic_id:
            resume, lost, reason = begin, None, "the topic was made anew"
            sure, stop = self._sure[number].offset, min(place.offset, end)
            had = (sure, stop) if sure < stop else None
        elif place.offset < begin:
            resume, lost, reason = (
                begin,
                begin - place.offset,
                "the log begins later (retention or deleted records)",
            )
        elif place.offset > end or safe is not None:
            resume, lost, reason = (
                end if safe is None else max(safe, begin),
                None,
                "the log was cut off",
            )
        else:
            return None
        return Gap(
            f"{self._topic}-{number}",
            place.position,
            TopicPosition(look.topic_id, resume, had).position,
            lost,
            reason,
        )

    def _batch(
        self, number: int, chunk: RecordColumns | None, look: TopicObservation
    ) -> RawBatch | None:
        """The records of a partition, or an empty batch that moves on over control records or says
        that it is at the end.
        """
        place = self._at[number]
        following = place.offset
        if number not in self._lost:
            following = max(following, self._client.position(number) or 0)
        if chunk is not None:
            following = max(following, chunk.offsets[-1] + 1)
        self._at[number] = after = place._replace(offset=following)
        at_end = number not in self._lost and at_the_end(look, number, after)
        if chunk is None and following == place.offset and not at_end:
            return None
        new = place.new(chunk or RecordColumns([], [], [], [], []))
        return RawBatch(
            partition=f"{self._topic}-{number}",
            origin=self._topic,
            first=place.position,
            next=after.position,
            positions=LazyPositions(place.topic_id, new.offsets),
            values=new.values,
            arrival_ms=np.minimum(np.array(new.timestamps, np.int64), int(time.time() * 1000)),
            keys=new.keys,
            headers=new.headers,
            at_end=at_end,
        )
