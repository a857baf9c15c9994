"""Positions in a topic as the state keeps them, and the offsets verified to belong to the topic."""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from stream.events import Position
from stream.sources.kafka.client import RecordColumns, concatenated


class TopicPosition(NamedTuple):
    """The id of a topic and the next offset.

    ``already_read`` is the range of offsets that were read before the topic was found to have been
    recreated: they are skipped. As a position it is ``(topic id, offset)``; while that range lies
    ahead, its bounds follow the id.

    >>> TopicPosition("TpD7ju_lTxuioXsStbwCOg", 0, (10, 30)).position
    ('TpD7ju_lTxuioXsStbwCOg 10-30', 0)
    >>> TopicPosition("TpD7ju_lTxuioXsStbwCOg", 30, (10, 30)).position
    ('TpD7ju_lTxuioXsStbwCOg', 30)
    """

    topic_id: str
    offset: int
    already_read: tuple[int, int] | None = None

    @classmethod
    def of(cls, position: tuple[str, int]) -> TopicPosition:
        """Parse a position."""
        topic_id, _, already_read = position[0].partition(" ")
        start, _, stop = already_read.partition("-")
        return cls(topic_id, position[1], (int(start), int(stop)) if already_read else None)

    @property
    def position(self) -> Position:
        """The position as the state keeps it."""
        if self.already_read is None or self.offset >= self.already_read[1]:
            return self.topic_id, self.offset
        start, stop = self.already_read
        return f"{self.topic_id} {start}-{stop}", self.offset

    def unread(self, chunk: RecordColumns) -> RecordColumns:
        """Return the records that were not read already."""
        if self.already_read is None:
            return chunk
        start, stop = (bisect_left(chunk.offsets, offset) for offset in self.already_read)
        return concatenated([chunk.part(0, start), chunk.part(stop)])


class RefusedPosition(NamedTuple):
    """A position that the broker refused at ``refused_s``.

    ``valid_until`` is the offset up to which the log is still valid, ``None`` if that is unknown.
    """

    refused_s: float
    valid_until: int | None


class VerifiedOffsets:
    """The offset of a partition up to which all records read belong to the topic with an id.

    A recreated topic is detected by an observation of its id, but its records may have been fetched
    before: the broker returns them for the old offsets without an error. Records are verified if
    they were read before the request of an observation that found the id unchanged. The others
    belong to either topic. They are skipped in the new topic, so that they are never counted twice;
    records that may be missing are reported as a gap. Times are monotonic seconds.
    """

    def __init__(self, topic_id: str, offset: int) -> None:
        self.topic_id = topic_id
        self.offset = offset
        self._unverified: list[tuple[float, int]] = []

    def note_read(self, offset: int, now_s: float) -> None:
        """Note that everything before ``offset`` has been read."""
        if offset > self._last_read():
            self._unverified.append((now_s, offset))

    def unverified_s(self, now_s: float) -> float:
        """Return the age of the oldest unverified record; 0 if all are verified."""
        return now_s - self._unverified[0][0] if self._unverified else 0.0

    def note_observation(self, topic_id: str, requested_s: float) -> None:
        """Verify the offsets read before an observation, if it found the same id."""
        if topic_id != self.topic_id:
            return
        verified = [offset for read_s, offset in self._unverified if read_s <= requested_s]
        self.offset = max([self.offset, *verified])
        self._unverified = self._unverified[len(verified) :]

    def resumed(self, topic_id: str, offset: int) -> VerifiedOffsets:
        """Return the verified offsets for reading that resumes at ``offset``."""
        if topic_id != self.topic_id or offset > self._last_read():
            return VerifiedOffsets(topic_id, offset)
        self.offset = min(self.offset, offset)
        self._unverified = [entry for entry in self._unverified if entry[1] <= offset]
        return self

    def _last_read(self) -> int:
        return self._unverified[-1][1] if self._unverified else self.offset
