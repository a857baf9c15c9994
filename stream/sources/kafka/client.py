"""What the Kafka source needs of a client that fetches: columns of records, positions, refusals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, overload

from stream.events import Position

RIGHTS: Final = (
    "Allow Read on the topic, and on the group that is named like the job; `driftline check --live`"
    " tells the ACL"
)
"""What to do about rights that are missing."""
Headers = list[tuple[str, bytes | None]]


class RecordColumns(NamedTuple):
    """Records of one partition as columns; timestamps in ms. A tombstone's value is ``None``. No
    ``headers`` at all: no record has any.
    """

    offsets: list[int]
    timestamps: list[int]
    values: list[bytes | None]
    keys: list[bytes | None]
    headers: list[Headers]

    def cut(self, start: int, stop: int | None = None) -> RecordColumns:
        """Some of the records."""
        some = slice(start, stop)
        return RecordColumns(
            self.offsets[some],
            self.timestamps[some],
            self.values[some],
            self.keys[some],
            self.headers[some],
        )


class LazyPositions(Sequence[Position]):
    """The positions of a batch's records, each made when it is asked for: of thousands a dead
    letter needs one.
    """

    def __init__(self, topic_id: str, offsets: Sequence[int]) -> None:
        self._topic_id, self._offsets = topic_id, offsets

    def __len__(self) -> int:
        return len(self._offsets)

    @overload
    def __getitem__(self, at: int) -> Position: ...
    @overload
    def __getitem__(self, at: slice) -> LazyPositions: ...
    def __getitem__(self, at: int | slice) -> Position | LazyPositions:
        offsets = self._offsets
        return (
            LazyPositions(self._topic_id, offsets[at])
            if isinstance(at, slice)
            else (self._topic_id, offsets[at])
        )


def joined(chunks: Sequence[RecordColumns]) -> RecordColumns:
    """Chunks that follow each other as one; either all of them tell headers, or none."""
    together = RecordColumns([], [], [], [], [])
    for chunk in chunks:
        together.offsets.extend(chunk.offsets)
        together.timestamps.extend(chunk.timestamps)
        together.values.extend(chunk.values)
        together.keys.extend(chunk.keys)
        together.headers.extend(chunk.headers)
    return together


class FetchResult(NamedTuple):
    """What one poll brought, by partition; and the partitions whose position the broker refused,
    with the offset up to which their log is known to be right (``None`` if nobody knows).
    """

    chunks: dict[int, RecordColumns]
    refused: dict[int, int | None]


class FetchClient(Protocol):
    """One topic's partitions, read from given offsets. Used by one thread.

    Raises :class:`~stream.errors.SourceUnavailable` for what no waiting heals (rights, damaged
    records); outages are waited out.
    """

    def assign(self, partitions: Iterable[int], seeks: Mapping[int, int]) -> None:
        """Read exactly these partitions; those in ``seeks`` from that offset on, the others go on
        where they are.
        """

    def pause(self, partition: int) -> None:
        """Read a refused partition no longer."""

    def resume(self, partition: int, offset: int) -> None:
        """Read a paused partition again, from this offset on."""

    def poll(self, timeout_s: float, max_records: int) -> FetchResult:
        """What has come since, at most ``max_records`` records in all; waits at most ``timeout_s``
        for the first.
        """

    def position(self, partition: int) -> int | None:
        """The next offset that will be fetched, past control records and aborted transactions;
        ``None`` if nobody knows yet.
        """

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Publish offsets of the group without waiting; a failure is logged."""

    def close(self) -> None:
        """Let go of everything; safe to call twice."""
