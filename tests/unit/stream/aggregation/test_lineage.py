"""Partitions that are split or merged: children wait for their parents and inherit their mark."""

from __future__ import annotations

from typing import Any

from detectors.decisions.judge import Judge
from detectors.decisions.rules import Rules
from stream.aggregation.aggregator import Aggregator
from stream.aggregation.ledger import Account
from stream.aggregation.state import IncompleteSpan, JobState
from stream.dedupe.filter import Dedupe
from stream.dedupe.index import DEDUPE_OFF, IdIndex, RememberedIds
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
from tests.support.records import covered_range, job_settings
from tests.support.stores import MemoryIds, MemoryPanes

SETTINGS = job_settings(window_ms=10, every_ms=10, grace_ms=0, lateness_ms=100, idle_ms=50)
A = DiscoveredPartition("a", 0)
B = DiscoveredPartition("b", 0)
MERGED = DiscoveredPartition("c", 0, ("a", "b"))


def started(ids: RememberedIds = DEDUPE_OFF) -> Aggregator:
    judge = Judge("j", Rules())
    return Aggregator(
        settings=SETTINGS, baselines={}, judge=judge, state=JobState(), panes=MemoryPanes(), ids=ids
    )


def step(job: Aggregator, *items: Item) -> list[Output]:
    return [output for item in items for output in job.step(item)]


def partial(cover: CoveredRange) -> Partial:
    return Partial(covers=(cover,), layouts={})


def read(partition: str, first: int, stop: int, mark_ms: int, **fields: Any) -> Partial:
    """A partial of records that cannot be decoded but have a time."""
    outcomes = {"undecodable": stop - first}
    cover = covered_range(
        partition, first, stop - first, mark_ms, outcomes=outcomes, rows=0, **fields
    )
    return partial(cover)


def ends(partition: str, first: int, stop: int, mark_ms: int) -> Partial:
    """The last records of a parent, whose child is ``c``."""
    return read(partition, first, stop, mark_ms, ended=True, children=(MERGED,))


def test_a_merged_child_is_read_after_both_parents_with_the_smaller_mark() -> None:
    job = started()
    step(job, A, B)
    assert step(job, ends("a", 0, 3, 70)) == []
    assert step(job, read("b", 0, 2, 40)) == []
    assert step(job, ends("b", 2, 5, 90)) == [Assign(claim=1, partition="c", next=0, mark_ms=70)]


def test_the_watermark_waits_for_a_child_from_the_end_of_its_first_parent_on() -> None:
    job = started()
    step(job, A, B, read("b", 0, 1, 500), ends("a", 0, 3, 70))
    assert job.state.watermark_ms == 70
    step(job, read("b", 1, 2, 900))
    assert job.state.watermark_ms == 70


def test_a_partial_of_a_waiting_child_is_refused_and_not_assigned_again() -> None:
    """The partial comes from a reader of an owner that crashed before it committed."""
    job = started()
    step(job, A, B, MERGED)
    assert step(job, read("c", 0, 2, 95, claim=0)) == []
    assert (job.state.partitions["c"].next, job.state.ledger.partials_dropped) == (0, 1)
    assert step(job, ends("a", 0, 3, 70), ends("b", 0, 5, 90)) == [
        Assign(claim=1, partition="c", next=0, mark_ms=70)
    ]


def test_a_gap_in_a_waiting_child_is_ignored() -> None:
    job = started()
    step(job, A, B, MERGED)
    assert step(job, Gap(partition="c", expected=0, resume=7, lost=7, reason="retention")) == []
    assert (job.state.partitions["c"].next, job.state.ledger.gaps) == (0, 0)


def test_an_ended_partition_is_not_read_again_when_its_end_is_reported_twice() -> None:
    job = started()
    step(job, A)
    last = ends("a", 0, 3, 70)
    step(job, last)
    assert step(job, last) == []
    assert step(job, ends("a", 3, 3, 70)) == []
    assert job.state.ledger.partials_dropped == 2


def test_a_report_from_before_a_pause_does_not_make_a_partition_idle_after_it() -> None:
    """Messages of a reader process wait in its pipe while the service is paused."""
    job = started()
    step(job, A, Tick(1_000), read("a", 0, 1, 990, at_end=True))
    from_before_the_pause = read("a", 1, 1, 990, at_end=True)
    step(job, Tick(5_000), from_before_the_pause, Tick(5_010))
    assert not job.state.partitions["a"].idle
    assert job.state.watermark_ms == 990


def remembering(*seen: SeenIds) -> IdIndex:
    """An index with a horizon of a second that remembers these ids."""
    ids = IdIndex(Dedupe(horizon="1s"), MemoryIds())
    ids.take(seen)
    return ids


def test_a_child_that_is_discovered_after_its_parents_ended_inherits_their_ids() -> None:
    job = started(remembering(SeenIds("a", 0, b"of a....")))
    step(job, A, ends("a", 0, 3, 70))
    (assigned,) = step(job, DiscoveredPartition("d", 0, ("a",)))
    assert assigned == Assign(
        claim=1, partition="d", next=0, mark_ms=70, seen=(SeenIds("d", 0, b"of a...."),)
    )


def test_ids_of_an_ended_partition_are_dropped_when_the_watermark_passes_the_horizon() -> None:
    ids = remembering(SeenIds("a", 0, b"of a...."))
    job = started(ids)
    step(job, A, ends("a", 0, 3, 70), DiscoveredPartition("d", 0, ("a",)))
    step(job, B, ends("b", 0, 3, 5_000), read("c", 0, 1, 5_000))
    step(job, read("d", 0, 1, 1_199))
    assert ids.of("a") == (SeenIds("a", 0, b"of a...."),)
    step(job, read("d", 1, 2, 1_200))
    assert [ids.of(name) for name in ("a", "c", "d")] == [(), (), ()]


def test_expired_partitions_share_one_account_of_the_ledger() -> None:
    job = started()
    step(job, A, B, ends("a", 0, 3, 70), ends("b", 0, 5, 90), read("c", 0, 1, 95))
    watermark_ms = job.state.watermark_ms
    expired = [PartitionsExpired(("a",)), PartitionsExpired(("b", "c", "never discovered"))]
    assert step(job, *expired) == []
    assert set(job.state.partitions) == {"c"}
    assert job.state.ledger.partitions == {
        "ended": Account(8, {"undecodable": 8}),
        "c": Account(1, {"undecodable": 1}),
    }
    assert (job.state.ledger.imbalance(), job.state.watermark_ms) == ({}, watermark_ms)
    assert step(job, read("a", 3, 4, 99)) == []
    assert job.state.ledger.partials_dropped == 1


def test_an_ended_partition_is_kept_while_a_child_waits_for_its_other_parent() -> None:
    job = started()
    step(job, A, B, ends("a", 0, 3, 70), PartitionsExpired(("a",)))
    assert set(job.state.partitions) == {"a", "b", "c"}
    assert step(job, ends("b", 0, 2, 40)) == [Assign(claim=1, partition="c", next=0, mark_ms=40)]
    step(job, PartitionsExpired(("a",)))
    assert set(job.state.partitions) == {"b", "c"}


def test_a_gap_up_to_the_end_of_a_partition_is_closed_by_that_end() -> None:
    job = started()
    step(job, A, B, Tick(1_000), read("a", 0, 3, 70), read("b", 0, 3, 70))
    step(job, Gap(partition="a", expected=3, resume=99, lost=None, reason="retention"))
    assert set(job.state.open_gaps) == {"a"}
    step(job, partial(covered_range("a", 99, 0, 70, claim=2, outcomes={}, ended=True)))
    assert job.state.open_gaps == {}
    assert job.state.spans == [IncompleteSpan(70, 1_000, "gap in a")]


def test_an_ended_partition_is_kept_while_its_ids_are_remembered() -> None:
    ids = remembering(SeenIds("a", 0, b"of a...."))
    job = started(ids)
    step(job, A, ends("a", 0, 3, 70), PartitionsExpired(("a",)))
    assert "a" in job.state.partitions
    step(job, B, ends("b", 0, 3, 5_000), read("c", 0, 1, 5_000), PartitionsExpired(("a",)))
    assert "a" not in job.state.partitions
    assert ids.of("a") == ()
