"""Scoring counts missed incidents and false signals."""

from collections.abc import Sequence

from demo.incidents import HOUR_MS, Incident
from demo.retraining import is_needed_after
from demo.scoring import Tally
from detectors.report import Signal, SignalKind
from detectors.violation import Violation

START_MS = 1_000 * HOUR_MS


def incident(
    name: str, cause: str, start_h: float, end_h: float | None, affected: tuple[str, ...] = ()
) -> Incident:
    end_ms = None if end_h is None else int(end_h * HOUR_MS)
    return Incident(
        name=name,
        story="",
        cause=cause,
        affected=affected,
        start_ms=int(start_h * HOUR_MS),
        end_ms=end_ms,
        change=lambda flights: flights,
    )


def signal(
    kind: SignalKind, features: Sequence[str], start_h: float, end_h: float, episode: str = "e1"
) -> Signal:
    start_ms = START_MS + int(start_h * HOUR_MS)
    end_ms = START_MS + int(end_h * HOUR_MS)
    reasons = tuple(
        Violation(
            feature=name,
            check="baseline_drift_check",
            statistic="psi",
            value=1.0,
            limit=0.1,
            n=100,
            description="",
        )
        for name in features
    )
    return Signal(
        version=1,
        id="id",
        dedupe_id="dedupe",
        kind=kind,
        episode=episode,
        job="demo",
        model="m",
        variant="v",
        start_ms=start_ms,
        end_ms=end_ms,
        first_violation_ms=start_ms,
        baseline="b",
        report="report",
        features=tuple(features),
        reasons=reasons,
    )


def tally(*incidents: Incident) -> Tally:
    """A tally of traffic with ten events an hour."""
    return Tally(incidents, START_MS, lambda start_ms, end_ms: (end_ms - start_ms) * 10 // HOUR_MS)


COLD = incident("cold", "temp", 2, 4, affected=("prediction",))


def test_the_first_signal_that_names_the_cause_detects_an_incident() -> None:
    tallied = tally(COLD)
    tallied.judge(signal("opened", ["temp", "prediction"], 2.5, 3))
    tallied.judge(signal("reminder", ["temp"], 3, 3.5))
    tallied.judge(signal("recovered", ["temp"], 5, 5.5))
    assert (tallied.detections["cold"].after_ms, tallied.detections["cold"].after_events) == (
        HOUR_MS,
        10,
    )
    assert tallied.passed


def test_a_signal_on_an_affected_feature_is_neither_a_detection_nor_false() -> None:
    tallied = tally(COLD)
    tallied.judge(signal("opened", ["prediction"], 2, 3))
    assert tallied.missed == [COLD]
    assert tallied.false_signals == []
    assert not tallied.passed


def test_a_signal_outside_every_incident_is_false() -> None:
    for start_h, end_h in ((1.0, 2.0), (4.0, 5.0)):
        tallied = tally(COLD)
        tallied.judge(signal("opened", ["temp"], start_h, end_h))
        assert len(tallied.false_signals) == 1


def test_a_window_that_overlaps_an_incident_in_part_can_detect_it() -> None:
    tallied = tally(COLD)
    tallied.judge(signal("opened", ["temp"], 1.5, 2.5))
    assert tallied.false_signals == []
    assert tallied.detections["cold"].after_events == 5


def test_a_signal_on_an_unaffected_feature_is_false_even_during_an_incident() -> None:
    tallied = tally(COLD)
    tallied.judge(signal("opened", ["temp", "carrier"], 2, 3))
    assert len(tallied.false_signals) == 1
    assert not tallied.passed


def test_an_incident_without_recovery_fails() -> None:
    tallied = tally(COLD)
    tallied.judge(signal("opened", ["temp"], 2, 3))
    assert not tallied.passed
    tallied.judge(signal("recovered", ["temp"], 4, 5, episode="another"))
    assert not tallied.passed


def test_no_signal_without_incidents_passes() -> None:
    assert tally().passed
    tallied = tally()
    tallied.judge(signal("opened", ["temp"], 0, 1))
    assert not tallied.passed


def test_a_permanent_incident_never_ends() -> None:
    tallied = tally(incident("seconds", "delay", 2, None))
    tallied.judge(signal("opened", ["delay"], 900, 901))
    assert tallied.missed == []
    assert tallied.false_signals == []


def test_only_a_reminder_after_the_cool_down_requires_retraining() -> None:
    kinds: tuple[SignalKind, ...] = ("opened", "worsened", "reminder", "recovered")
    assert [kind for kind in kinds if is_needed_after(signal(kind, ["temp"], 0, 1))] == ["reminder"]
