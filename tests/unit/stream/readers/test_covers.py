"""Each byte that a reader was given has one outcome, that of its record."""

from __future__ import annotations

import numpy as np

from stream.baselining.columns import ModelColumns
from stream.dedupe.filter import Dedupe
from stream.event_time import Times
from stream.events import Assign, RawBatch
from stream.formats.sagemaker.format import Sagemaker
from stream.readers.plan import ReadingPlan
from stream.readers.reader import Reader
from tests.property.test_formats_equal_the_oracle import MODEL, ORIGIN, NoSource

LONG = 189
"""Bytes of a line."""


def line(event_id: str, minute: int, padding: int = 0) -> bytes:
    """A capture whose id is one letter, with some blanks behind it."""
    both = b'"endpointInput":{"data":"1.5,2,a","encoding":"CSV"},"endpointOutput":{"data":"0.5","encoding":"CSV"}'
    when = b'"eventMetadata":{"eventId":"%b","inferenceTime":"2025-06-15T15:%02d:00Z"}' % (
        event_id.encode(),
        minute,
    )
    return b'{"captureData":{%b},%b}' % (both, when) + b" " * padding


def raw(partition: str, values: list[bytes | None], first: int = 0) -> RawBatch:
    places = list(range(first, first + len(values)))
    return RawBatch(
        partition,
        "topic",
        first,
        first + len(values),
        [*places],
        values,
        np.full(len(values), -1, np.int64),
    )


def reader() -> Reader:
    form = Sagemaker()
    one = Reader(
        NoSource(), form, ORIGIN, Times(60_000, 2_000, 120_000, 60_000), dedupe=Dedupe(horizon="1h")
    )
    one.use(ReadingPlan({"m": ModelColumns(MODEL.outputs, MODEL.inputs, MODEL.layout)}, form))
    one.assign([Assign(1, "p", 0, None), Assign(1, "q", 0, None)])
    return one


def test_the_sample_is_as_long_as_it_says() -> None:
    assert len(line("a", 10)) == LONG
    assert len(line("b", 30, 7)) == LONG + 7


def test_bytes_of_two_partitions_are_told_apart_by_outcome() -> None:
    mixed = [
        line("a", 10),
        line("b", 30, 9),
        line("a", 30, 1),
        b"no json",
        line("c", 11, 2),
        None,
        b"[]",
    ]
    covers = {
        one.partition: one
        for one in reader().fold([raw("p", mixed), raw("q", [line("a", 10, 5)])]).covers
    }
    assert covers["p"].outcomes == {
        "accepted": 2,
        "duplicate": 1,
        "too_late": 1,
        "undecodable": 1,
        "tombstone": 1,
        "not_an_object": 1,
    }
    assert covers["p"].bytes == {
        "accepted": 2 * LONG + 9,
        "duplicate": LONG + 1,
        "too_late": LONG + 2,
        "undecodable": 7,
        "not_an_object": 2,
    }
    assert covers["q"].bytes == {"accepted": LONG + 5}


def test_batches_of_one_partition_are_added_up_and_an_empty_one_adds_nothing() -> None:
    raws = [
        raw("p", [line("a", 10)]),
        raw("p", [b"no json"], 1),
        raw("p", [], 2),
        raw("p", [line("b", 10), line("a", 10, 3)], 2),
    ]
    [cover] = reader().fold(raws).covers
    assert cover.bytes == {"accepted": 2 * LONG, "undecodable": 7, "duplicate": LONG + 3}


def test_records_that_are_passed_over_have_their_bytes_too() -> None:
    one = reader()
    one.care(1, [("p", 0)])
    [partial] = one.count([raw("p", [line("a", 10), None, b"1234"])])
    assert (partial.covers[0].outcomes, partial.covers[0].bytes) == (
        {"crashes_reader": 3},
        {"crashes_reader": LONG + 4},
    )


def test_a_partition_that_ended_takes_its_ids_with_it() -> None:
    one = reader()
    one.count([raw("p", [line("a", 10)])._replace(ended=True), raw("q", [line("b", 10)])])
    assert set(one._places) == {"q"}
