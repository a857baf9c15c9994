"""Expected rows in the reports of a job: learned from first reports, kept through restarts."""

from __future__ import annotations

from collections.abc import Sequence

from detectors.decisions.rules import Rules
from detectors.report import Signal, WindowReport
from stream.events import DiscoveredPartition, Output, Tick
from tests.support.records import job_settings
from tests.unit.stream.aggregation.job import Job

FEW = "rows < 0.5 * expected_rows"
RULES = Rules(mode="threshold", min_n=1, conditions=(FEW,))


def started(rules: Rules = RULES) -> Job:
    settings = job_settings(
        window_ms=10, every_ms=10, grace_ms=0, lateness_ms=100, idle_ms=50, tolerance_ms=0
    )
    job = Job(settings, rules=rules)
    job.step(DiscoveredPartition("p", 0))
    return job


def told(outputs: Sequence[Output]) -> list[tuple[int, int, float | None, bool]]:
    """Start, revision, expected rows of each report, and whether the condition is met."""
    return [
        (
            report.start_ms,
            report.revision,
            report.expected_rows,
            any(v.check == "condition_check" for v in report.violations),
        )
        for report in outputs
        if isinstance(report, WindowReport) and report.state != "no data"
    ]


def test_a_window_with_few_rows_meets_the_condition() -> None:
    job = started()
    assert told(job.send([1, 2, 3, 4, 11, 12, 13, 14, 21, 35])) == [
        (0, 0, None, False),
        (10, 0, None, False),
        (20, 0, 4.0, True),
    ]


def test_the_second_window_of_few_rows_is_a_signal_in_the_default_mode() -> None:
    job = started(Rules(conditions=(FEW,)))
    full, few = [1, 2, 3, 4, 11, 12, 13, 14, 21, 22, 23, 24], [35, 45]
    assert [item for item in job.send([*full, *few]) if isinstance(item, Signal)] == []
    (opened,) = (item for item in job.send([55]) if isinstance(item, Signal))
    assert (opened.kind, opened.start_ms, opened.features) == ("opened", 40, ("(rows)",))
    (reason,) = opened.reasons
    assert reason.summary == f"{FEW} (rows = 1, expected_rows = 4)"


def signals(outputs: Sequence[Output]) -> list[tuple[str, int, tuple[str, ...]]]:
    return [
        (item.kind, item.start_ms, item.features) for item in outputs if isinstance(item, Signal)
    ]


FULL = [1, 2, 3, 4, 11, 12, 13, 14]
BACK = [81, 82, 83, 84, 91, 92, 93, 94, 101, 102, 103, 104, 115]
"""The windows from 20 to 80 have no event."""


def test_an_outage_is_one_episode_that_recovers_once_events_return() -> None:
    outputs = started(Rules(mode="threshold", min_n=1, conditions=(FEW,))).send([*FULL, *BACK])
    assert signals(outputs) == [("opened", 30, ("(rows)",)), ("recovered", 90, ("(rows)",))]
    silent = [r for r in outputs if isinstance(r, WindowReport) and not r.rows]
    # The outage is told by the first two windows, and the silence by reports of its own.
    assert [(r.start_ms, r.end_ms, r.state) for r in silent] == [
        (20, 30, "violations"),
        (30, 40, "violations"),
        (20, None, "no data"),
        (20, 80, "no data"),
    ]
    (reason,) = silent[0].violations
    assert reason.summary == f"{FEW} (rows = 0, expected_rows = 4)"


def test_an_outage_is_told_again_after_each_cooldown() -> None:
    rules = Rules(mode="threshold", min_n=1, cooldown="1s", conditions=("rows < 2",))
    outputs = started(rules).send([*FULL, 3_501, 3_502])
    # Opened by the window that ends at 40; each later one is a reminder 1,000 ms after.
    assert signals(outputs) == [
        ("opened", 30, ("(rows)",)),
        *(("reminder", end - 10, ("(rows)",)) for end in (1_040, 2_040, 3_040)),
    ]


def test_windows_without_events_say_the_same_however_the_log_is_read() -> None:
    times = [*FULL, *BACK]
    whole = started().send(times)
    job, parts = started(), []
    for time_ms in times:
        parts += job.send([time_ms])
        job = job.restarted()
    assert signals(parts) == signals(whole) != []
    assert sorted(told(parts)) == sorted(told(whole))


def test_a_window_that_expects_nothing_meets_no_condition_without_events() -> None:
    job = started(Rules(mode="threshold", min_n=1, conditions=("n(x) < expected_rows - 5",)))
    assert signals(job.send([*FULL, *BACK])) == []


def test_a_condition_that_needs_values_is_not_met_without_rows() -> None:
    job = started(Rules(mode="threshold", min_n=1, conditions=("completeness(x) < 2",)))
    reports = [r for r in job.send([*FULL, *BACK]) if isinstance(r, WindowReport)]
    assert all(report.rows for report in reports if report.state == "violations")


def test_a_drift_does_not_recover_by_windows_without_rows() -> None:
    rules = Rules(mode="threshold", min_n=1, conditions=("completeness(x) > 0", "rows < 2"))
    outputs = started(rules).send([*FULL, *BACK])
    assert [each[0] for each in signals(outputs)] == ["opened", "worsened"]
    assert signals(outputs)[1] == ("worsened", 30, ("(rows)", "x"))


def test_late_events_of_a_reported_silence_are_its_revision() -> None:
    job = started()
    job.send([*FULL, 41, 42, 43, 44, 55])
    job.send([22, 23, 24])
    assert told(job.step(Tick(1))) == [(20, 1, 4.0, False)]


def test_a_model_begins_with_its_earliest_event_in_whatever_order_they_come() -> None:
    rules = Rules(mode="threshold", min_n=1, conditions=("rows < 1",))
    settings = job_settings(
        window_ms=10, every_ms=10, grace_ms=40, lateness_ms=100, idle_ms=50, tolerance_ms=0
    )
    found = []
    for times in ([1, 31, 95], [31, 1, 95]):
        job = Job(settings, rules=rules)
        job.step(DiscoveredPartition("p", 0))
        found.append([start_ms for start_ms, *_ in told(job.send(times))])
    assert found == [[0, 10, 20, 30]] * 2


def test_what_is_expected_is_a_function_of_the_log_through_a_restart() -> None:
    times = [1, 2, 3, 4, 11, 12, 21, 22, 23, 24, 31, 45, 46, 57]
    whole = told(started().send(times))
    job = started()
    parts = []
    for time_ms in times:
        parts += told(job.send([time_ms]))
        job = job.restarted()
    assert parts == whole
    assert [expected for _, _, expected, _ in whole] == [None, None, 3.0, 4.0, 3.0]


def test_a_revision_has_what_was_expected_at_the_first_report() -> None:
    job = started()
    assert told(job.send([1, 2, 3, 4, 11, 12, 13, 14, 21, 35]))[-1] == (20, 0, 4.0, True)
    job.send([45, 55])
    job.send([22, 23])
    assert told(job.step(Tick(1))) == [(20, 1, 4.0, False)]


def test_what_was_expected_is_forgotten_with_the_window() -> None:
    job = started()
    job.send([1, 11, 21, 31])
    assert next(iter(job.state.keys.values())).expected_rows == {(10, 30): 1.0}
    job.send([1_001, 1_011])
    assert (10, 30) not in next(iter(job.state.keys.values())).expected_rows


def test_nothing_is_learned_where_no_condition_asks_for_it() -> None:
    job = started(Rules(min_n=1, conditions=("rows < 2",)))
    job.send([1, 11, 21, 31])
    state = next(iter(job.state.keys.values()))
    assert (state.traffic.end_ms, state.expected_rows) == (None, {})
