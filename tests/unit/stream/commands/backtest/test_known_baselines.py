"""The baseline, and the seasons, by which a past report is judged again."""

from __future__ import annotations

from detectors.profiles.baseline import Baseline
from detectors.profiles.calendar import Calendar
from detectors.profiles.profile import Profile
from detectors.profiles.seasons import Seasons
from stream.commands.backtest.past_windows import KnownBaselines, PastReport, PastSeason
from stream.testing.baselines import baseline, normal

PLAIN = baseline({"x": normal(1, 500)})


def seasonal(hour: str) -> Baseline:
    profile = Profile(PLAIN.layout)
    profile.rows = 900
    return PLAIN.seasonal(Seasons(Calendar(by=("hour_of_day",)), {(hour,): profile}))


MORNING, EVENING = seasonal("7"), seasonal("19")


def version_of(base: Baseline) -> str:
    assert base.seasons is not None
    return base.seasons.fingerprint


def report(season: str | None) -> PastReport:
    return PastReport(
        start_ms=0,
        end_ms=1,
        job="j",
        model="m",
        variant="v",
        revision=0,
        state="ok",
        rows=1,
        baseline=PLAIN.fingerprint,
        layout=PLAIN.layout.fingerprint,
        season=None if season is None else PastSeason(season),
    )


def test_seasons_that_the_stream_taught_are_those_of_the_state_at_the_time() -> None:
    archived = {(PLAIN.fingerprint, version_of(EVENING)): EVENING}
    known = KnownBaselines({"m": PLAIN}, [], lambda *name: archived.get(name))
    assert known.of(report(version_of(EVENING))) is EVENING
    assert known.of(report(None)) is PLAIN
    assert known.of(report(version_of(MORNING))) is PLAIN, "it is not archived"


def test_the_configured_seasons_are_not_looked_for_in_the_state() -> None:
    asked: list[tuple[str, str]] = []
    known = KnownBaselines({"m": MORNING}, [], lambda *name: asked.append(name))
    assert known.of(report(version_of(MORNING))) is MORNING
    assert asked == []
