"""The demonstration is an honest judge: it counts what was missed and what was false."""

from collections.abc import Sequence

from demo.incidents import HOUR_MS, Incident
from demo.retraining import wanted
from demo.scoring import Tally
from detectors.report import Signal, SignalKind, Violation

START_MS = 1_000 * HOUR_MS


def incident(
    name: str, cause: str, start_h: float, end_h: float | None, touched: tuple[str, ...] = ()
) -> Incident:
    end_ms = None if end_h is None else int(end_h * HOUR_MS)
    return Incident(
        name, "", cause, touched, int(start_h * HOUR_MS), end_ms, lambda flights: flights
    )


def signal(
    kind: SignalKind, features: Sequence[str], start_h: float, end_h: float, episode: str = "e1"
) -> Signal:
    start_ms, end_ms = START_MS + int(start_h * HOUR_MS), START_MS + int(end_h * HOUR_MS)
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
    """Ten events an hour."""
    return Tally(incidents, START_MS, lambda start_ms, end_ms: (end_ms - start_ms) * 10 // HOUR_MS)


COLD = incident("cold", "temp", 2, 4, touched=("prediction",))


def test_the_first_signal_that_names_the_cause_finds_an_incident() -> None:
    judged = tally(COLD)
    judged.take(signal("opened", ["temp", "prediction"], 2.5, 3))
    judged.take(signal("reminder", ["temp"], 3, 3.5))
    judged.take(signal("recovered", ["temp"], 5, 5.5))
    assert (judged.found["cold"].after_ms, judged.found["cold"].after_events) == (HOUR_MS, 10)
    assert judged.passed


def test_a_consequence_alone_does_not_find_the_incident_but_is_not_false() -> None:
    judged = tally(COLD)
    judged.take(signal("opened", ["prediction"], 2, 3))
    assert judged.missed == [COLD]
    assert judged.false == []
    assert not judged.passed


def test_a_signal_outside_every_incident_is_false() -> None:
    for start_h, end_h in ((1.0, 2.0), (4.0, 5.0)):
        judged = tally(COLD)
        judged.take(signal("opened", ["temp"], start_h, end_h))
        assert len(judged.false) == 1


def test_a_window_that_overlaps_an_incident_by_a_moment_may_tell_it() -> None:
    judged = tally(COLD)
    judged.take(signal("opened", ["temp"], 1.5, 2.5))
    assert judged.false == []
    assert judged.found["cold"].after_events == 5


def test_a_signal_that_names_an_untouched_feature_is_false_even_during_an_incident() -> None:
    judged = tally(COLD)
    judged.take(signal("opened", ["temp", "carrier"], 2, 3))
    assert len(judged.false) == 1
    assert not judged.passed


def test_without_recovery_it_has_not_passed() -> None:
    judged = tally(COLD)
    judged.take(signal("opened", ["temp"], 2, 3))
    assert not judged.passed
    judged.take(signal("recovered", ["temp"], 4, 5, episode="another"))
    assert not judged.passed


def test_nothing_told_when_nothing_happened_has_passed() -> None:
    assert tally().passed
    judged = tally()
    judged.take(signal("opened", ["temp"], 0, 1))
    assert not judged.passed


def test_an_incident_for_good_never_ends() -> None:
    judged = tally(incident("seconds", "delay", 2, None))
    judged.take(signal("opened", ["delay"], 900, 901))
    assert judged.missed == []
    assert judged.false == []


def test_only_what_outlives_the_cool_down_is_a_reason_to_train_again() -> None:
    kinds: tuple[SignalKind, ...] = ("opened", "worsened", "reminder", "recovered")
    assert [kind for kind in kinds if wanted(signal(kind, ["temp"], 0, 1))] == ["reminder"]
