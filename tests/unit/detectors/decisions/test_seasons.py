"""Windows of a daily cycle, judged with and without seasons."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
import pytest

from detectors.arrays import Ints
from detectors.decisions.early_look import process_of
from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.rules import Rules
from detectors.decisions.window_span import WindowSpan
from detectors.profiles.baseline import Baseline
from detectors.profiles.calendar import Key
from detectors.profiles.profile import Profile
from detectors.profiles.seasons import Seasons
from detectors.report import ComparedSeason, Signal, WindowReport
from detectors.statistics.evidence.dependence import stream_factor
from detectors.statistics.evidence.horizons import History, PastWindow
from detectors.statistics.evidence.running_history import RunningHistory
from detectors.statistics.evidence.seasonal import seasonal_tallies
from detectors.statistics.evidence.tallies import tally_layout
from stream.commands.judged_again import judged_again
from stream.testing.baselines import Values, baseline, window
from tests.support.seasons import BY_HOUR, HOUR_MS, cycle_rows, joined, with_cycle

KNOWN = with_cycle(np.random.default_rng(51), 700)
"""A week of a hundred rows an hour."""


def judge(rules: Rules | None = None) -> Judge:
    return Judge("job", rules or Rules(mode="evidence"), expose_values=True)


def span(hour: int) -> WindowSpan:
    start_ms = hour * HOUR_MS
    return WindowSpan(model="m", variant="v", start_ms=start_ms, end_ms=start_ms + HOUR_MS)


def hourly(seed: int, hours: int, rows: int = 100, shift_at: int = 99_999) -> Iterator[Profile]:
    """Windows of the cycle; from ``shift_at`` on the number is half a deviation larger."""
    rng = np.random.default_rng(seed)
    for hour in range(hours):
        values = cycle_rows(rng, hour % 24, rows)
        if hour >= shift_at:
            values["number"] = np.asarray(values["number"], float) + 0.5
        yield window(KNOWN.layout, values)


def judged(
    known: Baseline, profiles: Iterator[Profile], by: Judge | None = None
) -> tuple[list[WindowReport], list[Signal]]:
    """The reports on hourly windows one after the other, and the signals."""
    by, layout = by or judge(), tally_layout(known)
    history, state = History(), EpisodeState()
    reports, signals = [], []
    for hour, profile in enumerate(profiles):
        start_ms = hour * HOUR_MS
        report = by.report(span(hour), known, profile, state, history.before(start_ms))
        history.add(PastWindow(start_ms, start_ms + HOUR_MS, layout.tallies(profile.counts)))
        state, raised = by.advance(state, report, known)
        reports.append(report)
        signals += raised
    return reports, signals


def test_a_daily_cycle_is_signalled_without_seasons_and_silent_with_them() -> None:
    seed, hours = 52, 72
    assert judged(KNOWN.seasonal(None), hourly(seed, hours))[1]
    reports, signals = judged(KNOWN, hourly(seed, hours))
    assert not signals
    assert not any(report.violations for report in reports)


@pytest.mark.parametrize("at", [27, 33, 42])
def test_a_shift_is_found_in_each_season(at: int) -> None:
    signals = judged(KNOWN, hourly(53, at + 3, shift_at=at))[1]
    assert [signal.kind for signal in signals][:1] == ["opened"]
    assert signals[0].features == ("number",)
    assert signals[0].start_ms >= at * HOUR_MS
    horizons = [reason.finding.horizon for reason in signals[0].reasons if reason.finding]
    season = f"hour_of_day {signals[0].start_ms // HOUR_MS % 24}"
    names = [season if horizon == 1 else "the seasons of these windows" for horizon in horizons]
    summaries = [reason.summary for reason in signals[0].reasons]
    for summary, name in zip(summaries, names, strict=True):
        assert summary.endswith(f", compared with {name}")


def test_a_window_is_reported_beside_the_numbers_of_its_season() -> None:
    report = judge().report(span(6), KNOWN, next(hourly(54, 1)), EpisodeState())
    of_season = KNOWN.in_season(6 * HOUR_MS).profile
    number = report.features[0]
    assert number.baseline is not None
    assert number.baseline.n == 700
    assert number.baseline.mean == pytest.approx(of_season.sums[0, 0] / 700 + _centre(), rel=1e-9)
    assert report.baseline == KNOWN.fingerprint
    assert KNOWN.seasons is not None
    version = KNOWN.seasons.fingerprint
    assert report.season == ComparedSeason(name="hour_of_day 6", version=version, rows=700)
    assert report.id.split("/")[5] == KNOWN.fingerprint
    assert number.distances["psi"] != _whole(report.start_ms).features[0].distances["psi"]


def test_a_window_whose_season_has_few_rows_is_compared_with_the_whole_baseline() -> None:
    assert KNOWN.seasons is not None
    few = KNOWN.seasonal(Seasons(BY_HOUR, {("7",): KNOWN.seasons.profiles[("7",)]}))
    report = judge().report(span(6), few, next(hourly(54, 1)), EpisodeState())
    assert report.season is not None
    assert report.season.name == "the whole baseline"
    assert report.season.rows == 24 * 700
    assert report.features == _whole(report.start_ms).features


def test_a_report_without_seasons_names_none() -> None:
    assert _whole(6 * HOUR_MS).season is None


def test_signals_by_thresholds_name_the_season() -> None:
    rules = Rules(mode="threshold", min_n=50, k=1, of=1)
    reports, signals = judged(KNOWN, hourly(60, 8, rows=300, shift_at=7), judge(rules))
    assert not any(report.violations for report in reports[:7])
    assert signals[0].reasons[0].summary.endswith(", compared with hour_of_day 7")


def test_a_period_of_a_schedule_is_compared_with_the_whole_baseline() -> None:
    profile = next(hourly(61, 1))
    both = [
        judge().scheduled(span(6), HOUR_MS, known, profile)
        for known in (KNOWN, KNOWN.seasonal(None))
    ]
    assert msgspec.json.encode(both[0]) == msgspec.json.encode(both[1])


def _centre() -> float:
    return KNOWN.layout.features[0].center


def _whole(start_ms: int) -> WindowReport:
    at = span(start_ms // HOUR_MS)
    return judge().report(at, KNOWN.seasonal(None), next(hourly(54, 1)), EpisodeState())


@pytest.mark.parametrize("rules", [Rules(mode="sagemaker"), Rules(mode="sagemaker-compat")])
def test_modes_of_sagemaker_compare_with_the_whole_baseline(rules: Rules) -> None:
    profile = next(hourly(55, 1))
    with_seasons, without = (
        judge(rules).report(span(6), known, profile, EpisodeState())
        for known in (KNOWN, KNOWN.seasonal(None))
    )
    assert msgspec.json.encode(with_seasons) == msgspec.json.encode(without)


def test_a_report_over_several_windows_can_be_judged_again_from_itself() -> None:
    reports = judged(KNOWN, hourly(56, 40, rows=40, shift_at=30))[0]
    pooled = [report for report in reports if report.pooled]
    assert pooled
    for report in pooled:
        again = judged_again(report, KNOWN)
        assert len(again.violations) == len(report.violations)
        for one, other in zip(again.violations, report.violations, strict=True):
            assert one.finding is not None
            assert other.finding is not None
            assert one.finding.p_value == pytest.approx(other.finding.p_value, rel=1e-9)
            assert one.finding.effect == pytest.approx(other.finding.effect, rel=1e-9)


def jumps(seed: int, hours: int, rows: int, per_row: int = 1) -> tuple[Baseline, list[Ints]]:
    """Windows that jump each hour by a cycle of four, in which ``per_row`` rows are alike."""
    rng = np.random.default_rng(seed)
    levels = (0.0, 0.8, -0.8, 0.3)

    def part(hour: int, size: int) -> dict[str, Values]:
        return {"x": np.repeat(rng.normal(levels[hour % 4], 1.0, size // per_row), per_row)}

    parts = {hour: part(hour, 3_000) for hour in range(24)}
    whole = baseline(joined(parts))
    profiles: dict[Key, Profile] = {
        (str(hour),): window(whole.layout, values) for hour, values in parts.items()
    }
    known = whole.seasonal(Seasons(BY_HOUR, profiles))
    tallies = tally_layout(known)
    return known, [
        tallies.tallies(window(whole.layout, part(hour, rows)).counts) for hour in range(hours)
    ]


def test_a_cycle_is_no_dependence_of_rows_on_each_other() -> None:
    known, windows = jumps(57, 63, 400)
    seasonal = seasonal_tallies(known)
    assert seasonal is not None
    expected = seasonal.expected([(hour * HOUR_MS, None) for hour in range(len(windows))])
    assert stream_factor(tally_layout(known), windows)[0] > 10.0
    assert stream_factor(tally_layout(known), windows, expected)[0] == 1.0


def test_rows_that_come_four_at_a_time_are_dependent_in_seasons_too() -> None:
    known, windows = jumps(58, 63, 400, per_row=4)
    seasonal = seasonal_tallies(known)
    assert seasonal is not None
    expected = seasonal.expected([(hour * HOUR_MS, None) for hour in range(len(windows))])
    # Of 62 pairs, the factor is known to within about a third.
    factor = stream_factor(tally_layout(known), windows, expected)[0]
    assert factor == pytest.approx(4.0, rel=0.5)


def test_an_open_window_is_looked_into_with_its_season() -> None:
    layout, ones = tally_layout(KNOWN), np.ones(4)
    whole = process_of(KNOWN.seasonal(None), ones)
    own = process_of(KNOWN, ones, 6 * HOUR_MS)
    values = cycle_rows(np.random.default_rng(59), 6, 500)
    rows = layout.tallies(window(KNOWN.layout, values).counts)
    log_e = [np.logaddexp.reduce(each.log_e_values(rows[None]))[0, 0] for each in (whole, own)]
    assert log_e[0] > 20.0
    assert log_e[1] < 3.0


def test_a_backtest_measures_windows_against_their_seasons_as_a_job_does() -> None:
    layout, seasonal = tally_layout(KNOWN), seasonal_tallies(KNOWN)
    running, plain = RunningHistory(layout), History()
    for hour, profile in enumerate(hourly(62, 30)):
        start_ms, tallies = hour * HOUR_MS, layout.tallies(profile.counts)
        assert running.factor(layout, start_ms, seasonal).tolist() == (
            plain.factor(layout, start_ms, seasonal).tolist()
        )
        pairs = zip(running.rows(layout, start_ms), plain.rows(layout, start_ms), strict=True)
        for (one_ms, one), (other_ms, other) in pairs:
            assert one_ms == other_ms
            np.testing.assert_array_equal(one, other)
        running.sums(start_ms, tallies)
        running.add_judged(start_ms, start_ms + HOUR_MS)
        plain.add(PastWindow(start_ms, start_ms + HOUR_MS, tallies))
