"""Change detectors in the judge: their series, the effect of an alarm, and the kept state."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import pytest

from detectors.arrays import Floats
from detectors.changes.adwin import Adwin
from detectors.changes.base import MAX_VALUES, Change
from detectors.changes.page_hinkley import PageHinkley
from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.episodes import advance
from detectors.decisions.judge import Judge
from detectors.decisions.rules import FeatureRules, Rules
from detectors.decisions.series import SeriesWatch
from detectors.decisions.window_span import WindowSpan
from detectors.report import Signal, WindowReport
from stream.testing.baselines import Values, baseline, window

BASE = baseline({"x": np.random.default_rng(1).normal(100.0, 20.0, 10_000)})
LOOSE = Rules(mode="threshold", limit=100.0)
"""No distance violates, so that all violations come from change detectors."""
AT_ONCE = Rules(mode="threshold", limit=100.0, cooldown="0s")
"""The cool-down is that of three windows."""


class Longest(Change, frozen=True, kw_only=True, tag="longest"):
    """Alarms at a length of the series."""

    length: int = 3

    def alarms(self, series: Sequence[float]) -> bool:
        return len(series) == self.length


def judge_of(*changes: Change, rules: Rules = LOOSE) -> Judge:
    return Judge("j", rules, {"m": {"x": FeatureRules(enabled=False)}}, {"m": changes})


def run(
    judge: Judge, windows: Sequence[Values], state: EpisodeState | None = None
) -> tuple[EpisodeState, list[WindowReport], list[Signal]]:
    state = state or EpisodeState()
    reports = []
    signals = []
    for k, values in enumerate(windows):
        report = judge.report(
            WindowSpan(model="m", variant="v", start_ms=k, end_ms=k + 1),
            BASE,
            window(BASE.layout, {"x": values}),
            state,
        )
        state, new = judge.advance(state, report, BASE)
        reports.append(report)
        signals += new
    return state, reports, signals


def of_mean(mean: float, rows: int = 400) -> list[float | None]:
    half = [mean - 20.0, mean + 20.0]
    return [value for _ in range(rows // 2) for value in half]


def test_a_mean_is_in_baseline_deviations_from_the_baselines_mean() -> None:
    state, _, _ = run(judge_of(Longest(feature="x", length=9)), [of_mean(100.0), of_mean(140.0)])
    feature = BASE.layout.features[0]
    expected = [(mean - feature.center) / feature.scale for mean in (100.0, 140.0)]
    assert state.series == {"x/mean": pytest.approx(expected, rel=1e-9)}


def test_completeness_and_distances_are_taken_from_the_report() -> None:
    changes = (
        Longest(feature="x", series="completeness", length=9),
        Longest(feature="x", series="ks", length=9),
    )
    half: list[float | None] = [*of_mean(100.0, 200), *[None] * 200]
    state, (report,), _ = run(judge_of(*changes), [half])
    assert state.series["x/completeness"] == (0.5,)
    assert state.series["x/ks"] == (report.features[0].distances["ks"],)


def levels(*means: float) -> list[list[float | None]]:
    """Windows whose means are that many deviations from the baseline's."""
    feature = BASE.layout.features[0]
    return [of_mean(feature.center + feature.scale * mean) for mean in means]


def at(signals: list[Signal]) -> list[tuple[int, str]]:
    return [(signal.start_ms, signal.kind) for signal in signals]


def test_an_alarm_is_a_violation_that_needs_a_second_window_for_a_signal() -> None:
    state, reports, signals = run(judge_of(Longest(feature="x", length=3)), levels(0, 0, 1, 1))
    assert [len(report.violations) for report in reports] == [0, 0, 1, 1]
    (violation,) = reports[2].violations
    assert (violation.feature, violation.check, violation.statistic) == (
        "x",
        "change_check",
        "mean",
    )
    assert not violation.overwhelming
    assert (violation.value, violation.limit) == pytest.approx((1.0, 0.5), rel=1e-9)
    assert violation.summary == (
        "mean 1 baseline deviations: its level changed from 0 (mean of 2 windows) to 1 (longest);"
        " changed beyond 0.5"
    )
    assert reports[2].state == "violations"
    assert at(signals) == [(3, "opened")]
    assert state.series["x/mean"] == ()


def test_a_single_absurd_window_is_no_signal() -> None:
    _, reports, signals = run(judge_of(Longest(feature="x", length=3)), levels(0, 0, 9, *[0] * 6))
    assert [len(report.violations) for report in reports] == [0, 0, 1, *[0] * 6]
    assert signals == []


def test_an_episode_lasts_as_long_as_the_change_and_its_return_opens_nothing() -> None:
    means = [*[0.0] * 30, *[3.0] * 20, *[0.0] * 60]
    state, reports, signals = run(judge_of(PageHinkley(feature="x")), levels(*means))
    assert [kind for _, kind in at(signals)] == ["opened", "recovered"]
    opened, recovered = (start for start, _ in at(signals))
    assert 31 <= opened <= 38
    assert recovered == 51
    assert all(report.violations for report in reports[opened:50])
    assert not any(report.violations for report in reports[50:])
    assert state.changed == {}
    assert len(state.series["x/mean"]) == 110 - 53


def test_a_level_beyond_the_old_one_has_not_returned() -> None:
    means = [*[0.0] * 30, *[3.0] * 20, *[-3.0] * 20]
    _, reports, signals = run(judge_of(PageHinkley(feature="x")), levels(*means))
    assert [kind for _, kind in at(signals)] == ["opened"]
    (violation,) = reports[-1].violations
    assert violation.value < violation.limit < 0


def test_a_second_change_after_the_first_has_recovered_is_found() -> None:
    means = [*[0.0] * 30, *[3.0] * 20, *[0.0] * 60, *[3.0] * 20]
    _, _, signals = run(judge_of(PageHinkley(feature="x"), rules=AT_ONCE), levels(*means))
    kinds = [kind for _, kind in at(signals) if kind != "reminder"]
    assert kinds == ["opened", "recovered", "opened"]


CALM: dict[str, Callable[[np.random.Generator], Floats]] = {
    "few rows": lambda rng: rng.normal(0.0, 0.1, 250),
    "many rows": lambda rng: rng.normal(0.0, 0.01, 250),
    "a far level": lambda rng: rng.normal(7.0, 0.5, 250),
    "skewed": lambda rng: rng.chisquare(9, 250) / 30.0,
    "heavy tails": lambda rng: 0.05 * rng.standard_t(4, 250),
    "dependent": lambda rng: np.convolve(rng.normal(0.0, 0.1, 252), np.full(3, 0.5), "valid"),
    "constant": lambda rng: np.ones(250),
}


@pytest.mark.parametrize("detector", [PageHinkley, Adwin])
def test_calm_series_of_any_kind_give_no_signal_with_the_default_settings(
    detector: type[Change],
) -> None:
    """In 14 series of 250 windows, one false alarm that a second window confirms is chance."""
    opened = {
        (kind, seed): signals_of(detector(feature="x"), draw(np.random.default_rng([11, seed])))
        for kind, draw in CALM.items()
        for seed in range(2)
    }
    assert sum(opened.values()) <= 1, opened


def signals_of(change: Change, values: Floats) -> int:
    """The number of episodes that a series of means opens, without counting any rows."""
    watch, state, opened = SeriesWatch({"m": [change]}), EpisodeState(), 0
    center, scale = BASE.layout.features[0].center, BASE.layout.features[0].scale
    first = run(judge_of(), levels(0.0))[1][0]
    for k, value in enumerate(values.tolist()):
        moved = msgspec.structs.replace(first.features[0], mean=center + scale * value)
        violations = tuple(watch.violations("m", [moved], BASE, state))
        window_report = msgspec.structs.replace(
            first,
            start_ms=k * 60_000,
            end_ms=(k + 1) * 60_000,
            state="violations" if violations else "ok",
            features=(moved,),
            violations=violations,
        )
        state = watch.extend(state, window_report, BASE)
        state, new = advance(state, window_report, LOOSE)
        opened += sum(signal.kind == "opened" for signal in new)
    return opened


@pytest.mark.parametrize(("step", "within"), [(2.0, 20), (3.0, 12), (6.0, 7), (50.0, 7)])
@pytest.mark.parametrize("detector", [PageHinkley, Adwin])
def test_a_step_of_some_deviations_is_signalled_soon_at_any_scale(
    detector: type[Change], step: float, within: int
) -> None:
    found = 0
    for seed, unit in enumerate((0.05, 0.3, 2.0)):
        values = np.random.default_rng([12, seed]).normal(0.0, unit, 60 + within)
        values[60:] += step * unit
        found += signals_of(detector(feature="x"), values)
    assert found >= 2


def test_detectors_of_one_series_share_a_single_copy_of_its_values() -> None:
    state, _, _ = run(
        judge_of(Longest(feature="x", length=8), Longest(feature="x", length=9)),
        [of_mean(100.0)] * 4,
    )
    assert len(state.series["x/mean"]) == 4


def test_a_change_is_reported_once_for_all_detectors_that_share_its_series() -> None:
    state, reports, _ = run(
        judge_of(Longest(feature="x", length=2), Longest(feature="x", length=3)), levels(0, 1, 1, 1)
    )
    assert [len(report.violations) for report in reports] == [0, 1, 1, 1]
    assert state.series["x/mean"] == ()
    assert state.changed["x/mean"].after == pytest.approx(1.0)


@pytest.mark.parametrize("span", [{"incomplete": True}, {"learning": True}])
def test_windows_without_a_verdict_are_not_part_of_a_series(span: dict[str, bool]) -> None:
    judge = judge_of(Longest(feature="x", length=1))
    state = EpisodeState()
    span_without_verdict = msgspec.convert(
        {"model": "m", "variant": "v", "start_ms": 0, "end_ms": 1, **span}, WindowSpan
    )
    report = judge.report(
        span_without_verdict, BASE, window(BASE.layout, {"x": of_mean(100.0)}), state
    )
    assert report.violations == ()
    assert judge.advance(state, report, BASE) == (state, [])


def test_windows_with_too_few_rows_are_not_part_of_a_series() -> None:
    state, (report,), _ = run(judge_of(Longest(feature="x", length=1)), [of_mean(100.0, 98)])
    assert (report.state, report.violations, state.series) == ("insufficient", (), {})


def test_a_window_without_a_mean_leaves_the_series_unchanged() -> None:
    state, _, _ = run(
        judge_of(Longest(feature="x", length=9)), [of_mean(100.0), [None] * 400, of_mean(100.0)]
    )
    assert len(state.series["x/mean"]) == 2


def test_a_revision_is_not_part_of_a_series() -> None:
    judge = judge_of(Longest(feature="x", length=1))
    state = EpisodeState()
    report = judge.report(
        WindowSpan(model="m", variant="v", start_ms=0, end_ms=1, revision=1),
        BASE,
        window(BASE.layout, {"x": of_mean(100.0)}),
        state,
    )
    assert report.violations == ()


def test_the_series_is_bounded_and_drops_its_oldest_values() -> None:
    state = EpisodeState(series={"x/mean": tuple(float(k) for k in range(MAX_VALUES))})
    after, _, _ = run(judge_of(Longest(feature="x", length=2)), [of_mean(100.0)], state)
    assert len(after.series["x/mean"]) == MAX_VALUES
    assert after.series["x/mean"][0] == 1.0


def test_restoring_the_state_between_any_two_windows_changes_no_alarm() -> None:
    judge = judge_of(Adwin(feature="x"), PageHinkley(feature="x", series="ks"))
    rng = np.random.default_rng(2)
    windows = [
        of_mean(100.0 + float(rng.normal(0, 1)) + (30.0 if k >= 30 else 0.0)) for k in range(45)
    ]
    whole, reports, signals = run(judge, windows)
    state = EpisodeState()
    kept = []
    for k, values in enumerate(windows):
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=EpisodeState)
        report = judge.report(
            WindowSpan(model="m", variant="v", start_ms=k, end_ms=k + 1),
            BASE,
            window(BASE.layout, {"x": values}),
            state,
        )
        state, new = judge.advance(state, report, BASE)
        kept += new
    assert state == whole
    assert kept == signals
    first = next(k for k, report in enumerate(reports) if report.violations)
    assert 30 <= first <= 36
