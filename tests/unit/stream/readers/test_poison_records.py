"""A poison record is located within a few crashes, and a single crash has no lasting effect."""

from __future__ import annotations

import pytest

from stream.events import Position
from stream.readers.poison_records import TRUSTED_RECORDS, PoisonRecordSearch


def crashes_until_skipped(poison: int, size: int) -> tuple[int, list[tuple[str, Position]]]:
    """The number of crashes until a record is skipped, and that record, with a minimal reader."""
    search = PoisonRecordSearch()
    position = 0
    crashes = 0
    while crashes < 50:
        if to_skip := search.to_skip(["p"]):
            return crashes, to_skip
        stop = min(position + (search.max_records(["p"]) or size), size)
        if position <= poison < stop:
            crashes += 1
            search.crashed_decoding([("p", position)])
        else:
            search.counted("p", stop - position)
            position = stop
    pytest.fail("the poison record was never located")


@pytest.mark.parametrize("poison", [0, 1, 63, 64, 65, 2_500, 4_999])
def test_the_poison_record_and_no_other_is_skipped_after_six_crashes(poison: int) -> None:
    assert crashes_until_skipped(poison, 5_000) == (6, [("p", poison)])


def test_a_single_crash_has_no_effect_and_is_soon_discounted() -> None:
    search = PoisonRecordSearch()
    search.crashed_decoding([("p", 7), ("q", 9)])
    assert search.max_records(["p", "q"]) == 0
    search.counted("p", 100)
    search.crashed_decoding([("p", 107)])
    assert search.max_records(["p"]) == 0


def test_a_crash_while_nothing_is_decoded_makes_no_partition_suspect() -> None:
    search = PoisonRecordSearch()
    for _ in range(9):
        search.crashed_decoding([])
    assert (search.max_records(["p"]), search.to_skip(["p"])) == (0, [])


def test_crashes_at_changing_records_skip_no_record() -> None:
    search = PoisonRecordSearch()
    for position in range(40):
        search.crashed_decoding([("p", position)])
        assert search.to_skip(["p"]) == []


def test_a_partition_is_trusted_again_after_enough_records() -> None:
    search = PoisonRecordSearch()
    for _ in range(3):
        search.crashed_decoding([("p", 0)])
    search.counted("p", TRUSTED_RECORDS - 1)
    assert search.max_records(["p"]) == 1
    search.counted("p", 1)
    assert search.max_records(["p"]) == 0


def test_all_partitions_are_trusted_again_when_the_poison_record_is_skipped() -> None:
    search = PoisonRecordSearch()
    for _ in range(3):
        search.crashed_decoding([("p", 0), ("q", 0)])
    for _ in range(3):
        search.crashed_decoding([("p", 4)])
    assert search.to_skip(["p", "q"]) == [("p", 4)]
    search.counted("p", 1)
    assert (search.max_records(["p", "q"]), search.to_skip(["p"])) == (0, [])


def crashes_until_given_up(poison: int, size: int) -> tuple[int, list[tuple[str, Position]]]:
    """The number of crashes until a record is given up, and that record.

    The minimal source crashes while it fetches a batch that holds the record.
    """
    search = PoisonRecordSearch()
    position = 0
    crashes = 0
    while crashes < 50:
        fetching: dict[str, Position] = {"p": position}
        while not position <= poison < position + (records := search.max_records(["p"]) or size):
            fetching = {}
            position = position + records
            search.counted("p", records)
        crashes += 1
        if unreadable := search.crashed_fetching(fetching):
            return crashes, unreadable
    pytest.fail("the record was never given up")


@pytest.mark.parametrize("poison", [0, 1, 63, 64, 65, 2_500, 4_999])
def test_a_record_that_crashes_its_source_is_named_after_ten_crashes(poison: int) -> None:
    crashes, unreadable = crashes_until_given_up(poison, 5_000)
    assert unreadable == [("p", poison)]
    assert crashes <= 10


def test_crashes_of_readers_that_make_progress_give_up_no_record() -> None:
    """Readers are killed from outside: most have fetched everything, others crash further on."""
    search = PoisonRecordSearch()
    for position in range(100):
        assert search.crashed_fetching({"p": position, "q": position}) == []
        search.counted("p", 1)
        search.counted("q", 1)


def test_a_partition_that_returns_records_in_between_is_not_named() -> None:
    search = PoisonRecordSearch()
    unreadable = []
    for k in range(12):
        fetching: dict[str, Position] = {"culprit": 7}
        if k % 2:
            fetching["neighbour"] = 9
        unreadable += search.crashed_fetching(fetching)
        search.counted("neighbour", int(k % 3 == 2))
    assert {partition for partition, _ in unreadable} == {"culprit"}


def test_partitions_suspected_by_chance_while_fetching_are_trusted_again_together() -> None:
    partitions = [f"p{k}" for k in range(1_000)]
    search = PoisonRecordSearch()
    for _ in range(3):
        search.crashed_fetching(dict.fromkeys(partitions, 0))
    assert search.max_records(partitions) == 1
    for k in range(6_000):
        search.counted(partitions[k % 1_000], 1)
    assert search.max_records(partitions) == 0


def test_a_partition_that_is_read_to_its_end_is_trusted_again() -> None:
    search = PoisonRecordSearch()
    for _ in range(3):
        search.crashed_fetching({"p": 0})
    search.counted("p", 0, at_end=True)
    assert search.max_records(["p"]) == 0
