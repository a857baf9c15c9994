"""Where a partition of a topic stands, as the state keeps it, and how much of what was read is
surely of this topic.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from stream.events import Position
from stream.sources.kafka.client import RecordColumns, joined


class TopicPosition(NamedTuple):
    """The topic's id, the next offset, and the offsets that were read already, when the topic still
    seemed to be the one before (``had``).

    As a position it is ``(topic id, offset)``; as long as ``had`` lies ahead, its bounds stand
    behind the id.

    >>> TopicPosition("TpD7ju_lTxuioXsStbwCOg", 0, (10, 30)).position
    ('TpD7ju_lTxuioXsStbwCOg 10-30', 0)
    >>> TopicPosition("TpD7ju_lTxuioXsStbwCOg", 30, (10, 30)).position
    ('TpD7ju_lTxuioXsStbwCOg', 30)
    """

    topic_id: str
    offset: int
    had: tuple[int, int] | None = None

    @classmethod
    def of(cls, position: tuple[str, int]) -> TopicPosition:
        """The place of a position."""
        topic_id, _, had = position[0].partition(" ")
        start, _, stop = had.partition("-")
        return cls(topic_id, position[1], (int(start), int(stop)) if had else None)

    @property
    def position(self) -> Position:
        """As the state keeps it."""
        if self.had is None or self.offset >= self.had[1]:
            return self.topic_id, self.offset
        return f"{self.topic_id} {self.had[0]}-{self.had[1]}", self.offset

    def new(self, chunk: RecordColumns) -> RecordColumns:
        """The records that were not read already."""
        if self.had is None:
            return chunk
        start, stop = (bisect_left(chunk.offsets, offset) for offset in self.had)
        return joined([chunk.cut(0, start), chunk.cut(stop)])


class RefusedPosition(NamedTuple):
    """A partition whose position the broker refused at ``since_s``; ``safe`` is where its log is
    known to be right.
    """

    since_s: float
    safe: int | None


class VerifiedOffsets:
    """Up to which offset what was read is surely of the topic with this id. Times are monotonic
    seconds.

    A topic that is made anew is noticed by a look at its id, while its records may have been
    fetched before the look: a broker gives them for the old offsets without a word. Sure is what
    was read before a look was asked that found the id unchanged. The rest is of one topic or the
    other: passed over in the new one, it is never counted twice, and what may be missing is told as
    a gap.
    """

    def __init__(self, topic_id: str, offset: int) -> None:
        self.topic_id, self.offset = topic_id, offset
        self._later: list[tuple[float, int]] = []

    def read(self, offset: int, now_s: float) -> None:
        """Everything before ``offset`` is read."""
        if offset > max([self.offset, *(read for _, read in self._later[-1:])]):
            self._later.append((now_s, offset))

    def unsure_s(self, now_s: float) -> float:
        """For how long something has been read that is not sure; 0 if nothing is."""
        return now_s - self._later[0][0] if self._later else 0.0

    def looked(self, topic_id: str, asked_s: float) -> None:
        """A look that was asked at ``asked_s`` found this id."""
        if topic_id == self.topic_id:
            self.offset = max(
                [self.offset, *(offset for at_s, offset in self._later if at_s <= asked_s)]
            )
            self._later = [one for one in self._later if one[0] > asked_s]

    def again(self, topic_id: str, offset: int) -> VerifiedOffsets:
        """Reading goes on at ``offset``, which may be one that was read before."""
        if topic_id != self.topic_id or offset > max(
            [self.offset, *(read for _, read in self._later)]
        ):
            return VerifiedOffsets(topic_id, offset)
        self.offset = min(self.offset, offset)
        self._later = [one for one in self._later if one[1] <= offset]
        return self
