"""Each record and each byte that a reader receives has one outcome in the covered range."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from msgspec.structs import replace

from stream.baselining.columns import ModelColumns
from stream.dedupe.filter import Dedupe
from stream.events import Assign, CoveredRange, DiscoveredPartition, Partial
from stream.formats.sagemaker.format import Sagemaker
from stream.readers.covers import join_covers, locate_records, record_bounds, skipped_range
from stream.readers.plan import ReadingPlan
from stream.readers.reader import Reader
from stream.testing.records import raw_batch
from tests.property.test_formats_equal_the_oracle import MODEL, ORIGIN
from tests.support.records import NoSource, covered_range, job_settings

LENGTH = 189
"""Bytes of a line."""


def line(event_id: str, minute: int, padding: int = 0) -> bytes:
    """A capture whose id is a letter, followed by ``padding`` blanks."""
    data = (
        b'"endpointInput":{"data":"1.5,2,a","encoding":"CSV"},'
        b'"endpointOutput":{"data":"0.5","encoding":"CSV"}'
    )
    metadata = b'"eventMetadata":{"eventId":"%b","inferenceTime":"2025-06-15T15:%02d:00Z"}' % (
        event_id.encode(),
        minute,
    )
    return b'{"captureData":{%b},%b}' % (data, metadata) + b" " * padding


def started() -> Reader:
    """A reader that detects duplicates and holds the partitions ``p`` and ``q``."""
    form = Sagemaker()
    reader = Reader(NoSource(), form, ORIGIN, job_settings(), dedupe=Dedupe(horizon="1h"))
    reader.use(ReadingPlan({"m": ModelColumns(MODEL.outputs, MODEL.inputs, MODEL.layout)}, form))
    reader.assign(
        [
            Assign(claim=1, partition="p", next=0, mark_ms=None),
            Assign(claim=1, partition="q", next=0, mark_ms=None),
        ]
    )
    return reader


def covers_of(partial: Partial) -> dict[str, CoveredRange]:
    return {cover.partition: cover for cover in partial.covers}


def test_a_line_has_the_expected_length() -> None:
    assert len(line("a", 10)) == LENGTH
    assert len(line("b", 30, 7)) == LENGTH + 7


def test_records_and_bytes_are_counted_by_partition_and_outcome() -> None:
    mixed = [
        line("a", 10),
        line("b", 30, 9),
        line("a", 30, 1),
        b"no json",
        line("c", 11, 2),
        None,
        b"[]",
    ]
    covers = covers_of(started().fold([raw_batch(mixed), raw_batch([line("a", 10, 5)], "q")]))
    assert covers["p"].outcomes == {
        "accepted": 2,
        "duplicate": 1,
        "too_late": 1,
        "undecodable": 1,
        "tombstone": 1,
        "not_an_object": 1,
    }
    assert covers["p"].bytes == {
        "accepted": 2 * LENGTH + 9,
        "duplicate": LENGTH + 1,
        "too_late": LENGTH + 2,
        "undecodable": 7,
        "not_an_object": 2,
    }
    assert covers["q"].bytes == {"accepted": LENGTH + 5}


def test_batches_of_a_partition_are_added_up_and_an_empty_batch_adds_nothing() -> None:
    raws = [
        raw_batch([line("a", 10)]),
        raw_batch([b"no json"], first=1),
        raw_batch([], first=2),
        raw_batch([line("b", 10), line("a", 10, 3)], first=2),
    ]
    [cover] = started().fold(raws).covers
    assert (cover.first, cover.next, cover.read) == (0, 4, 4)
    assert cover.bytes == {"accepted": 2 * LENGTH, "undecodable": 7, "duplicate": LENGTH + 3}


def test_the_bytes_of_skipped_records_are_counted() -> None:
    reader = started()
    reader.read_carefully(1, [("p", 0)])
    [partial] = reader.count([raw_batch([line("a", 10), None, b"1234"])])
    [cover] = partial.covers
    assert cover.outcomes == {"crashes_reader": 3}
    assert cover.bytes == {"crashes_reader": LENGTH + 4}
    assert [letter.length for letter in partial.dead_letters] == [LENGTH, 0, 4]


def test_an_ended_partition_is_removed_with_its_ids() -> None:
    reader = started()
    ended = replace(raw_batch([line("a", 10)]), ended=True)
    reader.count([ended, raw_batch([line("b", 10)], "q")])
    assert set(reader._assigned) == {"q"}


def test_records_are_located_in_their_batches() -> None:
    bounds = record_bounds([raw_batch([b"0", b"1"]), raw_batch([]), raw_batch([b"2", b"3", b"4"])])
    assert bounds.tolist() == [0, 2, 2, 5]
    assert locate_records(np.array([1, 2, 4]), bounds) == [(0, 1), (2, 0), (2, 2)]
    assert locate_records(np.array([], np.int64), bounds) == []


@pytest.mark.parametrize(("arrivals", "expected"), [((7, 9), 9), ((7, None), 7), ((None, 9), 9)])
def test_joined_ranges_add_up_and_keep_the_last_known_arrival(
    arrivals: tuple[int | None, int | None], expected: int
) -> None:
    before = covered_range("p", 0, 2, 50, bytes={"accepted": 20}, arrival_ms=arrivals[0])
    after = covered_range(
        "p", 2, 3, 70, outcomes={"accepted": 1, "too_late": 2}, arrival_ms=arrivals[1], at_end=True
    )
    joined = join_covers(before, after)
    assert (joined.first, joined.next, joined.read, joined.rows, joined.dated) == (0, 5, 5, 5, 5)
    assert Counter(joined.outcomes) == {"accepted": 3, "too_late": 2}
    assert (joined.mark_ms, joined.at_end, joined.arrival_ms) == (70, True, expected)
    assert joined.bytes == {"accepted": 20}


def test_a_skipped_range_ends_its_partition_if_nothing_follows_it() -> None:
    """A source reports once that a partition has ended: the report must not be lost."""
    child = DiscoveredPartition("r", 0, ("p",))
    cover = skipped_range(raw_batch([b"x"], ended=True, children=(child,)), claim=3, mark_ms=70)
    assert (cover.ended, cover.children) == (True, (child,))
    assert (cover.claim, cover.mark_ms, cover.dated, cover.rows) == (3, 70, 0, 0)


def test_accepted_records_and_their_bytes_are_split_by_pane() -> None:
    minute = 60_000
    values = [line("a", 11), line("b", 10, 9), line("a", 10), b"no json", line("c", 11, 2)]
    [cover] = started().fold([raw_batch(values)]).covers
    first = 1_750_000_200_000  # 2025-06-15T15:10:00Z
    assert cover.by_pane == {first: (1, LENGTH + 9), first + minute: (2, 2 * LENGTH + 2)}
    assert cover.outcomes["duplicate"] == 1
