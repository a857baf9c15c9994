"""The contract of a client that fetches from Kafka: columns of records, positions and refusals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, overload

import msgspec

from stream.events import Position

PERMISSIONS_ADVICE: Final = (
    "Allow Read on the topic, and on the group that is named like the job; `driftline check --live`"
    " prints the command"
)
"""Advice on missing permissions."""
NOT_UTF_8: Final = "the name of a header is not UTF-8"
"""The reason for records of which a client library cannot return the headers."""
Headers = list[tuple[str, bytes | None]]


class RecordColumns(msgspec.Struct, frozen=True, kw_only=True):
    """Records of one partition as columns of equal length; timestamps in ms.

    The value of a tombstone is ``None``. ``headers`` may be empty: then no record has any.
    """

    offsets: list[int]
    timestamps: list[int]
    values: list[bytes | None]
    keys: list[bytes | None]
    headers: list[Headers]

    def part(self, start: int, stop: int | None = None) -> RecordColumns:
        """Return the records from index ``start`` on, up to but without ``stop``."""
        indices = slice(start, stop)
        return RecordColumns(
            offsets=self.offsets[indices],
            timestamps=self.timestamps[indices],
            values=self.values[indices],
            keys=self.keys[indices],
            headers=self.headers[indices],
        )


def no_records() -> RecordColumns:
    """Return columns without a record, to which records may be appended."""
    return RecordColumns(offsets=[], timestamps=[], values=[], keys=[], headers=[])


class LazyPositions(Sequence[Position]):
    """The positions of a batch's records, each built when it is asked for.

    Only dead letters need them, a few among thousands. A list of tuples would cost 50 ns per
    record: 4 % of the time in which the fastest client fetches it.
    """

    def __init__(self, topic_id: str, offsets: Sequence[int]) -> None:
        self._topic_id = topic_id
        self._offsets = offsets

    def __len__(self) -> int:
        return len(self._offsets)

    @overload
    def __getitem__(self, index: int) -> Position: ...
    @overload
    def __getitem__(self, index: slice) -> LazyPositions: ...
    def __getitem__(self, index: int | slice) -> Position | LazyPositions:
        if isinstance(index, slice):
            return LazyPositions(self._topic_id, self._offsets[index])
        return self._topic_id, self._offsets[index]


def concatenated(chunks: Sequence[RecordColumns]) -> RecordColumns:
    """Return consecutive chunks as one; either all of them have headers, or none."""
    columns = no_records()
    for chunk in chunks:
        columns.offsets.extend(chunk.offsets)
        columns.timestamps.extend(chunk.timestamps)
        columns.values.extend(chunk.values)
        columns.keys.extend(chunk.keys)
        columns.headers.extend(chunk.headers)
    return columns


class Unreadable(NamedTuple):
    """Records at a position that a client cannot read, for this ``reason``.

    The records after them begin at ``next_offset``, ``None`` if that is unknown.
    """

    reason: str
    next_offset: int | None = None


class FetchResult(NamedTuple):
    """The result of one poll.

    ``chunks`` are the records by partition. ``refused`` are the partitions with a position that the
    broker refused, with the offset up to which their log is still valid, ``None`` if that is
    unknown. ``unreadable`` are the partitions whose records after those in ``chunks`` cannot be
    read; they must be paused before the next poll.
    """

    chunks: dict[int, RecordColumns]
    refused: dict[int, int | None]
    unreadable: dict[int, Unreadable]


class FetchClient(Protocol):
    """Fetches the partitions of one topic from given offsets. Used by one thread.

    During an outage the client keeps retrying. Permanent errors, such as missing permissions, raise
    :class:`~stream.errors.SourceUnavailable` immediately.
    """

    def assign(self, partitions: Iterable[int], seeks: Mapping[int, int]) -> None:
        """Fetch exactly these partitions.

        Those in ``seeks`` are fetched from that offset on, the others from their current position
        on.
        """

    def pause(self, partition: int) -> None:
        """Stop fetching a partition whose position was refused, or whose records are unreadable."""

    def resume(self, partition: int, offset: int) -> None:
        """Fetch a paused partition again, from ``offset`` on."""

    def poll(self, timeout_s: float, max_records: int) -> FetchResult:
        """Return at most ``max_records`` new records in all.

        Waits at most ``timeout_s`` for the first one.
        """

    def position(self, partition: int) -> int | None:
        """Return the next offset to be fetched; ``None`` while it is unknown.

        It is after the control records and aborted transactions that were skipped.
        """

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Publish offsets of the group without waiting; a failure is logged."""

    def close(self) -> None:
        """Release the connections; safe to call twice."""
