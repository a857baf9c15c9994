"""What of a partition is surely of the topic that it seems to be, and what of a new one was read
before it was noticed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream.sources.kafka.client import RecordColumns
from stream.sources.kafka.positions import TopicPosition, VerifiedOffsets


def chunk(start: int, stop: int) -> RecordColumns:
    count = stop - start
    return RecordColumns(
        [*range(start, stop)],
        [0] * count,
        [b"%d" % n for n in range(start, stop)],
        [None] * count,
        [],
    )


@given(st.integers(0, 50), st.integers(0, 50), st.lists(st.integers(1, 20), max_size=8))
def test_offsets_that_were_had_are_passed_over_however_the_log_is_cut(
    start: int, length: int, sizes: list[int]
) -> None:
    had = (start, start + length)
    place, out = TopicPosition.of(TopicPosition("id", 0, had).position), list[int]()  # type: ignore[arg-type]
    for size in sizes:
        came = chunk(place.offset, place.offset + size)
        out += place.new(came).offsets
        place = TopicPosition.of(place._replace(offset=place.offset + size).position)  # type: ignore[arg-type]
    assert out == [n for n in range(sum(sizes)) if not had[0] <= n < had[1]]


def test_only_what_was_read_before_a_look_that_found_the_id_is_sure() -> None:
    sure = VerifiedOffsets("id", 5)
    sure.read(20, 1.0)
    sure.read(40, 2.0)
    sure.looked("id", 1.5)
    assert (sure.offset, sure.unsure_s(2.5)) == (20, 0.5)
    sure.looked("another", 3.0)
    assert sure.offset == 20
    sure.looked("id", 3.0)
    assert (sure.offset, sure.unsure_s(9.0)) == (40, 0.0)


def test_what_is_read_again_is_in_doubt_again() -> None:
    sure = VerifiedOffsets("id", 0)
    sure.read(20, 1.0)
    sure.looked("id", 1.5)
    assert sure.again("id", 10).offset == 10
    assert sure.again("id", 90).offset == 90
    assert sure.again("another", 7).offset == 7
