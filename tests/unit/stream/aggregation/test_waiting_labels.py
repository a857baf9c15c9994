"""Labels that waited for their predictions, and what other predictions and baselines make of it."""

from __future__ import annotations

from detectors.quality.error_detectors import ErrorAdwin
from detectors.quality_report import QualityReport
from stream.events import DeadLetters, Output
from tests.unit.stream.aggregation.test_quality_windows import (
    SETTINGS,
    LabelJob,
    model,
    restarted,
)


def letters(outputs: list[Output]) -> list[tuple[str, object, str]]:
    """Partition, position and reason of the dead letters."""
    return [
        (letter.partition, letter.position, letter.reason)
        for output in outputs
        if isinstance(output, DeadLetters)
        for letter in output.letters
    ]


def test_a_label_that_waited_and_does_not_fit_becomes_a_dead_letter_as_one_that_comes_late() -> (
    None
):
    """Classes are 0 and 1: a 7 is refused whichever side is read first, with its record."""
    early, late = LabelJob(SETTINGS), LabelJob(SETTINGS)
    assert letters(early.label({9: 1.0, 1: 7.0}, 5)) == []
    assert letters(early.predict(1)) == [("labels", ("record", 1), "unknown_class")]
    late.predict(1)
    assert letters(late.label({9: 1.0, 1: 7.0}, 5)) == [("labels", 1, "unknown_class")]
    for job in (early, late):
        assert job.state.labels is not None
        counts = job.state.labels.ledger.labels
        assert {name: count for name, count in counts.items() if count} == {
            "waiting": 1,
            "unknown_class": 1,
        }


def test_a_label_that_does_not_fit_is_told_once() -> None:
    job = LabelJob(SETTINGS)
    job.label({1: 7.0}, 5)
    job.predict(1)
    assert letters(job.predict(1)) == []


def test_a_change_of_the_error_is_not_told_by_a_window_before_its_row() -> None:
    """40 right answers at 0 ms, 40 wrong ones at 40 ms; all labels are read before a tick."""
    job = LabelJob(SETTINGS, quality=model(error_detectors=[ErrorAdwin()]))
    right, wrong = range(1, 41), range(41, 81)
    job.predict(*right)
    job.predict(*wrong, time_ms=42)
    job.label(dict.fromkeys(right, 1.0), 45)
    job.label(dict.fromkeys(wrong, 0.0), 46)
    job.predict(99, time_ms=60)
    told = [
        (out.end_ms, [each.check for each in out.violations])
        for out in job.tick()
        if isinstance(out, QualityReport)
    ]
    assert told == [(10, []), (50, ["model_quality_check", "error_change_check"])]


def test_verdicts_under_another_baseline_do_not_count_under_a_new_one() -> None:
    job = LabelJob(SETTINGS)
    job.predict(1)
    job.predict(2, time_ms=12)
    job.label({1: 1.0}, 15)
    job.tick()
    assert job.state.labels is not None
    assert [len(each.windows) for each in job.state.labels.episodes.values()] == [1]
    job.quality = job.quality._replace(judged=job.quality.judged._replace(fingerprint="other"))
    again = restarted(job)
    assert again.state.labels is not None
    assert [len(each.windows) for each in again.state.labels.episodes.values()] == [0]


def test_a_window_from_before_another_baseline_says_so() -> None:
    job = LabelJob(SETTINGS, quality=model(revise_every="1ms"))
    job.predict(1, 2)
    job.predict(3, 4, time_ms=12)
    job.label({1: 1.0}, 15)
    job.tick()
    job.quality = job.quality._replace(judged=job.quality.judged._replace(fingerprint="other"))
    again = restarted(job)
    again.label({2: 1.0}, 16)
    again.predict(5, time_ms=22)
    again.label({3: 1.0, 4: 1.0}, 25)
    told = {
        out.end_ms: any("baseline was changed" in note for note in out.notes)
        for out in again.tick(10)
        if isinstance(out, QualityReport)
    }
    assert told == {10: True, 20: False}
