"""Fetched data read as columns equals the result of kafka-python's own reader, for any batches,
transactions, starts and steps.
"""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any, NamedTuple

import kafka
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.protocol.consumer import IsolationLevel
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.legacy_records import LegacyRecordBatchBuilder
from kafka.record.memory_records import MemoryRecords
from kafka.record.util import calc_crc32c

from stream.errors import SourceUnavailable
from stream.sources.kafka.client import RecordColumns
from stream.sources.kafka.columns_client import ColumnsClient, PartitionData

LIMIT = 1 << 24
"""The largest batch in bytes: more than any batch here."""
PARTITION = kafka.TopicPartition("t", 0)
CRC_AT = 17
ATTRIBUTES_AT = 21
CONTROL = 0x20


class Data(NamedTuple):
    """A batch of records.

    ``steps`` are the distances of each offset from the previous one (above 1: compaction removed
    records in between).
    """

    producer: int
    steps: list[int]
    codec: int


class End(NamedTuple):
    """A control record that ends the transaction of a producer."""

    producer: int
    aborted: bool


class Aborted(NamedTuple):
    producer_id: int
    first_offset: int


logs = st.lists(
    st.builds(
        Data,
        st.sampled_from([-1, 5, 6]),
        st.lists(st.integers(1, 3), min_size=1, max_size=120),
        st.sampled_from([0, 1, 4]),
    )
    | st.builds(End, st.sampled_from([5, 6]), st.booleans()),
    min_size=1,
    max_size=7,
)


def batch(
    base: int,
    producer: int,
    codec: int,
    records: list[tuple[int, bytes | None, bytes | None, Any]],
    control: bool = False,
) -> bytes:
    builder = DefaultRecordBatchBuilder(
        2, codec, producer >= 0, producer, 0 if producer >= 0 else -1, -1, 1 << 20
    )
    for delta, key, value, headers in records:
        builder.append(delta, 1_000 + base + delta, key, value, headers)
    encoded = bytearray(builder.build())
    struct.pack_into(">q", encoded, 0, base)
    if control:
        (attributes,) = struct.unpack_from(">h", encoded, ATTRIBUTES_AT)
        struct.pack_into(">h", encoded, ATTRIBUTES_AT, attributes | CONTROL)
        struct.pack_into(">I", encoded, CRC_AT, calc_crc32c(bytes(encoded[ATTRIBUTES_AT:])))
    return bytes(encoded)


def write(log: list[Data | End]) -> tuple[list[bytes], list[Aborted], int]:
    """Return the batches that a broker would send, the aborted transactions, and the end offset."""
    offset = 0
    batches = list[bytes]()
    firsts = dict[int, int]()
    aborted = list[Aborted]()
    for entry in log:
        if isinstance(entry, End):
            first = firsts.pop(entry.producer, None)
            if entry.aborted and first is not None:
                aborted.append(Aborted(entry.producer, first))
            batches.append(control_batch(offset, entry))
            offset += 1
        else:
            if entry.producer >= 0:
                firsts.setdefault(entry.producer, offset)
            batches.append(data_batch(offset, entry))
            offset += sum(entry.steps[1:]) + 1
    return batches, aborted, offset


def control_batch(offset: int, end: End) -> bytes:
    key = struct.pack(">hh", 0, not end.aborted)
    return batch(offset, end.producer, 0, [(0, key, b"marker", [])], control=True)


def data_batch(offset: int, data: Data) -> bytes:
    deltas = [sum(data.steps[1 : k + 1]) for k in range(len(data.steps))]
    keys = [None if d % 3 else b"k%d" % d for d in deltas]
    values = [None if d % 7 == 3 else b"v" * (d % 90) for d in deltas]
    headers = [[("h", b"%d" % d)] if d % 5 == 0 and data.codec else [] for d in deltas]
    records = list(zip(deltas, keys, values, headers, strict=True))
    return batch(offset, data.producer, data.codec, records)


def take_all(
    kind: Any, data: bytes, aborted: list[Aborted], start: int, takes: list[int]
) -> tuple[list[Any], int]:
    """Return the rows of each step (``damaged`` for a failed one), and the next offset to fetch."""
    settings: dict[str, Any] = {"aborted_transactions": aborted}
    settings["isolation_level"] = IsolationLevel.READ_COMMITTED
    if kind is PartitionData:
        settings["max_batch_bytes"] = LIMIT
    fetched = kind(start, PARTITION, MemoryRecords(data), **settings)
    steps: list[Any] = []
    for count in [*takes, *[1 << 30] * 3]:
        if not fetched:
            break
        try:
            steps.append(rows(fetched.take(count)))
        except CorruptRecordError:
            steps.append("damaged")
            break
    return [step for step in steps if step], fetched.next_fetch_offset


def rows(taken: Any) -> list[tuple[Any, ...]]:
    """Return the records as tuples, of our columns or of the client's records."""
    if isinstance(taken, list) and type(taken) is not list:
        return [row for chunk in taken for row in zip(*columns(chunk), strict=True)]
    return [
        (record.offset, record.timestamp, record.value, record.key, record.headers)
        for record in taken
    ]


def columns(chunk: RecordColumns) -> tuple[list[Any], ...]:
    """Return the columns of a chunk in the order of the client's records."""
    return chunk.offsets, chunk.timestamps, chunk.values, chunk.keys, chunk.headers


@given(logs, st.floats(0, 1), st.lists(st.integers(1, 60), max_size=8))
def test_columns_return_the_records_that_the_client_returns(
    log: list[Data | End], share: float, takes: list[int]
) -> None:
    batches, aborted, end = write(log)
    start = int(share * end)
    data = b"".join(batches)
    taken = take_all(PartitionData, data, aborted, start, takes)
    assert taken == take_all(Fetcher.PartitionRecords, data, aborted, start, takes)


@given(logs, st.data())
def test_records_before_a_damaged_batch_are_returned_before_it_raises(
    log: list[Data | End], data: st.DataObject
) -> None:
    batches, aborted, _ = write(log)
    k = data.draw(st.integers(0, len(batches) - 1))
    damaged = bytearray(batches[k])
    damaged[data.draw(st.integers(ATTRIBUTES_AT + 2, len(damaged) - 1))] ^= 0x40
    body = b"".join([*batches[:k], bytes(damaged), *batches[k + 1 :]])
    taken, _ = take_all(PartitionData, body, aborted, 0, [7, 50])
    expected, _ = take_all(Fetcher.PartitionRecords, body, aborted, 0, [7, 50])
    assert taken == expected
    assert taken[-1] == "damaged"


def test_records_of_an_old_format_raise_an_error_with_advice() -> None:
    """Brokers before version 0.11 wrote such records, and newer brokers return them unchanged."""
    builder = LegacyRecordBatchBuilder(magic=1, compression_type=0, batch_size=1 << 10)
    builder.append(0, 1_000, None, b"old")
    data = MemoryRecords(bytes(builder.build()))
    fetched = PartitionData(0, PARTITION, data, max_batch_bytes=LIMIT)
    consumer = SimpleNamespace(
        poll=lambda **_: fetched.take(1),
        assignment=lambda: {PARTITION},
        position=lambda partition, timeout_ms: 40,
        _fetcher=SimpleNamespace(),
    )
    with pytest.raises(SourceUnavailable, match=r"client: plain.*t-0 at offset 40"):
        ColumnsClient("kafka", "t", consumer, LIMIT).poll(0.1, 1)


def test_a_poll_returns_fewer_of_large_records() -> None:
    """A record of a megabyte counts as 64 of 16 KiB, whether its batch is compressed or not."""
    for codec in (0, 4):
        value = b"x" * (1 << 20)
        batches = [batch(base, -1, codec, [(0, None, value, [])]) for base in range(40)]
        fetched = PartitionData(
            0, PARTITION, MemoryRecords(b"".join(batches)), max_batch_bytes=LIMIT
        )
        first = fetched.take(640)
        assert sum(len(chunk.offsets) for chunk in first) == 10
        assert len(first) >= 640  # the client asks for no more in this poll
        assert fetched.next_fetch_offset == 10
        assert sum(len(chunk.offsets) for chunk in fetched.take(1 << 30)) == 30
