"""Records inside records: what the Kinesis Producer Library packs comes out as it was put in, or
whole."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from aws_kinesis_agg import aggregator

from stream.sources.kinesis.records import AggregatedRecord, batch, packs, unpacked

AT = datetime(2026, 11, 25, 10, 0, 0, 123_000, tzinfo=UTC)


def packed(records: list[tuple[str, bytes]]) -> bytes:
    made = aggregator.RecordAggregator()
    for key, value in records:
        assert made.add_user_record(key, value) is None
    _, _, data = made.clear_and_get().get_contents()
    return bytes(data)


def stored(number: int, data: bytes, key: str = "outside") -> dict[str, Any]:
    return {
        "SequenceNumber": str(number),
        "PartitionKey": key,
        "Data": data,
        "ApproximateArrivalTimestamp": AT,
    }


def test_what_was_packed_comes_out_in_order_with_its_own_keys() -> None:
    inside = [(f"key-{n % 3}", b"value %d" % n) for n in range(50)]
    keys, values = unpacked("outside", packed(inside))
    assert keys == [key.encode() for key, _ in inside]
    assert values == [value for _, value in inside]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[:-16] + bytes(16),
        lambda data: data[:4],
        lambda data: data[:4] + data[20:],
        lambda data: b"\0" + data,
    ],
    ids=["cut", "wrong digest", "mark only", "body lacks", "shifted"],
)
def test_what_only_looks_packed_is_one_record_as_it_is(damage: Any) -> None:
    data = damage(packed([("a", b"1"), ("b", b"2")]))
    assert unpacked("outside", data) == ([b"outside"], [data])


@pytest.mark.parametrize(
    "body",
    [b"\xff\xff\xff", b"\x1a\x04\x08\x07\x1a\x00"],
    ids=["no message", "a key that is not in the table"],
)
def test_a_packed_record_that_cannot_be_taken_apart_is_one_record_and_its_values_are_printed_nowhere(
    body: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    data = b"\xf3\x89\x9a\xc2" + body + hashlib.md5(body).digest()
    assert unpacked("outside", data) == ([b"outside"], [data])
    assert capfd.readouterr() == ("", "")


def test_positions_name_the_place_inside_and_the_next_position_is_behind_the_whole_record() -> None:
    taken = packs([stored(98, b"plain"), stored(102, packed([("a", b"1"), ("b", b"2")]))])
    made = batch("shard", "stream", ("97", 0), taken)
    assert made.positions == [("98", 0), ("102", 0), ("102", 1)]
    assert (made.first, made.next) == (("97", 0), ("102", 0))
    assert made.values == [b"plain", b"1", b"2"]
    assert made.keys == [b"outside", b"a", b"b"]
    assert made.arrival_ms.tolist() == [1_795_600_800_123] * 3


def test_the_size_of_a_packed_record_is_that_of_what_it_holds() -> None:
    plain, full, empty = packs(
        [
            stored(1, b"." * 1000),
            stored(2, packed([("a", b"." * 100)] * 10)),
            stored(3, packed([("a", b"")] * 1000)),
        ]
    )
    assert [plain.size, full.size, empty.size] == [1_064, 1_640, 64_000]


def test_a_batch_of_nothing_stays_where_it_is_and_an_empty_packed_record_moves_on() -> None:
    assert batch("shard", "stream", ("97", 0), []).next == ("97", 0)
    made = batch("shard", "stream", ("97", 0), [AggregatedRecord("98", 1, [], [])])
    assert (made.next, made.values, made.arrival_ms.tolist()) == (("98", 0), [], [])


def test_reading_packed_records_puts_no_folders_in_front_of_the_path() -> None:
    script = (
        "import sys; before = sys.path.copy(); import stream.sources.kinesis.records; assert"
        " sys.path == before, sys.path"
    )
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).stderr
        == b""
    )
