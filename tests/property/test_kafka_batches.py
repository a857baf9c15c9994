"""Fetched data taken as columns is what kafka-python's own reader hands out: any batches,
transactions, start and steps."""

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
from stream.sources.kafka.columns_client import PartitionData
from stream.sources.kafka.plain_client import PlainClient

PARTITION = kafka.TopicPartition("t", 0)
CRC_AT, ATTRIBUTES_AT, CONTROL = 17, 21, 0x20


class Data(NamedTuple):
    """A batch of records: ``steps`` are how far each offset lies behind the one before (more than
    1: compaction took some)."""

    producer: int
    steps: list[int]
    codec: int


class End(NamedTuple):
    """A marker that ends the transaction of a producer."""

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
    out = bytearray(builder.build())
    struct.pack_into(">q", out, 0, base)
    if control:
        (attributes,) = struct.unpack_from(">h", out, ATTRIBUTES_AT)
        struct.pack_into(">h", out, ATTRIBUTES_AT, attributes | CONTROL)
        struct.pack_into(">I", out, CRC_AT, calc_crc32c(bytes(out[ATTRIBUTES_AT:])))
    return bytes(out)


def written(log: list[Data | End]) -> tuple[list[bytes], list[Aborted], int]:
    """The log as a broker would send it, the transactions that were aborted, and its end."""
    offset, out = 0, list[bytes]()
    began, aborted = dict[int, int](), list[Aborted]()
    for one in log:
        if isinstance(one, End):
            out.append(
                batch(
                    offset,
                    one.producer,
                    0,
                    [(0, struct.pack(">hh", 0, not one.aborted), b"marker", [])],
                    control=True,
                )
            )
            first = began.pop(one.producer, None)
            if one.aborted and first is not None:
                aborted.append(Aborted(one.producer, first))
            offset += 1
            continue
        deltas = [sum(one.steps[: k + 1]) - one.steps[0] for k in range(len(one.steps))]
        headers = [[("h", b"%d" % d)] if d % 5 == 0 and one.codec else [] for d in deltas]
        keys, values = (
            [None if d % 3 else b"k%d" % d for d in deltas],
            [None if d % 7 == 3 else b"v" * (d % 90) for d in deltas],
        )
        out.append(
            batch(
                offset,
                one.producer,
                one.codec,
                list(zip(deltas, keys, values, headers, strict=True)),
            )
        )
        if one.producer >= 0:
            began.setdefault(one.producer, offset)
        offset += deltas[-1] + 1
    return out, aborted, offset


def handed_out(
    kind: Any, data: bytes, aborted: list[Aborted], start: int, takes: list[int]
) -> tuple[list[Any], int]:
    """What each step gave, also if it was the fault, and the offset to fetch next."""
    settings = {"isolation_level": IsolationLevel.READ_COMMITTED, "aborted_transactions": aborted}
    fetched = kind(start, PARTITION, MemoryRecords(data), **settings)
    out: list[Any] = []
    for n in [*takes, *[1 << 30] * 3]:
        if not fetched:
            break
        try:
            out.append(rows(fetched.take(n)))
        except CorruptRecordError:
            out.append("damaged")
            break
    return [one for one in out if one], fetched.next_fetch_offset


def rows(taken: Any) -> list[tuple[Any, ...]]:
    if isinstance(taken, list) and type(taken) is not list:
        return [row for chunk in taken for row in zip(*chunk, strict=True)]
    return [(one.offset, one.timestamp, one.value, one.key, one.headers) for one in taken]


@given(logs, st.floats(0, 1), st.lists(st.integers(1, 60), max_size=8))
def test_columns_hand_out_what_the_client_hands_out(
    log: list[Data | End], where: float, takes: list[int]
) -> None:
    batches, aborted, end = written(log)
    start = int(where * end)
    data = b"".join(batches)
    assert handed_out(PartitionData, data, aborted, start, takes) == handed_out(
        Fetcher.PartitionRecords, data, aborted, start, takes
    )


@given(logs, st.data())
def test_what_comes_before_a_damaged_batch_is_handed_out_and_then_it_is_told(
    log: list[Data | End], data: st.DataObject
) -> None:
    batches, aborted, _ = written(log)
    at = data.draw(st.integers(0, len(batches) - 1))
    broken = bytearray(batches[at])
    broken[data.draw(st.integers(ATTRIBUTES_AT + 2, len(broken) - 1))] ^= 0x40
    body = b"".join([*batches[:at], bytes(broken), *batches[at + 1 :]])
    ours, _ = handed_out(PartitionData, body, aborted, 0, [7, 50])
    theirs, _ = handed_out(Fetcher.PartitionRecords, body, aborted, 0, [7, 50])
    assert ours == theirs
    assert ours[-1] == "damaged"


def test_records_of_an_old_format_are_told_with_what_to_do() -> None:
    """Brokers before version 0.11 wrote them, and newer ones give them out as they lie there."""
    builder = LegacyRecordBatchBuilder(magic=1, compression_type=0, batch_size=1 << 10)
    builder.append(0, 1_000, None, b"old")
    fetched = PartitionData(0, PARTITION, MemoryRecords(bytes(builder.build())))
    consumer = SimpleNamespace(poll=lambda **_: fetched.take(1))
    with pytest.raises(SourceUnavailable, match="client: plain"):
        PlainClient("kafka", "t", consumer).poll(0.1, 1)
