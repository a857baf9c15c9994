"""Partitions that are split and merged: children wait for their parents, and start with their mark."""

from __future__ import annotations

from detectors.decisions.judge import Judge
from detectors.decisions.rules import Rules
from stream.aggregation.aggregator import Aggregator
from stream.aggregation.ledger import Account
from stream.aggregation.panes import MemoryPanes
from stream.aggregation.state import IncompleteSpan, JobState
from stream.dedupe.filter import Dedupe
from stream.dedupe.id_store import MemoryIds
from stream.dedupe.index import IdIndex
from stream.event_time import JobSettings
from stream.events import (
    Assign,
    CoveredRange,
    DiscoveredPartition,
    Gap,
    Item,
    Output,
    Partial,
    PartitionsExpired,
    SeenIds,
    Tick,
)

SETTINGS = JobSettings(job="j", window_ms=10, every_ms=10, grace_ms=0, lateness_ms=100, idle_ms=50)
C = DiscoveredPartition("c", 0, ("a", "b"))


def job(memory: IdIndex | None = None) -> Aggregator:
    return Aggregator(SETTINGS, {}, Judge("j", Rules()), JobState(), MemoryPanes(), memory=memory)


def do(made: Aggregator, *items: Item) -> list[Output]:
    return [output for item in items for output in made.step(item)]


def read(
    name: str,
    first: int,
    stop: int,
    mark_ms: int,
    *,
    claim: int = 1,
    ended: bool = False,
    at_end: bool = False,
) -> Partial:
    count, children = stop - first, (C,) if ended and name != "c" else ()
    cover = CoveredRange(
        name,
        claim,
        first,
        stop,
        mark_ms,
        at_end,
        count,
        {"undecodable": count},
        count,
        0,
        None,
        ended,
        children,
    )
    return Partial((cover,), {}, [], [])


def test_a_child_of_a_merge_is_read_when_both_parents_are_at_their_end_with_the_smaller_mark() -> (
    None
):
    made = job()
    do(made, DiscoveredPartition("a", 0), DiscoveredPartition("b", 0))
    assert do(made, read("a", 0, 3, 70, ended=True)) == []
    assert do(made, read("b", 0, 2, 40)) == []
    assert do(made, read("b", 2, 5, 90, ended=True)) == [Assign(1, "c", 0, 70)]


def test_the_watermark_waits_for_a_child_from_the_moment_its_first_parent_ends() -> None:
    made = job()
    do(
        made,
        DiscoveredPartition("a", 0),
        DiscoveredPartition("b", 0),
        read("b", 0, 1, 500),
        read("a", 0, 3, 70, ended=True),
    )
    assert made.state.watermark_ms == 70
    do(made, read("b", 1, 2, 900))
    assert made.state.watermark_ms == 70


def test_a_partial_of_a_child_that_waits_is_refused_and_asks_for_nothing() -> None:
    """A reader of an owner that died before its last commit: the parents are not at their ends any
    more, as far as we know."""
    made = job()
    do(made, DiscoveredPartition("a", 0), DiscoveredPartition("b", 0), C)
    assert do(made, read("c", 0, 2, 95, claim=0)) == []
    assert (made.state.partitions["c"].next, made.state.ledger.partials_dropped) == (0, 1)
    assert do(made, read("a", 0, 3, 70, ended=True), read("b", 0, 5, 90, ended=True)) == [
        Assign(1, "c", 0, 70)
    ]


def test_a_gap_in_a_child_that_waits_moves_nothing() -> None:
    made = job()
    do(made, DiscoveredPartition("a", 0), DiscoveredPartition("b", 0), C)
    assert do(made, Gap("c", 0, 7, 7, "retention")) == []
    assert (made.state.partitions["c"].next, made.state.ledger.gaps) == (0, 0)


def test_the_end_of_a_partition_that_is_told_twice_is_no_reason_to_read_it_again() -> None:
    made = job()
    do(made, DiscoveredPartition("a", 0))
    last = read("a", 0, 3, 70, ended=True)
    do(made, last)
    assert do(made, last) == []
    assert do(made, read("a", 3, 3, 70, ended=True)) == []
    assert made.state.ledger.partials_dropped == 2


def test_a_word_from_before_a_pause_does_not_make_a_partition_idle_after_it() -> None:
    """What a reader process has said waits in its pipe while the service is paused, and is taken at
    another time than it was said."""
    made = job()
    do(made, DiscoveredPartition("a", 0), Tick(1_000), read("a", 0, 1, 990, at_end=True))
    before_the_pause = read("a", 1, 1, 990, at_end=True)
    do(made, Tick(5_000), before_the_pause, Tick(5_010))
    assert not made.state.partitions["a"].idle
    assert made.state.watermark_ms == 990


def knowing(*seen: SeenIds) -> IdIndex:
    """A memory with a horizon of a second that has these ids."""
    memory = IdIndex(Dedupe(horizon="1s"), MemoryIds())
    memory.take(seen)
    return memory


def test_a_child_that_is_found_after_its_parents_ended_knows_what_they_knew() -> None:
    made = job(knowing(SeenIds("a", 0, b"of a....")))
    do(made, DiscoveredPartition("a", 0), read("a", 0, 3, 70, ended=True))
    (assigned,) = do(made, DiscoveredPartition("d", 0, ("a",)))
    assert assigned == Assign(1, "d", 0, 70, (SeenIds("d", 0, b"of a...."),))


def test_what_an_ended_partition_knew_is_let_go_once_the_watermark_is_past_the_horizon() -> None:
    memory = knowing(SeenIds("a", 0, b"of a...."))
    made = job(memory)
    do(
        made,
        DiscoveredPartition("a", 0),
        read("a", 0, 3, 70, ended=True),
        DiscoveredPartition("d", 0, ("a",)),
    )
    do(
        made,
        DiscoveredPartition("b", 0),
        read("b", 0, 3, 5_000, ended=True),
        read("c", 0, 1, 5_000),
    )
    do(made, read("d", 0, 1, 1_199))
    assert memory.ids.of("a") == [SeenIds("a", 0, b"of a....")]
    do(made, read("d", 1, 2, 1_200))
    assert [memory.ids.of(name) for name in ("a", "c", "d")] == [[], [], []]


def test_an_ended_partition_that_the_source_does_not_have_any_more_is_one_account_with_all_others() -> (
    None
):
    made = job()
    do(
        made,
        DiscoveredPartition("a", 0),
        DiscoveredPartition("b", 0),
        read("a", 0, 3, 70, ended=True),
        read("b", 0, 5, 90, ended=True),
        read("c", 0, 1, 95),
    )
    marks = made.state.watermark_ms
    assert (
        do(made, PartitionsExpired(("a",)), PartitionsExpired(("b", "c", "never heard of"))) == []
    )
    assert set(made.state.partitions) == {"c"}
    assert made.state.ledger.partitions == {
        "ended": Account(8, {"undecodable": 8}),
        "c": Account(1, {"undecodable": 1}),
    }
    assert (made.state.ledger.imbalance(), made.state.watermark_ms) == ({}, marks)
    assert do(made, read("a", 3, 4, 99)) == []
    assert made.state.ledger.partials_dropped == 1


def test_an_ended_partition_stays_while_a_child_waits_for_its_other_parent() -> None:
    made = job()
    do(
        made,
        DiscoveredPartition("a", 0),
        DiscoveredPartition("b", 0),
        read("a", 0, 3, 70, ended=True),
        PartitionsExpired(("a",)),
    )
    assert set(made.state.partitions) == {"a", "b", "c"}
    assert do(made, read("b", 0, 2, 40, ended=True)) == [Assign(1, "c", 0, 40)]
    do(made, PartitionsExpired(("a",)))
    assert set(made.state.partitions) == {"b", "c"}


def test_a_gap_to_the_end_of_a_partition_ends_with_it() -> None:
    made = job()
    do(
        made,
        DiscoveredPartition("a", 0),
        DiscoveredPartition("b", 0),
        Tick(1_000),
        read("a", 0, 3, 70),
        read("b", 0, 3, 70),
    )
    do(made, Gap("a", 3, 99, None, "retention"))
    assert set(made.state.open_gaps) == {"a"}
    do(
        made,
        Partial((CoveredRange("a", 2, 99, 99, 70, False, 0, {}, 0, 0, None, True),), {}, [], []),
    )
    assert made.state.open_gaps == {}
    assert made.state.spans == [IncompleteSpan(70, 1_000, "gap in a")]


def test_an_ended_partition_stays_while_its_ids_are_remembered() -> None:
    memory = knowing(SeenIds("a", 0, b"of a...."))
    made = job(memory)
    do(
        made,
        DiscoveredPartition("a", 0),
        read("a", 0, 3, 70, ended=True),
        PartitionsExpired(("a",)),
    )
    assert "a" in made.state.partitions
    do(
        made,
        DiscoveredPartition("b", 0),
        read("b", 0, 3, 5_000, ended=True),
        read("c", 0, 1, 5_000),
        PartitionsExpired(("a",)),
    )
    assert "a" not in made.state.partitions
    assert memory.ids.of("a") == []
