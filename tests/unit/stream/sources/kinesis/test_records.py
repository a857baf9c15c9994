"""Stored records of Kinesis, and the raw batches built from them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from stream.sources.kinesis.kpl import UserRecords
from stream.sources.kinesis.records import (
    StoredRecord,
    raw_batch,
    stored_records,
    user_records,
)
from tests.support.kpl import aggregated

ARRIVAL = datetime(2026, 11, 25, 10, 0, 0, 123_000, tzinfo=UTC)


def response_record(number: int, data: bytes, key: str = "outer") -> dict[str, Any]:
    return {
        "SequenceNumber": str(number),
        "PartitionKey": key,
        "Data": data,
        "ApproximateArrivalTimestamp": ARRIVAL,
    }


def test_user_records_are_returned_in_order_with_their_own_keys() -> None:
    records = [(f"key-{n % 3}", b"value %d" % n) for n in range(50)]
    keys, values = user_records("outer", aggregated(records))
    assert keys == [key.encode() for key, _ in records]
    assert values == [value for _, value in records]


def test_a_partition_key_that_is_no_valid_unicode_is_passed_on() -> None:
    """A response in JSON may hold half of a surrogate pair; the format rejects such a name."""
    (key,), values = user_records("a\ud800", b"plain")
    assert values == [b"plain"]
    assert key is not None
    with pytest.raises(UnicodeDecodeError):
        key.decode()


def test_data_that_only_resembles_aggregated_data_is_one_user_record() -> None:
    data = aggregated([("a", b"1"), ("b", b"2")])[:-1]
    assert user_records("outer", data) == UserRecords([b"outer"], [data])


@pytest.mark.parametrize("field", sorted(response_record(1, b"")))
def test_a_record_without_one_of_its_fields_raises_a_key_error(field: str) -> None:
    record = response_record(1, b"plain")
    del record[field]
    with pytest.raises(KeyError, match=field):
        stored_records([record])


def test_positions_name_the_user_record_and_the_next_position_follows_the_stored_record() -> None:
    records = stored_records(
        [
            response_record(98, b"plain"),
            response_record(102, aggregated([("a", b"1"), ("b", b"2")])),
        ]
    )
    batch = raw_batch("shard", "stream", ("97", 0), records)
    assert batch.positions == [("98", 0), ("102", 0), ("102", 1)]
    assert (batch.first, batch.next) == (("97", 0), ("102", 0))
    assert batch.values == [b"plain", b"1", b"2"]
    assert batch.keys == [b"outer", b"a", b"b"]
    assert batch.arrival_ms.tolist() == [1_795_600_800_123] * 3


def test_the_memory_of_a_stored_record_is_that_of_its_user_records() -> None:
    plain, full, empty = stored_records(
        [
            response_record(1, b"." * 1000),
            response_record(2, aggregated([("a", b"." * 100)] * 10)),
            response_record(3, aggregated([("a", b"")] * 1000)),
        ]
    )
    assert [plain.memory_bytes, full.memory_bytes, empty.memory_bytes] == [1_064, 1_640, 64_000]


def test_an_empty_batch_stays_at_its_position_and_an_empty_stored_record_advances_it() -> None:
    assert raw_batch("shard", "stream", ("97", 0), []).next == ("97", 0)
    batch = raw_batch("shard", "stream", ("97", 0), [StoredRecord("98", 1, [], [])])
    assert (batch.next, batch.values, batch.arrival_ms.tolist()) == (("98", 0), [], [])
