"""A record batch taken as columns holds what kafka-python's own reader finds in it, whatever it
holds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from stream.sources.kafka.client import RecordColumns
from stream.sources.kafka.record_batch import all_at_once, columns_of, one_by_one

contents = st.none() | st.binary(max_size=300)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
records = st.lists(
    st.tuples(
        st.integers(0, 2**41), contents, contents, st.lists(st.tuples(names, contents), max_size=3)
    ),
    min_size=1,
    max_size=40,
)


Some = list[tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]]


def built(some: Some, codec: int) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=codec,
        is_transactional=False,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 20,
    )
    for offset, (at, key, value, headers) in enumerate(some):
        builder.append(offset, at, key, value, headers)
    return bytes(builder.build())


@given(records, st.sampled_from([0, 1, 2, 3, 4]))
def test_columns_are_what_the_client_reads(some: Some, codec: int) -> None:
    data = built(
        some * (1 + 80 // len(some)) if codec % 2 else some, codec
    )  # many records are taken in another way than few
    plain = list(DefaultRecordBatch(data))
    found = columns_of(DefaultRecordBatch(data))
    assert found.offsets == [record.offset for record in plain]
    assert found.timestamps == [record.timestamp for record in plain]
    assert found.keys == [record.key for record in plain]
    assert found.values == [record.value for record in plain]
    assert found.headers == [record.headers for record in plain]


@given(records, st.data())
def test_damaged_bytes_are_told_and_never_read_past_their_end(
    some: Some, data: st.DataObject
) -> None:
    whole = built(some, 0)
    cut = data.draw(st.integers(61, len(whole) - 1))
    with pytest.raises(CorruptRecordError):
        columns_of(DefaultRecordBatch(whole[:cut]))


def taken(
    how: Callable[..., tuple[RecordColumns, int]], buffer: bytes, count: int
) -> tuple[RecordColumns, int] | None:
    try:
        return how(buffer, 0, count, (7, 1_000))
    except (IndexError, ValueError):
        return None


@given(records, st.data())
def test_all_records_at_once_are_the_same_as_one_by_one_also_when_bytes_are_damaged(
    some: Some, data: st.DataObject
) -> None:
    buffer = bytearray(built(some, 0)[61:])
    for at in data.draw(st.lists(st.integers(0, len(buffer) - 1), max_size=3)):
        buffer[at] = data.draw(st.integers(0, 255))
    assert taken(all_at_once, bytes(buffer), len(some)) == taken(
        one_by_one, bytes(buffer), len(some)
    )


@pytest.mark.parametrize("number", [0, -1, 63, -64, 64, 8_191, 2**31, 2**62, 2**63 - 1, -(2**63)])
def test_numbers_of_every_length_are_read(number: int) -> None:
    """The protocol's own rule: zigzag, then groups of seven bits."""
    zigzag, groups = (number << 1) ^ (number >> 63), []
    while True:
        groups.append(zigzag & 127 | (128 if zigzag > 127 else 0))
        zigzag >>= 7
        if not zigzag:
            break
    body = bytes([0, *groups, 0, 1, 1, 0])  # attributes, time, offset, no key, no value, no headers
    buffer = bytes([2 * len(body)]) + body
    for how in (one_by_one, all_at_once):
        assert how(buffer, 0, 1, (0, 0)) == (
            RecordColumns([0], [number], [None], [None], [[]]),
            len(buffer),
        )
