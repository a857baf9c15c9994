"""The records of a Kafka record batch as columns, in one walk over its bytes or all records at
once.

A number is a zigzag varint: groups of seven bits, the lowest first. A record is its length, a byte
of attributes, the deltas of its timestamp and its offset, key and value with their lengths (-1:
none), and the headers. Source: the protocol of Apache Kafka, "Record".
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from kafka import errors as kafka_errors
from numpy.typing import NDArray

from detectors.arrays import Ints
from stream.sources.kafka.client import Headers, RecordColumns

FEW: Final = 80
"""Of fewer records, calls of numpy cost more than a walk."""
_LOG_APPEND_TIME: Final = 1
_MOST_BITS: Final = 64
_NO_HEADERS: Final[Headers] = []
"""The same for all records without headers: a list for each would cost more than the rest of the
record."""

Bytes = NDArray[np.uint8]


def walk(batch: Any) -> RecordColumns:
    """The records of a batch of format 2. Raises ``CorruptRecordError`` when lengths do not add up."""
    batch._maybe_uncompress()  # noqa: SLF001
    buffer, count = bytes(batch._buffer), batch.records_count  # noqa: SLF001
    take = one_by_one if count < FEW else all_at_once
    try:
        found, end = take(buffer, batch._pos, count, (batch.base_offset, batch.first_timestamp))  # noqa: SLF001
    except (IndexError, ValueError) as error:
        raise kafka_errors.CorruptRecordError(
            f"Found invalid record structure: {error!r}"
        ) from error
    if end != len(buffer):
        raise kafka_errors.CorruptRecordError(
            f"{len(buffer) - end} unconsumed bytes after all records consumed"
        )
    if batch.timestamp_type == _LOG_APPEND_TIME:
        return found._replace(timestamps=[batch.max_timestamp] * count)
    return found


def one_by_one(
    buffer: bytes, at: int, count: int, base: tuple[int, int]
) -> tuple[RecordColumns, int]:
    """All records from ``at`` on, and where they end: the definition, and the faster way for a few.

    ``base`` are the offset and the timestamp to which deltas are added. Raises ``IndexError`` or
    ``ValueError`` when lengths do not add up.
    """
    out = RecordColumns([], [], [], [], [])
    for _ in range(count):
        length, at = _number(buffer, at)
        end = at + length
        delta, at = _number(buffer, at + 1)
        out.timestamps.append(base[1] + delta)
        delta, at = _number(buffer, at)
        out.offsets.append(base[0] + delta)
        key, at = _content(buffer, at)
        out.keys.append(key)
        value, at = _content(buffer, at)
        out.values.append(value)
        headers, at = _headers(buffer, at)
        out.headers.append(headers)
        if at != end:
            raise ValueError(f"a record of {length} bytes ends {at - end} bytes off")
    return out, at


def all_at_once(
    buffer: bytes, at: int, count: int, base: tuple[int, int]
) -> tuple[RecordColumns, int]:
    """The same as :func:`one_by_one`, a column at a time: only lengths and contents are taken
    record by record.
    """
    starts, ends = _bounds(buffer, at, count)
    raw = np.frombuffer(buffer, np.uint8)
    times, places = _numbers(raw, starts + 1)
    offsets, places = _numbers(raw, places)
    keys, places = _contents(buffer, raw, places)
    values, places = _contents(buffer, raw, places)
    headers = [_NO_HEADERS] * count
    counts, after = _numbers(raw, places)
    if counts.any():
        told = [_headers(buffer, place) for place in places.tolist()]
        headers, after = [one for one, _ in told], np.array([stop for _, stop in told], np.int64)
    if not np.array_equal(after, ends):
        raise ValueError("records end beside their lengths")
    return RecordColumns(
        (base[0] + offsets).tolist(), (base[1] + times).tolist(), values, keys, headers
    ), int(ends[-1])


def _number(buffer: bytes, at: int) -> tuple[int, int]:
    """A number and where it ends; most have two bytes."""
    low = buffer[at]
    if low < 128:
        return (low >> 1) ^ -(low & 1), at + 1
    high = buffer[at + 1]
    if high < 128:
        value = (low & 127) | high << 7
        return (value >> 1) ^ -(value & 1), at + 2
    value = shift = 0
    while shift < _MOST_BITS:
        byte = buffer[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            value &= (1 << _MOST_BITS) - 1
            return (value >> 1) ^ -(value & 1), at
        shift += 7
    raise ValueError("a number of more than ten bytes")


def _numbers(raw: Bytes, at: Ints) -> tuple[Ints, Ints]:
    """The number at each place, and where it ends. What lies behind the buffer is read as its last
    byte: lengths will not add up.
    """
    value, going = np.zeros(len(at), np.uint64), np.ones(len(at), bool)
    for shift in range(0, _MOST_BITS, 7):
        byte = raw.take(at, mode="clip")
        value |= np.where(going, byte & 127, 0).astype(np.uint64) << np.uint64(shift)
        at = at + going
        going = going & (byte > 127)
        if not going.any():
            return (value >> np.uint64(1)).astype(np.int64) ^ -(value & np.uint64(1)).astype(
                np.int64
            ), at
    raise ValueError("a number of more than ten bytes")


def _bounds(buffer: bytes, at: int, count: int) -> tuple[Ints, Ints]:
    """Where each record begins, behind its length, and where it ends."""
    starts, ends = [], []
    for _ in range(count):
        length, at = _number(buffer, at)
        starts.append(at)
        at += length
        ends.append(at)
        if length < 0 or at > len(buffer):
            raise ValueError(f"a record of {length} bytes")
    return np.array(starts, np.int64), np.array(ends, np.int64)


def _content(buffer: bytes, at: int) -> tuple[bytes | None, int]:
    """Bytes with their length before them (negative: none), and where they end."""
    size, at = _number(buffer, at)
    return (None, at) if size < 0 else (buffer[at : at + size], at + size)


def _contents(buffer: bytes, raw: Bytes, at: Ints) -> tuple[list[bytes | None], Ints]:
    """The bytes at each place, and where they end."""
    sizes, at = _numbers(raw, at)
    stops = at + np.maximum(sizes, 0)
    if (sizes < 0).all():
        return [None] * len(at), stops
    if (sizes > len(buffer)).any():
        raise ValueError("a content that is longer than all records")
    cut = zip(at.tolist(), stops.tolist(), sizes.tolist(), strict=True)
    return [None if size < 0 else buffer[start:stop] for start, stop, size in cut], stops


def _headers(buffer: bytes, at: int) -> tuple[Headers, int]:
    count, at = _number(buffer, at)
    if count < 0:
        raise ValueError(f"{count} headers")
    out: Headers = []
    for _ in range(count):
        size, at = _number(buffer, at)
        if size < 0:
            raise ValueError("a header without a name")
        name = buffer[at : at + size].decode()
        value, at = _content(buffer, at + size)
        out.append((name, value))
    return (out or _NO_HEADERS), at
