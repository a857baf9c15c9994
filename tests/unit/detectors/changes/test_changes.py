"""Change detectors in the judge: their series, the effect of an alarm, and the kept state."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from detectors.changes.adwin import Adwin
from detectors.changes.base import MAX_VALUES, Change
from detectors.changes.page_hinkley import PageHinkley
from detectors.decisions.episodes import EpisodeState
from detectors.decisions.judge import Judge, WindowSpan
from detectors.decisions.rules import FeatureRules, Rules
from detectors.report import Signal, WindowReport
from stream.testing.baselines import Values, baseline, window

BASE = baseline({"x": np.random.default_rng(1).normal(100.0, 20.0, 10_000)})
LOOSE = Rules(limit=100.0)
"""No distance violates, so that all violations come from change detectors."""


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


def test_an_alarm_opens_an_episode_at_once_and_restarts_the_series() -> None:
    feature = BASE.layout.features[0]
    windows = [of_mean(feature.center)] * 2 + [of_mean(feature.center + feature.scale)] * 2
    state, reports, signals = run(judge_of(Longest(feature="x", length=3)), windows)
    assert [len(report.violations) for report in reports] == [0, 0, 1, 0]
    (violation,) = reports[2].violations
    assert (violation.feature, violation.check, violation.statistic) == (
        "x",
        "change_check",
        "mean",
    )
    assert violation.overwhelming
    assert violation.summary == "mean changed from 0 to 1 baseline deviations (longest, 3 windows)"
    assert reports[2].state == "violations"
    assert [(signal.kind, signal.start_ms) for signal in signals] == [("opened", 2)]
    assert len(state.series["x/mean"]) == 1


def test_detectors_of_one_series_share_a_single_copy_of_its_values() -> None:
    state, _, _ = run(
        judge_of(Longest(feature="x", length=8), Longest(feature="x", length=9)),
        [of_mean(100.0)] * 4,
    )
    assert len(state.series["x/mean"]) == 4


def test_an_alarm_of_one_detector_restarts_the_series_for_all_that_share_it() -> None:
    state, reports, _ = run(
        judge_of(Longest(feature="x", length=2), Longest(feature="x", length=3)),
        [of_mean(100.0)] * 4,
    )
    assert [len(report.violations) for report in reports] == [0, 1, 0, 1]
    assert state.series["x/mean"] == ()


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
