"""Verified offsets, and offsets of a recreated topic that were read before it was detected."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream.sources.kafka.client import RecordColumns
from stream.sources.kafka.positions import TopicPosition, VerifiedOffsets


def chunk(start: int, stop: int) -> RecordColumns:
    count = stop - start
    return RecordColumns(
        offsets=[*range(start, stop)],
        timestamps=[0] * count,
        values=[b"%d" % n for n in range(start, stop)],
        keys=[None] * count,
        headers=[],
    )


@given(st.integers(0, 50), st.integers(0, 50), st.lists(st.integers(1, 20), max_size=8))
def test_already_read_offsets_are_skipped_however_the_log_is_divided(
    start: int, length: int, sizes: list[int]
) -> None:
    already_read = range(start, start + length)
    position = parsed(TopicPosition("id", 0, (start, start + length)))
    offsets: list[int] = []
    for size in sizes:
        following = position.offset + size
        offsets += position.unread(chunk(position.offset, following)).offsets
        position = parsed(position._replace(offset=following))
    assert offsets == [offset for offset in range(sum(sizes)) if offset not in already_read]


def parsed(position: TopicPosition) -> TopicPosition:
    """The position as it is read back from the state."""
    stored = position.position
    assert isinstance(stored, tuple)
    return TopicPosition.of(stored)


def test_offsets_read_before_an_observation_of_the_same_id_are_verified() -> None:
    verified = VerifiedOffsets("id", 5)
    verified.note_read(20, 1.0)
    verified.note_read(40, 2.0)
    verified.note_observation("id", 1.5)
    assert (verified.offset, verified.unverified_s(2.5)) == (20, 0.5)
    verified.note_observation("another", 3.0)
    assert verified.offset == 20
    verified.note_observation("id", 3.0)
    assert (verified.offset, verified.unverified_s(9.0)) == (40, 0.0)


def test_offsets_that_are_read_again_must_be_verified_again() -> None:
    verified = VerifiedOffsets("id", 0)
    verified.note_read(20, 1.0)
    verified.note_observation("id", 1.5)
    assert verified.resumed("id", 10).offset == 10
    assert verified.resumed("id", 90).offset == 90
    assert verified.resumed("another", 7).offset == 7
