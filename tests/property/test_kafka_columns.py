"""A record batch read as columns equals the result of kafka-python's reader, for any content."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from stream.sources.kafka.client import RecordColumns
from stream.sources.kafka.record_batch import all_at_once, columns_of, one_by_one

HEADER_BYTES = 61
"""Bytes of a record batch before its first record."""

contents = st.none() | st.binary(max_size=300)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
records = st.lists(
    st.tuples(
        st.integers(0, 2**41), contents, contents, st.lists(st.tuples(names, contents), max_size=3)
    ),
    min_size=1,
    max_size=40,
)


Records = list[tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]]
"""Timestamp, key, value and headers of each record."""


def build(batch: Records, codec: int) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=codec,
        is_transactional=False,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 20,
    )
    for offset, (timestamp, key, value, headers) in enumerate(batch):
        builder.append(offset, timestamp, key, value, headers)
    return bytes(builder.build())


@given(records, st.sampled_from([0, 1, 2, 3, 4]))
def test_columns_are_what_the_client_reads(batch: Records, codec: int) -> None:
    """Many records take another code path than few."""
    many = batch * (1 + 80 // len(batch))
    data = build(many if codec % 2 else batch, codec)
    expected = list(DefaultRecordBatch(data))
    columns, size = columns_of(DefaultRecordBatch(data), 1 << 20)
    assert size > sum(len(value or b"") for value in columns.values)
    assert columns.offsets == [record.offset for record in expected]
    assert columns.timestamps == [record.timestamp for record in expected]
    assert columns.keys == [record.key for record in expected]
    assert columns.values == [record.value for record in expected]
    assert columns.headers == [record.headers for record in expected]


@given(records, st.data())
def test_a_truncated_batch_raises_and_is_never_read_past_its_end(
    batch: Records, data: st.DataObject
) -> None:
    whole = build(batch, 0)
    cut = data.draw(st.integers(HEADER_BYTES, len(whole) - 1))
    with pytest.raises(CorruptRecordError):
        columns_of(DefaultRecordBatch(whole[:cut]), 1 << 20)


def read(
    reader: Callable[..., tuple[RecordColumns, int]], buffer: bytes, count: int
) -> tuple[RecordColumns, int] | None:
    """Return the columns and the end of the records, ``None`` if they are damaged."""
    try:
        return reader(buffer, 0, count, (7, 1_000))
    except (IndexError, ValueError):
        return None


@given(records, st.data())
def test_records_read_all_at_once_equal_those_read_one_by_one_also_when_damaged(
    batch: Records, data: st.DataObject
) -> None:
    buffer = bytearray(build(batch, 0)[HEADER_BYTES:])
    for k in data.draw(st.lists(st.integers(0, len(buffer) - 1), max_size=3)):
        buffer[k] = data.draw(st.integers(0, 255))
    together = read(all_at_once, bytes(buffer), len(batch))
    assert together == read(one_by_one, bytes(buffer), len(batch))


@pytest.mark.parametrize("number", [0, -1, 63, -64, 64, 8_191, 2**31, 2**62, 2**63 - 1, -(2**63)])
def test_numbers_of_every_length_are_read(number: int) -> None:
    """The expected bytes follow the protocol: zigzag, then groups of seven bits."""
    zigzag = (number << 1) ^ (number >> 63)
    groups = []
    while True:
        groups.append(zigzag & 127 | (128 if zigzag > 127 else 0))
        zigzag >>= 7
        if not zigzag:
            break
    body = bytes([0, *groups, 0, 1, 1, 0])  # attributes, time, offset, no key, no value, no headers
    buffer = bytes([2 * len(body)]) + body
    expected = RecordColumns(
        offsets=[0], timestamps=[number], values=[None], keys=[None], headers=[[]]
    )
    for reader in (one_by_one, all_at_once):
        assert reader(buffer, 0, 1, (0, 0)) == (expected, len(buffer))
