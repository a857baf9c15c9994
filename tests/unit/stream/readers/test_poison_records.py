"""The record that kills its readers is found in a few deaths; one death, or an innocent neighbour,
costs nothing for long."""

from __future__ import annotations

import pytest

from stream.events import Position
from stream.readers.poison_records import PASSED, PoisonRecordSearch


def deaths_until_skipped(deadly: int, size: int) -> tuple[int, list[tuple[str, Position]]]:
    """How many readers die until the deadly record is skipped, and which position is skipped: a
    reader in a few lines."""
    suspects, at, deaths = PoisonRecordSearch(), 0, 0
    while deaths < 50:
        if skipped := suspects.skipped(["p"]):
            return deaths, skipped
        step = suspects.step(["p"]) or size
        stop = min(at + step, size)
        if at <= deadly < stop:
            deaths += 1
            suspects.died([("p", at)])
        else:
            suspects.passed("p", stop - at)
            at = stop
    pytest.fail("never found")


@pytest.mark.parametrize("deadly", [0, 1, 63, 64, 65, 2_500, 4_999])
def test_the_deadly_record_and_no_other_is_skipped_after_six_deaths(deadly: int) -> None:
    assert deaths_until_skipped(deadly, 5_000) == (6, [("p", deadly)])


def test_one_death_is_followed_by_a_usual_try_and_then_forgotten() -> None:
    suspects = PoisonRecordSearch()
    suspects.died([("p", 7), ("q", 9)])
    assert suspects.step(["p", "q"]) == 0
    suspects.passed("p", 100)
    suspects.died([("p", 107)])
    assert suspects.step(["p"]) == 0


def test_a_death_while_nothing_is_counted_blames_nobody() -> None:
    suspects = PoisonRecordSearch()
    for _ in range(9):
        suspects.died([])
    assert (suspects.step(["p"]), suspects.skipped(["p"])) == (0, [])


def test_deaths_at_changing_records_never_skip_one() -> None:
    suspects = PoisonRecordSearch()
    for position in range(40):
        suspects.died([("p", position)])
        assert suspects.skipped(["p"]) == []


def test_a_partition_is_trusted_again_after_enough_records() -> None:
    suspects = PoisonRecordSearch()
    for _ in range(3):
        suspects.died([("p", 0)])
    suspects.passed("p", PASSED - 1)
    assert suspects.step(["p"]) == 1
    suspects.passed("p", 1)
    assert suspects.step(["p"]) == 0


def test_when_the_culprit_is_skipped_all_others_are_trusted_again() -> None:
    suspects = PoisonRecordSearch()
    for _ in range(3):
        suspects.died([("p", 0), ("q", 0)])
    for _ in range(3):
        suspects.died([("p", 4)])
    assert suspects.skipped(["p", "q"]) == [("p", 4)]
    suspects.passed("p", 1)
    assert (suspects.step(["p", "q"]), suspects.skipped(["p"])) == (0, [])


def deaths_until_given_up(deadly: int, size: int) -> tuple[int, list[tuple[str, Position]]]:
    """How many readers die until nobody asks any more, and where: a source in a few lines that dies
    with a batch that holds the record."""
    suspects, at, deaths = PoisonRecordSearch(), 0, 0
    while deaths < 50:
        asked: dict[str, Position] = {"p": at}
        while not at <= deadly < at + (step := suspects.step(["p"]) or size):
            asked, at = {}, at + step
            suspects.passed("p", step)
        deaths += 1
        if stuck := suspects.died_unread(asked):
            return deaths, stuck
    pytest.fail("never given up")


@pytest.mark.parametrize("deadly", [0, 1, 63, 64, 65, 2_500, 4_999])
def test_the_record_that_its_source_dies_of_is_named_after_ten_deaths(deadly: int) -> None:
    deaths, stuck = deaths_until_given_up(deadly, 5_000)
    assert stuck == [("p", deadly)]
    assert deaths <= 10


def test_deaths_where_records_come_meanwhile_give_nothing_up() -> None:
    """Somebody kills readers while all is well: most die with nothing unread, the others each at
    another place."""
    suspects = PoisonRecordSearch()
    for position in range(100):
        assert suspects.died_unread({"p": position, "q": position}) == []
        suspects.passed("p", 1)
        suspects.passed("q", 1)


def test_a_neighbour_that_gives_something_in_between_is_not_named() -> None:
    suspects, told = PoisonRecordSearch(), []
    for k in range(12):
        told += suspects.died_unread({"culprit": 7, "neighbour": 9} if k % 2 else {"culprit": 7})
        suspects.passed("neighbour", int(k % 3 == 2))
    assert {name for name, _ in told} == {"culprit"}


def test_partitions_that_were_asked_in_vain_by_chance_are_trusted_again_together() -> None:
    names = [f"p{k}" for k in range(1_000)]
    suspects = PoisonRecordSearch()
    for _ in range(3):
        suspects.died_unread(dict.fromkeys(names, 0))
    assert suspects.step(names) == 1
    for k in range(6_000):
        suspects.passed(names[k % 1_000], 1)
    assert suspects.step(names) == 0


def test_a_partition_that_is_read_to_its_end_is_trusted_again() -> None:
    suspects = PoisonRecordSearch()
    for _ in range(3):
        suspects.died_unread({"p": 0})
    suspects.passed("p", 0, at_end=True)
    assert suspects.step(["p"]) == 0
