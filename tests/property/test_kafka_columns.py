"""A record batch taken as columns holds what kafka-python's own reader finds in it, whatever it holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from stream.kafka_columns import walk

contents = st.none() | st.binary(max_size=300)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
records = st.lists(
    st.tuples(st.integers(0, 2**41), contents, contents, st.lists(st.tuples(names, contents), max_size=3)), min_size=1, max_size=40
)


def built(some: list[tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]], codec: int) -> bytes:
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=codec, is_transactional=False, producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=1 << 20
    )
    for offset, (at, key, value, headers) in enumerate(some):
        builder.append(offset, at, key, value, headers)
    return bytes(builder.build())


@given(records, st.sampled_from([0, 1, 2, 3, 4]))
def test_columns_are_what_the_client_reads(
    some: list[tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]], codec: int
) -> None:
    data = built(some, codec)
    plain = list(DefaultRecordBatch(data))
    found = walk(DefaultRecordBatch(data))
    assert found.offsets == [record.offset for record in plain]
    assert found.timestamps == [record.timestamp for record in plain]
    assert found.keys == [record.key for record in plain]
    assert found.values == [record.value for record in plain]
    assert found.headers == [record.headers for record in plain]


@given(records, st.data())
def test_damaged_bytes_are_told_and_never_read_past_their_end(
    some: list[tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]], data: st.DataObject
) -> None:
    whole = built(some, 0)
    cut = data.draw(st.integers(61, len(whole) - 1))
    with pytest.raises(CorruptRecordError):
        walk(DefaultRecordBatch(whole[:cut]))
