"""The records that Kinesis stores, and the raw batches that are made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from stream.events import DiscoveredPartition, Position, RawBatch
from stream.sources.kinesis.kpl import UserRecords, deaggregate

VALUE_OVERHEAD_BYTES: Final = 64
"""The memory of a value in addition to its bytes."""


class StoredRecord(NamedTuple):
    """One record of Kinesis with its user records; a position never lies between these.

    A record without aggregation holds a single user record: itself.
    """

    sequence: str
    arrival_ms: int
    keys: list[bytes | None]
    values: list[bytes | None]

    @property
    def memory_bytes(self) -> int:
        """The memory of the values, with the overhead that even an empty one has."""
        return sum(len(value or b"") for value in self.values) + VALUE_OVERHEAD_BYTES * len(
            self.values
        )


def stored_records(records: Iterable[Mapping[str, Any]]) -> list[StoredRecord]:
    """Return the records of a response with their user records.

    Raises ``KeyError`` if one lacks a field that every record has: the response was cut off.
    """
    stored: list[StoredRecord] = []
    for record in records:
        keys, values = user_records(str(record["PartitionKey"]), record["Data"])
        arrival_ms = round(record["ApproximateArrivalTimestamp"].timestamp() * 1000)
        stored.append(StoredRecord(str(record["SequenceNumber"]), arrival_ms, keys, values))
    return stored


def user_records(key: str, data: bytes) -> UserRecords:
    """Return the user records in one stored record.

    Data that only looks aggregated, or that is damaged, is a single user record with the key of the
    stored record: the format then rejects it as a whole.

    >>> user_records("k", b"plain")
    UserRecords(keys=[b'k'], values=[b'plain'])
    """
    # JSON can hold half of a surrogate pair: such a key is no name, which the format finds out.
    return deaggregate(data) or UserRecords([key.encode(errors="surrogatepass")], [data])


def raw_batch(
    partition: str,
    origin: str,
    first: Position,
    records: Sequence[StoredRecord],
    *,
    at_end: bool = False,
    ended: bool = False,
    children: tuple[DiscoveredPartition, ...] = (),
) -> RawBatch:
    """Return the raw batch of whole records of a shard, which begins at ``first``.

    The next position is the last record's sequence number; without records it stays ``first``. The
    position of a user record is the sequence number and its index in the stored record.
    """
    counts = [len(record.values) for record in records]
    arrival_ms = np.array([record.arrival_ms for record in records], np.int64)
    return RawBatch(
        partition=partition,
        origin=origin,
        first=first,
        next=(records[-1].sequence, 0) if records else first,
        positions=[(record.sequence, k) for record in records for k in range(len(record.values))],
        values=[value for record in records for value in record.values],
        arrival_ms=np.repeat(arrival_ms, counts),
        arrival_measured=True,
        keys=[key for record in records for key in record.keys],
        at_end=at_end,
        ended=ended,
        children=children,
    )
