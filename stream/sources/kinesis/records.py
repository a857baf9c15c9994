"""Records of Kinesis as they are stored, and the records inside: the Kinesis Producer Library packs
many into one.

Only this module knows the package that reads the packed form. Its own loop is not used: it prints
what it cannot read, values and all, and drops the rest of the record.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from hashlib import md5
from typing import Any, Final, NamedTuple

import numpy as np

from stream.events import Position, RawBatch

_path = sys.path.copy()
import aws_kinesis_agg  # noqa: E402
from aws_kinesis_agg import deaggregator  # noqa: E402  # puts folders in front of the path

sys.path[:] = _path

BESIDE_BYTES: Final = 64
"""Memory that a value takes beside its bytes."""


class AggregatedRecord(NamedTuple):
    """One record of Kinesis with the records inside it; a position never lies between them."""

    sequence: str
    arrival_ms: int
    keys: list[bytes | None]
    values: list[bytes | None]

    @property
    def size(self) -> int:
        """Bytes of memory that the values take: without what is beside the bytes, a million empty
        records would be nothing.
        """
        return sum(len(value or b"") for value in self.values) + BESIDE_BYTES * len(self.values)


def packs(records: Iterable[Mapping[str, Any]]) -> list[AggregatedRecord]:
    """The records of an answer, taken apart. Raises KeyError when one lacks what every record has."""
    return [
        AggregatedRecord(
            str(record["SequenceNumber"]),
            round(record["ApproximateArrivalTimestamp"].timestamp() * 1000),
            *unpacked(str(record["PartitionKey"]), record["Data"]),
        )
        for record in records
    ]


def unpacked(key: str, data: bytes) -> tuple[list[bytes | None], list[bytes | None]]:
    """Keys and values of the records inside one record.

    A record that only looks packed is one record, and so is one that cannot be taken apart: its
    reader then rejects it as a whole.

    >>> unpacked("k", b"plain")
    ([b'k'], [b'plain'])
    """
    as_it_is: tuple[list[bytes | None], list[bytes | None]] = ([key.encode()], [data])
    size = aws_kinesis_agg.DIGEST_SIZE
    if not data.startswith(aws_kinesis_agg.MAGIC) or len(data) <= len(aws_kinesis_agg.MAGIC) + size:
        return as_it_is
    body = data[len(aws_kinesis_agg.MAGIC) : -size]
    if md5(body, usedforsecurity=False).digest() != data[-size:]:
        return as_it_is
    try:
        inside = deaggregator.messages_pb2.AggregatedRecord.FromString(body)
        table = [one.encode() for one in inside.partition_key_table]
        return [table[one.partition_key_index] for one in inside.records], [
            one.data for one in inside.records
        ]
    except (deaggregator.google.protobuf.message.DecodeError, IndexError):
        return as_it_is


def batch(
    partition: str, origin: str, first: Position, taken: list[AggregatedRecord], **said: Any
) -> RawBatch:
    """The raw batch of some whole records of a shard; ``said`` are the fields of :class:`RawBatch`
    about its end.
    """
    counts = [len(one.values) for one in taken]
    return RawBatch(
        partition=partition,
        origin=origin,
        first=first,
        next=(taken[-1].sequence, 0) if taken else first,
        positions=[(one.sequence, k) for one in taken for k in range(len(one.values))],
        values=[value for one in taken for value in one.values],
        arrival_ms=np.repeat(np.array([one.arrival_ms for one in taken], np.int64), counts),
        keys=[key for one in taken for key in one.keys],
        **said,
    )
