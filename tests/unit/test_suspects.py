"""Which record kills its readers: found in few deaths, never blamed on chance."""

from __future__ import annotations

from random import Random

from stream.suspects import CERTAIN, PASSED, STEPS, Suspects


def deaths(suspects: Suspects, count: int, *began: tuple[str, int]) -> None:
    for _ in range(count):
        suspects.died([*began])


def test_a_single_death_changes_nothing() -> None:
    suspects = Suspects()
    suspects.died([("p", 0)])
    assert (suspects.step(["p"]), suspects.skipped(["p"])) == (0, [])


def test_a_reader_that_died_while_it_counted_nothing_is_no_sign() -> None:
    suspects = Suspects()
    for _ in range(20):
        suspects.died([])
    assert (suspects.step(["p"]), suspects.skipped(["p"])) == (0, [])


def test_each_death_in_a_range_makes_the_next_reading_more_careful() -> None:
    suspects, steps = Suspects(), []
    for _ in range(6):
        suspects.died([("p", 0)])
        steps.append(suspects.step(["p"]))
    assert steps == [0, 64, 1, 1, 1, 1]


def test_other_partitions_are_read_as_before() -> None:
    suspects = Suspects()
    deaths(suspects, 3, ("p", 0))
    assert suspects.step(["q"]) == 0
    assert suspects.step(["q", "p"]) == 1


def test_a_record_is_skipped_after_three_deaths_at_it_alone() -> None:
    suspects = Suspects()
    deaths(suspects, 3, ("p", 0))
    suspects.passed("p", 17)
    deaths(suspects, CERTAIN - 1, ("p", 17))
    assert suspects.skipped(["p"]) == []
    suspects.died([("p", 17)])
    assert suspects.skipped(["p", "q"]) == ["p"]


def test_deaths_at_different_records_condemn_none_of_them() -> None:
    suspects = Suspects()
    for at in range(200):
        suspects.died([("p", at)])
        assert suspects.skipped(["p"]) == []


def test_deaths_over_records_of_two_partitions_condemn_neither() -> None:
    suspects = Suspects()
    deaths(suspects, 20, ("p", 0), ("q", 0))
    assert suspects.skipped(["p", "q"]) == []
    assert suspects.step(["p"]) == suspects.step(["q"]) == 1


def test_one_death_by_chance_is_forgotten_with_the_first_result() -> None:
    suspects = Suspects()
    for at in range(0, 100_000, 5_000):
        suspects.died([("p", at)])
        suspects.passed("p", 5_000)
        assert suspects.step(["p"]) == 0


def test_a_partition_is_trusted_again_after_as_many_records_as_a_reader_counts_at_a_time() -> None:
    suspects = Suspects()
    deaths(suspects, 2, ("p", 0))
    for k in range(PASSED // STEPS[2]):
        assert suspects.step(["p"]) == STEPS[2], k
        suspects.passed("p", STEPS[2])
    suspects.passed("p", STEPS[2])
    assert suspects.step(["p"]) == 0


def test_all_are_trusted_again_once_the_culprit_is_skipped() -> None:
    suspects = Suspects()
    deaths(suspects, 3, ("p", 0), ("q", 0))
    deaths(suspects, CERTAIN, ("p", 5))
    assert suspects.skipped(["p"]) == ["p"]
    suspects.passed("p", 1)
    assert suspects.step(["p", "q"]) == 0


def test_nothing_read_is_no_reason_to_trust() -> None:
    suspects = Suspects()
    deaths(suspects, 3, ("p", 0))
    suspects.passed("p", 0)
    assert suspects.step(["p"]) == 1


def read(random: Random, records: int, deadly: set[int]) -> tuple[list[int], int]:
    """A reader of one partition that is killed by deadly records, and now and then by chance; who was skipped, and how many died."""
    suspects, at, skipped, died = Suspects(), 0, list[int](), 0
    while at < records:
        if suspects.skipped(["p"]):
            skipped.append(at)
            suspects.passed("p", 1)
            at += 1
            continue
        stop = min(at + (suspects.step(["p"]) or PASSED), records)
        if random.random() < 0.002 or deadly & set(range(at, stop)):
            died += 1
            suspects.died([("p", at)])
        else:
            suspects.passed("p", stop - at)
            at = stop
    return skipped, died


def test_exactly_the_deadly_records_are_skipped_wherever_they_lie() -> None:
    """Each costs at most six deaths and those by chance: two to notice, one at the step of 64, three at the record."""
    for seed in range(60):
        random = Random(seed)
        deadly = set(random.sample(range(12_000), random.randint(0, 4)))
        skipped, died = read(random, 12_000, deadly)
        assert skipped == sorted(deadly)
        assert died <= 6 * len(deadly) + 40
