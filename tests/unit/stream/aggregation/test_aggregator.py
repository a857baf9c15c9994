"""The aggregator, item by item: which partials it accepts, and how it changes baselines.

Schedules of faults are in ``tests/simulation``.
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from detectors.decisions.episode_state import EpisodeState, JudgedWindow
from detectors.report import WindowReport
from stream.aggregation.state import JobState
from stream.aggregation.variants import NamedVariants
from stream.event_time import LearningRule
from stream.events import (
    Assign,
    BaselineInstalled,
    DeadLetter,
    DeadLetters,
    DiscoveredPartition,
    ModelKey,
    Output,
    RemoveModel,
    ReplaceBaseline,
    Sample,
)
from tests.unit.stream.aggregation.job import (
    LAYOUT,
    OTHER,
    Job,
    M,
    baseline,
    reports,
    started,
    windows,
)


def installed(outputs: list[Output]) -> list[BaselineInstalled]:
    return [output for output in outputs if isinstance(output, BaselineInstalled)]


@pytest.mark.parametrize("first", [1, 3, -1], ids=["a hole", "a larger hole", "from before"])
def test_a_partial_at_an_unexpected_position_is_dropped_whole_and_its_partition_reassigned(
    first: int,
) -> None:
    job = started()
    assert job.step(job.partial([4, 30], first=first)) == [
        Assign(claim=2, partition="p", next=0, mark_ms=None)
    ]
    ledger = job.state.ledger
    assert (ledger.partials_dropped, ledger.total("accepted")) == (1, 0)
    assert list(job.panes.ids()) == []
    assert windows(job.send([4, 30])) == [(0, 10, 0, 1)]


def test_a_repeated_partial_is_dropped_and_its_partition_reassigned_only_once() -> None:
    job = started()
    partial = job.partial([4])
    job.step(partial)
    assert job.step(partial) == [Assign(claim=2, partition="p", next=1, mark_ms=4)]
    assert job.step(partial) == []
    assert job.state.ledger.total("accepted") == 1


def test_a_partial_is_accepted_for_all_of_its_partitions_or_for_none() -> None:
    job = started()
    job.step(DiscoveredPartition("q", 0))
    expected = job.partial([4])
    unexpected = job.partial([5], "q", first=9)
    both = replace(
        expected,
        covers=(*expected.covers, *unexpected.covers),
        profiles=[*expected.profiles, *unexpected.profiles],
    )
    assigned = {output.partition for output in job.step(both) if isinstance(output, Assign)}
    assert assigned == {"p", "q"}
    assert job.state.ledger.partitions == {}


def test_a_partial_counted_with_another_layout_is_dropped() -> None:
    job = started()
    job.step(job.partial([4], layout=OTHER))
    assert job.state.ledger.partials_dropped == 1


def test_a_partial_of_an_unknown_partition_is_dropped() -> None:
    job = started()
    job.assigned["ghost"] = Assign(claim=1, partition="ghost", next=0, mark_ms=None)
    assert job.step(job.partial([4], "ghost")) == []
    assert job.state.ledger.partials_dropped == 1


def test_bytes_enter_the_ledger_with_the_accepted_partial_and_survive_a_restart() -> None:
    job = started()
    job.step(job.partial([4, 30], first=1))
    assert job.state.ledger.bytes == {}
    job.send([4, 30])
    restarted = job.restarted()
    restarted.send([31])
    restarted.step(restarted.partial([31], first=0))
    assert restarted.state.ledger.bytes == {"accepted": 30}


def test_dead_letters_are_returned_only_for_an_accepted_partial() -> None:
    job = started()
    letter = DeadLetter(partition="p", position=0, reason="undecodable", length=3, sha256="aa")
    accepted = job.step(replace(job.partial([4]), dead_letters=[letter]))
    assert DeadLetters((letter,)) in accepted
    dropped = job.step(replace(job.partial([4], first=9), dead_letters=[letter]))
    assert not [output for output in dropped if isinstance(output, DeadLetters)]


def test_a_restarted_job_resumes_after_the_last_accepted_record() -> None:
    job = started()
    job.send([5, 17])
    restarted = job.restarted()
    assert restarted.assigned["p"] == Assign(claim=2, partition="p", next=2, mark_ms=17)
    assert windows(restarted.send([21])) == [(10, 20, 0, 1)]


def test_a_new_baseline_closes_open_windows_as_incomplete() -> None:
    job = started()
    job.send([5, 25])
    outputs = job.step(ReplaceBaseline("m", baseline(OTHER)))
    assert reports(outputs) == [(20, 30, 0, 1, "incomplete"), (10, 20, 1, 0, "no data")]
    assert [output.baseline.layout for output in installed(outputs)] == [OTHER]
    assert list(job.panes.ids()) == []
    job.step(job.partial([26], layout=LAYOUT))
    assert job.state.ledger.partials_dropped == 1
    job.assigned["p"] = Assign(claim=2, partition="p", next=2, mark_ms=25)
    first = reports(job.step(job.partial([27, 35, 47], layout=OTHER)))[0]
    assert (first.rows, first.state) == (1, "incomplete")


def test_violations_of_the_old_baseline_do_not_count_under_the_new_one() -> None:
    job = started()
    job.send([5])
    key_state = job.state.key_state(M)
    key_state.episodes = EpisodeState(
        windows=(JudgedWindow(0, 10, ("x",)),), series={"s": (1.0, 2.0)}, open=None
    )
    job.step(ReplaceBaseline("m", baseline(OTHER)))
    assert job.state.key_state(M).episodes == EpisodeState()


def test_a_new_baseline_that_lacks_columns_is_learning() -> None:
    job = started()
    job.step(ReplaceBaseline("m", baseline(OTHER), learning=True))
    assert job.state.models["m"].learning


def test_columns_that_are_new_to_a_known_model_are_learned() -> None:
    job = started()
    restarted = Job(job.settings, ("m",), state=JobState.decode(job.state.encode()))
    assert restarted.state.models["m"].learning


def test_a_removed_model_closes_as_incomplete_and_keeps_its_report_ids() -> None:
    job = started()
    job.send([5, 15])
    assert reports(job.step(RemoveModel("m"))) == [(10, 20, 0, 1, "incomplete")]
    assert (list(job.panes.ids()), job.state.ledger.imbalance()) == ([], {})
    outputs = job.restarted().send([16, 27, 35])
    assert reports(outputs) == [(10, 20, 1, 1, "incomplete"), (20, 30, 0, 1, "ok")]


def test_a_learning_model_gets_its_baseline_once_enough_rows_are_sampled() -> None:
    job = started(learning=("m",), lateness_ms=0, learn=LearningRule(rows=5))
    too_few = job.step(replace(job.partial([1, 2, 3]), samples=[Sample(M, 0, 3, b"")]))
    assert installed(too_few) == []
    assert reports(job.send([12]))[0].state == "learning"
    enough = job.step(replace(job.partial([13, 14]), samples=[Sample(M, 10, 2, b"")]))
    assert [output.model for output in installed(enough)] == ["m"]


def test_variants_beyond_the_limit_are_counted_together_and_keep_their_totals() -> None:
    """The first two names are kept, also after a restart; all rows are in some window."""
    job = started(most_variants=2)

    def send(job: Job, variant: str, time_ms: int) -> list[Output]:
        partial = job.partial([time_ms])
        profiles = [(ModelKey("m", variant), at, profile) for _, at, profile in partial.profiles]
        return job.step(replace(partial, profiles=profiles))

    for time_ms, variant in enumerate(["a", "b", "c", "d", "a", "e"]):
        send(job, variant, time_ms)
    restarted = job.restarted()
    for time_ms, variant in enumerate(["f", "b", "other"], start=6):
        send(restarted, variant, time_ms)
    closed = [
        (output.variant, output.rows)
        for output in send(restarted, "a", 10)
        if isinstance(output, WindowReport)
    ]
    assert closed == [("a", 2), ("b", 2), ("other", 5)]
    assert restarted.state.ledger.imbalance() == {}
    assert restarted.state.ledger.rows_of_other_variants == 5


def test_each_model_has_its_own_limit_of_variants() -> None:
    state = JobState()
    variants = NamedVariants(state, most=1)
    keys = [ModelKey("m", "a"), ModelKey("m", "b"), ModelKey("n", "b"), ModelKey("n", "a")]
    assert [variants.named(key).variant for key in keys] == ["a", "other", "b", "other"]
