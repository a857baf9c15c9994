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


def test_a_window_without_any_event_is_told_as_no_data_and_meets_no_condition() -> None:
    job = started(Rules(conditions=(FEW,)))
    outputs = job.send([1, 2, 3, 4, 11, 12, 13, 14, 41, 42, 43, 44, 55])
    reports = [item for item in outputs if isinstance(item, WindowReport)]
    silent = [(r.start_ms, r.end_ms) for r in reports if r.state == "no data"]
    assert silent[-1] == (20, 40)
    assert [start_ms for start_ms, *_ in told(outputs)] == [0, 10, 40]
    assert not any(is_met for *_, is_met in told(outputs))


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
