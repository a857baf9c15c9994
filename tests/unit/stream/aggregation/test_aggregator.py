"""The aggregator, an item at a time: what it accepts, when it closes, what it tells. Schedules of
faults are in simulation/."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from detectors.decisions.episodes import EpisodeState, JudgedWindow
from detectors.decisions.judge import Judge
from detectors.decisions.rules import Rules
from detectors.profiles.baseline import Baseline, Constraints
from detectors.profiles.layout import HEAD, INTEGRAL, Feature, Layout
from detectors.profiles.profile import Profile
from detectors.report import WindowReport
from stream.aggregation.aggregator import Aggregator
from stream.aggregation.panes import MemoryPanes
from stream.aggregation.state import JobState
from stream.errors import GapFound
from stream.event_time import JobSettings
from stream.events import (
    Assign,
    BaselineInstalled,
    CoveredRange,
    DeadLetter,
    DeadLetters,
    DiscoveredPartition,
    EndOfInput,
    Gap,
    Item,
    ModelKey,
    Output,
    Partial,
    RemoveModel,
    ReplaceBaseline,
    Sample,
    Tick,
    WidthMismatches,
)

EDGES = (0.5, 1.5)
LAYOUT = Layout((Feature("x", "Integral", "grid", edges=EDGES, cells=(0, 1, 2)),))
OTHER = Layout((Feature("x", "Integral", "grid", edges=(0.5,), cells=(0, 1)),))
M = ModelKey("m", "v")


def baseline(layout: Layout) -> Baseline:
    return Baseline(layout, Profile(layout), Constraints(), ("x",))


@dataclass
class Job:
    """An aggregator, and a reader's half of the protocol: claims and offsets as they were assigned."""

    settings: JobSettings
    learning: tuple[str, ...] = ()
    state: JobState = field(default_factory=JobState)
    panes: MemoryPanes = field(default_factory=MemoryPanes)
    assigned: dict[str, Assign] = field(default_factory=dict)

    def __post_init__(self) -> None:
        judge = Judge("j", Rules(min_n=1))
        self.aggregator = Aggregator(
            self.settings,
            {"m": baseline(LAYOUT)},
            judge,
            self.state,
            self.panes,
            lambda *_: baseline(OTHER),
            self.learning,
        )

    def do(self, *items: Item) -> list[Output]:
        out = [output for item in items for output in self.aggregator.step(item)]
        self.assigned |= {one.partition: one for one in out if isinstance(one, Assign)}
        return out

    def partial(
        self,
        times: Sequence[int],
        name: str = "p",
        *,
        at_end: bool = False,
        layout: Layout = LAYOUT,
        first: int | None = None,
    ) -> Partial:
        """What a reader makes of records with these times, from the assigned offset on."""
        assign = self.assigned[name]
        begin = assign.next if first is None else first
        assert isinstance(begin, int)
        mark = max(
            [*times, *([assign.mark_ms] if assign.mark_ms is not None else [])], default=None
        )
        profiles: dict[int, Profile] = {}
        for time_ms in times:
            profile = profiles.setdefault(
                time_ms // self.settings.every_ms * self.settings.every_ms, Profile(layout)
            )
            profile.rows += 1
            profile.counts[[INTEGRAL, HEAD]] += 1
        count = len(times)
        both = {"accepted": count}, {"accepted": 10 * count}
        cover = CoveredRange(
            name,
            assign.claim,
            begin,
            begin + count,
            mark,
            at_end,
            count,
            both[0],
            count,
            count,
            bytes=both[1],
        )
        self.assigned[name] = Assign(assign.claim, name, begin + len(times), mark)
        return Partial(
            (cover,),
            {"m": layout.fingerprint},
            [(M, pane, profile) for pane, profile in profiles.items()],
            [],
        )

    def quiet(self, now_ms: int, name: str = "p") -> list[Output]:
        """The clock is here, and the reader says once more that it is at the end."""
        return self.do(Tick(now_ms), self.partial([], name, at_end=True))

    def garbage(self, name: str) -> list[Output]:
        """A record came that nobody can date."""
        partial = self.partial([], name)
        cover = partial.covers[0]._replace(read=1, outcomes={"undecodable": 1})
        return self.do(partial._replace(covers=(cover,)))

    def restarted(self) -> Job:
        """The service again, from what was written down."""
        again = Job(self.settings, state=JobState.decode(self.state.encode()), panes=self.panes)
        again.assigned = {one.partition: one for one in again.aggregator.resume()}
        return again

    def send(self, times: Sequence[int], name: str = "p", *, at_end: bool = False) -> list[Output]:
        return self.do(self.partial(times, name, at_end=at_end))


def job(**changes: int | bool) -> Job:
    plain = {"window_ms": 10, "every_ms": 10, "grace_ms": 0, "lateness_ms": 100, "idle_ms": 50}
    made = Job(JobSettings(job="j", **{**plain, **changes}))  # type: ignore[arg-type]
    made.do(DiscoveredPartition("p", 0))
    return made


def told(outputs: Sequence[Output]) -> list[tuple[int, int | None, int, int, str]]:
    return [
        (one.start_ms, one.end_ms, one.revision, one.rows, one.state)
        for one in outputs
        if isinstance(one, WindowReport)
    ]


def windows(outputs: Sequence[Output]) -> list[tuple[int, int | None, int, int]]:
    return [one[:4] for one in told(outputs) if one[4] != "no data"]


def test_a_partition_is_assigned_once_from_where_it_starts() -> None:
    made = job()
    assert made.assigned["p"] == Assign(1, "p", 0, None)
    assert made.do(DiscoveredPartition("p", 7)) == []


def test_a_window_closes_when_the_watermark_reaches_its_end_and_not_before() -> None:
    made = job(grace_ms=3)
    assert windows(made.send([1, 5, 12])) == []
    assert windows(made.send([13])) == [(0, 10, 0, 2)]
    assert windows(made.send([22, 22])) == []
    assert windows(made.send([23])) == [(10, 20, 0, 2)]


def test_the_slowest_partition_holds_the_windows_open() -> None:
    made = job()
    made.do(DiscoveredPartition("q", 0))
    assert windows(made.send([5, 95])) == []
    assert windows(made.send([7, 12], "q")) == [(0, 10, 0, 2)]


@pytest.mark.parametrize("first", [1, 3, -1], ids=["a hole", "a larger hole", "from before"])
def test_a_partial_from_elsewhere_is_dropped_whole_and_asked_for_again(first: int) -> None:
    made = job()
    wrong = made.partial([4, 30], first=first)
    assert made.do(wrong) == [Assign(2, "p", 0, None)]
    assert (
        made.state.ledger.partials_dropped,
        made.state.ledger.total("accepted"),
        list(made.panes.ids()),
    ) == (1, 0, [])
    assert windows(made.send([4, 30])) == [(0, 10, 0, 1)]


def test_a_repeat_is_dropped_and_a_stale_one_asks_for_nothing() -> None:
    made = job()
    partial = made.partial([4])
    made.do(partial)
    assert made.do(partial) == [Assign(2, "p", 1, 4)]
    assert made.do(partial) == []
    assert made.state.ledger.total("accepted") == 1


def test_a_partial_is_accepted_for_all_of_its_partitions_or_for_none() -> None:
    made = job()
    made.do(DiscoveredPartition("q", 0))
    good, bad = made.partial([4]), made.partial([5], "q", first=9)
    both = Partial((*good.covers, *bad.covers), good.layouts, [*good.profiles, *bad.profiles], [])
    assert {one.partition for one in made.do(both) if isinstance(one, Assign)} == {"p", "q"}
    assert made.state.ledger.partitions == {}


def test_a_partial_of_another_layout_is_dropped() -> None:
    made = job()
    made.do(made.partial([4], layout=OTHER))
    assert made.state.ledger.partials_dropped == 1


def test_bytes_are_booked_with_the_partial_that_is_accepted_and_stay_so_after_a_restart() -> None:
    made = job()
    made.do(made.partial([4, 30], first=1))
    assert made.state.ledger.bytes == {}
    made.send([4, 30])
    again = made.restarted()
    again.send([31])
    again.do(again.partial([31], first=0))
    assert again.state.ledger.bytes == {"accepted": 30}


def test_an_unknown_partition_is_not_taken() -> None:
    made = job()
    made.assigned["ghost"] = Assign(1, "ghost", 0, None)
    assert made.do(made.partial([4], "ghost")) == []


def test_late_events_make_a_revision_at_the_next_tick() -> None:
    made = job()
    made.send([5, 25])
    assert windows(made.send([6, 7])) == []
    assert windows(made.do(Tick(1))) == [(0, 10, 1, 3)]
    assert windows(made.do(Tick(2))) == []


def test_windows_slide_as_sums_of_panes_and_a_late_event_revises_each() -> None:
    made = job(window_ms=30)
    assert windows(made.send([5, 15, 25, 35])) == [(-20, 10, 0, 1), (-10, 20, 0, 2), (0, 30, 0, 3)]
    made.send([16])
    assert windows(made.do(Tick(1))) == [(-10, 20, 1, 3), (0, 30, 1, 4)]


def test_a_pane_goes_when_nothing_can_change_it_and_its_last_revision_is_told_first() -> None:
    made = job(lateness_ms=20)
    made.send([5, 25])
    assert windows(made.send([6, 33])) == [(20, 30, 0, 1), (0, 10, 1, 2)]
    assert sorted(pane.start_ms for pane in made.panes.ids()) == [20, 30]
    assert made.state.ledger.rows_closed == 2
    assert made.state.ledger.imbalance() == {}


def test_silence_is_told_when_it_begins_and_when_it_ends() -> None:
    made = job()
    assert told(made.send([5, 85]))[1:] == [(10, None, 0, 0, "no data")]
    assert [one for one in told(made.send([91])) if one[4] == "no data"] == [
        (10, 80, 1, 0, "no data")
    ]
    assert [one for one in told(made.send([101, 112])) if one[4] == "no data"] == []


def test_idle_partitions_leave_the_watermark_to_the_clock() -> None:
    made = job()
    made.do(Tick(1_000))
    made.send([5], at_end=True)
    assert told(made.quiet(1_049)) == []
    outputs = told(made.quiet(1_050))
    assert [(one[:4]) for one in outputs if one[4] != "no data"] == [(0, 10, 0, 1)]
    assert outputs[-1] == (10, None, 0, 0, "no data")


def test_a_partition_that_is_not_at_its_end_is_never_idle() -> None:
    made = job()
    made.do(Tick(1_000))
    made.send([5])
    assert told(made.do(Tick(50_000))) == []


def test_a_partition_that_nobody_reads_is_not_idle_however_long_that_lasts() -> None:
    """A paused service, a broker that does not answer: the reader says nothing, and what was said
    before grows old."""
    made = job()
    made.do(Tick(1_000))
    made.send([5], at_end=True)
    made.quiet(1_030)
    made.quiet(1_060)
    watermark_ms = made.state.watermark_ms
    assert watermark_ms == 1_060 - 50
    for now_ms in range(1_070, 90_000, 500):
        made.do(Tick(now_ms))
    assert made.state.watermark_ms == watermark_ms + 10
    made.send([2_000, 3_000, 80_000])
    assert made.state.ledger.rows_late_after_idle == 0


def test_a_restart_forgets_that_a_partition_was_idle() -> None:
    """What came while nobody was there is read before the clock may close anything."""
    made = job()
    made.do(Tick(1_000))
    made.send([5], at_end=True)
    made.quiet(1_100)
    again = made.restarted()
    assert told(again.do(Tick(3_600_000))) == []
    again.send([1_200, 5_000, 9_000, 3_599_000])
    again.do(Tick(3_600_500))
    ledger = again.state.ledger
    assert (ledger.rows_late_after_idle, ledger.rows_folded, ledger.imbalance()) == (0, 5, {})


@pytest.mark.parametrize("jump_ms", [86_400_000, -86_400_000])
def test_one_wrong_reading_of_the_clock_loses_nothing(jump_ms: int) -> None:
    made = job(lateness_ms=120_000)
    made.do(Tick(100_000_000))
    made.send([99_999_990], at_end=True)
    made.quiet(100_000_100)
    made.quiet(100_000_100 + jump_ms)
    made.quiet(100_000_600)
    made.send([100_000_601, 100_001_000])
    assert made.state.ledger.rows_late_after_idle == 0
    assert (made.state.now_ms or 0) <= 100_000_600


def test_a_partition_with_only_records_that_nobody_can_date_does_not_stop_the_others() -> None:
    made = job()
    made.do(DiscoveredPartition("q", 0), Tick(1_000))
    made.send([5, 45])
    assert made.state.watermark_ms is None
    for now_ms in (1_000, 1_030, 1_060):
        made.do(Tick(now_ms))
        outputs = made.garbage("q")
    assert windows(outputs) == [(0, 10, 0, 1)]
    made.send([47, 48], "q")
    assert made.state.watermark_ms == 45
    assert made.state.ledger.rows_late_after_idle == 0


def test_the_watermark_never_falls() -> None:
    made = job()
    made.do(Tick(1_000))
    made.send([5], at_end=True)
    made.quiet(5_000)
    before = made.state.watermark_ms
    made.do(Tick(10), DiscoveredPartition("q", 0))
    made.send([7], "q")
    assert made.state.watermark_ms == before


def test_events_of_a_partition_that_was_idle_too_long_are_booked_as_such() -> None:
    made = job(lateness_ms=0)
    made.do(Tick(1_000))
    made.send([5], at_end=True)
    for now_ms in range(1_040, 5_001, 40):
        made.quiet(now_ms)
    made.send([6, 7])
    ledger = made.state.ledger
    assert (ledger.rows_late_after_idle, ledger.imbalance()) == (2, {})


def test_a_gap_is_counted_and_the_windows_over_it_are_incomplete() -> None:
    made = job()
    made.send([5])
    assert Assign(2, "p", 9, 5) in made.do(Gap("p", 1, 9, 8, "retention"))
    outputs = made.send([35, 61])
    assert [one[4] for one in told(outputs) if one[4] != "no data"] == ["incomplete", "incomplete"]
    assert windows(made.send([72])) == [(60, 70, 0, 1)]
    assert told(made.send([82]))[0][4] == "ok"
    assert (made.state.ledger.gaps, made.state.ledger.gap_records) == (1, 8)


def test_a_gap_in_a_partition_that_has_nothing_more_ends_where_the_others_are() -> None:
    made = job()
    made.do(DiscoveredPartition("q", 0), Tick(1_000))
    made.send([5])
    made.send([5], "q")
    made.do(Gap("q", 1, 9, 8, "retention"))
    made.send([25])
    made.do(made.partial([], "q", at_end=True))
    made.send([65])
    made.quiet(1_050, "q")
    states = {one[0]: one[4] for one in told(made.send([95, 112]))}
    assert (states[60], states[90]) == ("incomplete", "ok")
    assert made.state.open_gaps == {}


def test_a_gap_stays_open_while_nobody_has_shown_a_later_time() -> None:
    """Retention has emptied the only partition: whatever comes next may lie long after what was
    lost."""
    made = job()
    made.do(Tick(1_000))
    made.send([1, 5, 12])
    made.do(Gap("p", 3, 100, 97, "retention"))
    for now_ms in (1_000, 1_030, 1_060):
        made.quiet(now_ms)
    assert list(made.state.open_gaps) == ["p"]
    outputs = told(made.send([1_038, 1_051]))
    assert [one[4] for one in outputs if one[4] != "no data"] == ["incomplete"]
    assert made.state.open_gaps == {}


def test_a_clock_that_was_wrong_at_first_is_followed_within_seconds() -> None:
    made = job()
    made.do(Tick(0))
    for k in range(30):
        made.do(Tick(1_750_000_000_000 + k))
    assert made.state.now_ms == 1_750_000_000_029


def test_columns_that_are_new_to_a_known_model_are_learned() -> None:
    made = job()
    again = Job(made.settings, ("m",), state=JobState.decode(made.state.encode()))
    assert again.state.models["m"].learning


def test_windows_that_began_before_a_cut_are_incomplete_though_their_panes_are_gone() -> None:
    made = job(lateness_ms=0)
    made.send([5, 95])
    made.send([105, 115])
    assert min(pane.start_ms for pane in made.panes.ids()) > 5
    made.aggregator.cut()
    assert made.state.models["m"].cut_ms == 120


def test_a_gap_that_was_told_before_is_not_counted_again() -> None:
    made = job()
    made.do(Gap("p", 0, 9, 9, "retention"))
    assert made.do(Gap("p", 0, 9, 9, "retention")) == []
    assert made.state.ledger.gaps == 1


def test_a_gap_ends_the_service_if_it_should() -> None:
    with pytest.raises(GapFound, match="9 records"):
        job(stop_on_gap=True).do(Gap("p", 0, 9, 9, "retention"))


def test_the_end_closes_everything_and_more_may_come_after_it() -> None:
    made = job()
    assert windows([*made.send([5, 17]), *made.do(EndOfInput())]) == [(0, 10, 0, 1), (10, 20, 0, 1)]
    assert sorted(windows([*made.send([18, 25, 31]), *made.do(EndOfInput())])) == [
        (10, 20, 1, 2),
        (20, 30, 0, 1),
        (30, 40, 0, 1),
    ]


def test_another_baseline_closes_what_is_open_as_incomplete() -> None:
    made = job()
    made.send([5, 25])
    outputs = made.do(ReplaceBaseline("m", baseline(OTHER)))
    assert told(outputs) == [(20, 30, 0, 1, "incomplete"), (10, 20, 1, 0, "no data")]
    assert [one.baseline.layout for one in outputs if isinstance(one, BaselineInstalled)] == [OTHER]
    assert list(made.panes.ids()) == []
    made.do(made.partial([26], layout=LAYOUT))
    assert made.state.ledger.partials_dropped == 1
    made.assigned["p"] = Assign(2, "p", 2, 25)
    assert told(made.do(made.partial([27, 35, 47], layout=OTHER)))[0][3:] == (1, "incomplete")


def test_what_was_seen_against_the_old_baseline_does_not_count_against_the_new_one() -> None:
    made = job()
    made.send([5])
    key = made.state.key_state(M)
    key.episodes = EpisodeState(
        windows=(JudgedWindow(0, 10, ("x",)),), series={"s": (1.0, 2.0)}, open=None
    )
    made.do(ReplaceBaseline("m", baseline(OTHER)))
    assert made.state.key_state(M).episodes == EpisodeState()


def test_a_new_baseline_that_lacks_columns_is_learning() -> None:
    made = job()
    made.do(ReplaceBaseline("m", baseline(OTHER), learning=True))
    assert made.state.models["m"].learning


def test_a_model_that_is_watched_no_longer_closes_as_incomplete_and_keeps_its_ids() -> None:
    made = job()
    made.send([5, 15])
    assert told(made.do(RemoveModel("m"))) == [(10, 20, 0, 1, "incomplete")]
    assert (list(made.panes.ids()), made.state.ledger.imbalance()) == ([], {})
    outputs = made.restarted().send([16, 27, 35])
    assert told(outputs) == [(10, 20, 1, 1, "incomplete"), (20, 30, 0, 1, "ok")]


def test_a_learning_model_gets_its_baseline_once_enough_rows_are_in() -> None:
    made = Job(
        JobSettings(
            job="j", window_ms=10, every_ms=10, grace_ms=0, lateness_ms=0, idle_ms=50, learn_rows=5
        ),
        ("m",),
    )
    made.do(DiscoveredPartition("p", 0))
    partial = made.partial([1, 2, 3])
    assert not [
        one
        for one in made.do(partial._replace(samples=[Sample(M, 3, b"")]))
        if isinstance(one, BaselineInstalled)
    ]
    assert told(made.send([12]))[0][4] == "learning"
    outputs = made.do(made.partial([13, 14])._replace(samples=[Sample(M, 2, b"")]))
    assert [one.model for one in outputs if isinstance(one, BaselineInstalled)] == ["m"]


def test_records_of_a_wrong_width_are_told_by_their_window() -> None:
    made = job()
    partial = made.partial([5])._replace(
        width_mismatches=[(M, 0, WidthMismatches(2, 5)), (M, 10, WidthMismatches(1, 0))]
    )
    made.do(partial)
    outputs = [one for one in made.send([25]) if isinstance(one, WindowReport)]
    assert [
        (one.start_ms, one.rows, sorted(v.check for v in one.violations)) for one in outputs
    ] == [
        (0, 1, ["extra_column_check", "missing_column_check"]),
        (10, 0, ["missing_column_check"]),
    ]


def test_late_records_of_a_wrong_width_make_a_revision_too() -> None:
    made = job()
    made.send([5, 25])
    made.do(made.partial([])._replace(width_mismatches=[(M, 0, WidthMismatches(too_narrow=3))]))
    assert windows(made.do(Tick(1))) == [(0, 10, 1, 1)]


def test_dead_letters_go_out_with_the_partial_that_has_them() -> None:
    made, letter = job(), DeadLetter("p", 0, "undecodable", 3, "aa")
    assert DeadLetters((letter,)) in made.do(made.partial([4])._replace(dead=[letter]))
    assert not [
        one
        for one in made.do(made.partial([4], first=9)._replace(dead=[letter]))
        if isinstance(one, DeadLetters)
    ]


def test_a_restart_goes_on_from_what_was_written_down() -> None:
    made = job()
    made.send([5, 17])
    again = made.restarted()
    assert again.assigned["p"] == Assign(2, "p", 2, 17)
    assert windows(again.send([21])) == [(10, 20, 0, 1)]
