"""Decodes the records of a Kafka record batch into columns.

A number is a zigzag varint: groups of seven bits, the lowest first. A record is its length, a byte
of attributes, the deltas of its timestamp and its offset, its key and its value, each after its
length (-1: none), and the headers. Names of headers should be UTF-8, but brokers take any bytes.
Source: the protocol of Apache Kafka, "Record".
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np
from kafka import errors as kafka_errors
from numpy.typing import NDArray

from detectors.arrays import Ints
from stream.sources.kafka.client import Headers, RecordColumns, no_records
from stream.sources.kafka.decompression import NONE, uncompressed

FEW: Final = 80
"""The number of records below which calls of numpy cost more than decoding one by one."""
_LOG_APPEND_TIME: Final = 1
_VALUE_BITS: Final = 64
_TOO_LONG: Final = "a number of more than ten bytes"
_NO_HEADERS: Final[Headers] = []
"""Shared by all records without headers: a list per record would cost more than the record."""

Bytes = NDArray[np.uint8]


def columns_of(batch: Any, max_bytes: int) -> tuple[RecordColumns, int]:
    """Return the records of a batch of format 2, and their uncompressed size in bytes.

    Raises ``CorruptRecordError`` if the lengths do not add up, and ``BatchTooLarge`` if the batch
    holds more than ``max_bytes`` uncompressed.
    """
    buffer, at = content(batch, max_bytes)
    count = batch.records_count
    decode = one_by_one if count < FEW else all_at_once
    base = (batch.base_offset, batch.first_timestamp)
    try:
        columns, end = decode(buffer, at, count, base)
    except (IndexError, ValueError) as error:
        raise kafka_errors.CorruptRecordError(f"invalid record structure: {error!r}") from error
    if end != len(buffer):
        raise kafka_errors.CorruptRecordError(f"{len(buffer) - end} bytes after the last record")
    if batch.timestamp_type == _LOG_APPEND_TIME:
        times = [batch.max_timestamp] * count
        columns = msgspec.structs.replace(columns, timestamps=times)
    return columns, len(buffer)


def content(batch: Any, max_bytes: int) -> tuple[bytes, int]:
    """Return the uncompressed records of a batch, and where the first one begins."""
    buffer, at = batch._buffer, batch._pos  # noqa: SLF001
    if batch.compression_type == NONE:
        return uncompressed(NONE, bytes(buffer), max_bytes), at
    return uncompressed(batch.compression_type, bytes(memoryview(buffer)[at:]), max_bytes), 0


def one_by_one(
    buffer: bytes, at: int, count: int, base: tuple[int, int]
) -> tuple[RecordColumns, int]:
    """Decode ``count`` records from ``at`` on; return them and where the last one ends.

    ``base`` are the offset and the timestamp to which deltas are added. Raises ``IndexError`` or
    ``ValueError`` if lengths do not add up. This is the definition, and faster for few records.
    """
    columns = no_records()
    for _ in range(count):
        length, at = _number(buffer, at)
        end = at + length
        delta, at = _number(buffer, at + 1)
        columns.timestamps.append(base[1] + delta)
        delta, at = _number(buffer, at)
        columns.offsets.append(base[0] + delta)
        key, at = _content(buffer, at)
        columns.keys.append(key)
        value, at = _content(buffer, at)
        columns.values.append(value)
        headers, at = _headers(buffer, at)
        columns.headers.append(headers)
        if at != end:
            raise ValueError(f"a record of {length} bytes ends {at - end} bytes after its end")
    return columns, at


def all_at_once(
    buffer: bytes, at: int, count: int, base: tuple[int, int]
) -> tuple[RecordColumns, int]:
    """Decode as :func:`one_by_one` does, a column at a time.

    Only lengths and contents are cut out record by record.
    """
    starts, ends = _bounds(buffer, at, count)
    raw = np.frombuffer(buffer, np.uint8)
    timestamps, following = _numbers(raw, starts + 1)
    offsets, following = _numbers(raw, following)
    keys, following = _contents(buffer, raw, following)
    values, following = _contents(buffer, raw, following)
    headers = [_NO_HEADERS] * count
    counts, stops = _numbers(raw, following)
    if counts.any():
        decoded = [_headers(buffer, start) for start in following.tolist()]
        headers = [record_headers for record_headers, _ in decoded]
        stops = np.array([stop for _, stop in decoded], np.int64)
    if not np.array_equal(stops, ends):
        raise ValueError("records do not end at their lengths")
    columns = RecordColumns(
        offsets=(base[0] + offsets).tolist(),
        timestamps=(base[1] + timestamps).tolist(),
        values=values,
        keys=keys,
        headers=headers,
    )
    return columns, int(ends[-1])


def _number(buffer: bytes, at: int) -> tuple[int, int]:
    """Return the number at ``at`` and where it ends; most take one or two bytes."""
    low = buffer[at]
    if low < 128:
        return (low >> 1) ^ -(low & 1), at + 1
    high = buffer[at + 1]
    if high < 128:
        value = (low & 127) | high << 7
        return (value >> 1) ^ -(value & 1), at + 2
    value = shift = 0
    while shift < _VALUE_BITS:
        byte = buffer[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            value &= (1 << _VALUE_BITS) - 1
            return (value >> 1) ^ -(value & 1), at
        shift += 7
    raise ValueError(_TOO_LONG)


def _numbers(raw: Bytes, at: Ints) -> tuple[Ints, Ints]:
    """Return the number at each index, and where it ends.

    An index after the buffer reads its last byte: the lengths will not add up.
    """
    value, unfinished = np.zeros(len(at), np.uint64), np.ones(len(at), bool)
    for shift in range(0, _VALUE_BITS, 7):
        byte = raw.take(at, mode="clip")
        value |= np.where(unfinished, byte & 127, 0).astype(np.uint64) << np.uint64(shift)
        at = at + unfinished
        unfinished = unfinished & (byte > 127)
        if not unfinished.any():
            sign = -(value & np.uint64(1)).astype(np.int64)
            return (value >> np.uint64(1)).astype(np.int64) ^ sign, at
    raise ValueError(_TOO_LONG)


def _bounds(buffer: bytes, at: int, count: int) -> tuple[Ints, Ints]:
    """Return where each record starts, after its length, and where it ends."""
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
    """Return the bytes after their length (negative: none), and where they end."""
    size, at = _number(buffer, at)
    return (None, at) if size < 0 else (buffer[at : at + size], at + size)


def _contents(buffer: bytes, raw: Bytes, at: Ints) -> tuple[list[bytes | None], Ints]:
    """Return the bytes at each index, and where they end."""
    sizes, at = _numbers(raw, at)
    stops = at + np.maximum(sizes, 0)
    if (sizes < 0).all():
        return [None] * len(at), stops
    if (sizes > len(buffer)).any():
        raise ValueError("a content that is longer than all records")
    cuts = zip(at.tolist(), stops.tolist(), sizes.tolist(), strict=True)
    return [None if size < 0 else buffer[start:stop] for start, stop, size in cuts], stops


def _headers(buffer: bytes, at: int) -> tuple[Headers, int]:
    count, at = _number(buffer, at)
    if count < 0:
        raise ValueError(f"{count} headers")
    headers: Headers = []
    for _ in range(count):
        size, at = _number(buffer, at)
        if size < 0:
            raise ValueError("a header without a name")
        # A name that is not UTF-8 is no name that a configuration can hold.
        name = buffer[at : at + size].decode(errors="replace")
        value, at = _content(buffer, at + size)
        headers.append((name, value))
    return (headers or _NO_HEADERS), at
