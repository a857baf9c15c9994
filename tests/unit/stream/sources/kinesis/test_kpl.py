"""Aggregated records are returned as they were put; any other record is a single user record."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from aws_kinesis_agg.aggregator import RecordAggregator
from hypothesis import given
from hypothesis import strategies as st

from stream.sources.kinesis.kpl import DIGEST_BYTES, MAGIC, UserRecords, deaggregate
from tests.support.kpl import aggregated

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
RECORDS = st.lists(st.tuples(KEYS, st.binary(max_size=300)), min_size=1, max_size=40)


def sealed(body: bytes) -> bytes:
    """A message with the magic bytes before it and its digest after it."""
    return MAGIC + body + hashlib.md5(body).digest()


@given(RECORDS)
def test_user_records_of_the_reference_implementation_are_returned_as_put(
    records: list[tuple[str, bytes]],
) -> None:
    user_records = deaggregate(aggregated(records))
    assert user_records is not None
    assert list(zip(*user_records, strict=True)) == [
        (key.encode(), value) for key, value in records
    ]


@given(RECORDS, st.lists(st.integers(0, 2**128 - 1), min_size=40, max_size=40))
def test_explicit_hash_keys_do_not_change_the_user_records(
    records: list[tuple[str, bytes]], hash_keys: list[int]
) -> None:
    aggregator = RecordAggregator()
    for (key, value), hash_key in zip(records, hash_keys, strict=False):
        assert aggregator.add_user_record(key, value, str(hash_key)) is None
    _, _, data = aggregator.clear_and_get().get_contents()
    assert deaggregate(bytes(data)) == deaggregate(aggregated(records))


@given(RECORDS, st.data())
def test_aggregated_data_with_a_changed_byte_is_an_ordinary_record(
    records: list[tuple[str, bytes]], draw: st.DataObject
) -> None:
    data = bytearray(aggregated(records))
    at = draw.draw(st.integers(0, len(data) - 1))
    data[at] ^= draw.draw(st.integers(1, 255))
    assert deaggregate(bytes(data)) is None


@given(st.binary(max_size=200))
def test_any_message_with_a_valid_digest_is_read_or_refused_without_an_error(body: bytes) -> None:
    records = deaggregate(sealed(body))
    assert records is None or len(records.keys) == len(records.values)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[:-DIGEST_BYTES] + bytes(DIGEST_BYTES),
        lambda data: data[: len(MAGIC)],
        lambda data: data[: len(MAGIC)] + data[20:],
        lambda data: b"\0" + data,
        lambda data: MAGIC + hashlib.md5(b"").digest(),
    ],
    ids=["cut", "wrong digest", "magic only", "cut body", "shifted", "empty body"],
)
def test_damaged_data_is_an_ordinary_record(damage: Callable[[bytes], bytes]) -> None:
    assert deaggregate(damage(aggregated([("a", b"1"), ("b", b"2")]))) is None


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xff\xff",
        b"\x1a\x04\x08\x07\x1a\x00",
        b"\x1a\x0d\x08" + b"\xff" * 9 + b"\x01\x1a\x00",
        b"\x0a\x01k",
        b"\x0a\x01k\x1a\x03\x1a\x01a",
        b"\x0a\x01k\x1a\x02\x08\x00",
    ],
    ids=[
        "no message",
        "a key that is not in the table",
        "the largest index",
        "no user record",
        "a user record without the index of its key",
        "a user record without data",
    ],
)
def test_a_damaged_message_is_refused_and_printed_nowhere(
    body: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    assert deaggregate(sealed(body)) is None
    assert capfd.readouterr() == ("", "")


def test_a_partition_key_that_is_not_utf_8_is_passed_on_as_it_is() -> None:
    body = b"\x0a\x02\xff\xfe\x1a\x05\x08\x00\x1a\x01a"
    assert deaggregate(sealed(body)) == UserRecords([b"\xff\xfe"], [b"a"])
