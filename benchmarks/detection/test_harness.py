"""The generators and the bound against closed forms, and a planted drift beside a calm stream."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.detection import bound, calm, causes, early, power, service, tables
from benchmarks.detection.dependent import autoregressive, correlated, daily_cycle
from benchmarks.detection.kinds import DRIFTS, KINDS, DriftTrial, Values
from benchmarks.detection.peers.fixed import Fixed
from benchmarks.detection.service_events import WrittenModel, write_events
from benchmarks.detection.streams import baseline_of, fold


@pytest.mark.parametrize(("limit", "calm", "shifted"), [(4.0, 168.0, 8.38), (5.0, 465.0, 10.4)])
def test_the_run_lengths_of_cusum_are_those_of_montgomery(
    limit: float, calm: float, shifted: float
) -> None:
    # Introduction to Statistical Quality Control, table 9.3: k = 1/2, a shift of one deviation.
    # Two charts, up and down, signal falsely twice as often as one
    assert bound.run_length(-0.5, limit) / 2.0 == pytest.approx(calm, rel=0.02)
    assert bound.run_length(0.5, limit) == pytest.approx(shifted, rel=0.03)


def test_the_limit_of_cusum_gives_the_run_length_that_was_asked() -> None:
    limit = bound.limit_for(0.25, 1e6)
    assert bound.run_length(-0.125, limit) == pytest.approx(1e6, rel=1e-6)


def test_a_simulated_cusum_takes_as_long_as_its_run_length_says() -> None:
    limit = bound.limit_for(1.0, 43_200.0 * 20 * 100)
    assert bound.events_to_signal(1.0, 100, seed=1) == pytest.approx(
        bound.run_length(0.5, limit), rel=0.1
    )


@pytest.mark.parametrize("rho", [0.5, 0.9])
def test_an_autoregressive_series_has_its_correlation_also_from_call_to_call(rho: float) -> None:
    rows = autoregressive(rho)(("normal",), np.random.default_rng(1))
    pieces = [rows(0, 50)["normal#0"] for _ in range(4_000)]
    within = np.corrcoef(
        np.concatenate([p[:-1] for p in pieces]), np.concatenate([p[1:] for p in pieces])
    )
    between = np.corrcoef([p[-1] for p in pieces[:-1]], [p[0] for p in pieces[1:]])
    assert np.var(pieces) == pytest.approx(1.0, abs=0.1)
    assert within[0, 1] == pytest.approx(rho, abs=0.02)
    assert between[0, 1] == pytest.approx(rho, abs=0.06)


def test_correlated_features_have_variance_one_and_their_correlation() -> None:
    rows = correlated(0.9)(("normal", "normal"), np.random.default_rng(2))(0, 100_000)
    covariance = np.cov(rows["normal#0"], rows["normal#1"])
    assert covariance == pytest.approx(np.array([[1.0, 0.9], [0.9, 1.0]]), abs=0.02)


def test_a_daily_cycle_is_highest_at_six_and_lowest_at_eighteen() -> None:
    rows = daily_cycle(0.5, 1_000)(calm.CYCLE, np.random.default_rng(3))
    means = [rows(minute * 1_000, 20_000)["normal#0"].mean() for minute in (350, 1_070)]
    assert means == pytest.approx([0.5, -0.5], abs=0.05)


def _change(drift: str) -> tuple[Values, Values]:
    """100,000 values of the drift's kind, and what the drift makes of them."""
    random = np.random.default_rng(4)
    before = KINDS[DRIFTS[drift].kind].draw(random, 100_000)
    return before, DRIFTS[drift].change(random, before, np.arange(len(before)) // 1_000)


@pytest.mark.parametrize(
    ("drift", "share"),
    [
        ("nulls 5 %", 0.05),
        ("top 1 % doubled", 0.01),
        ("sentinel -999 in 2 %", 0.02),
        ("new value 1 %", 0.01),
        ("x 1000 in 2 %", 0.02),
    ],
)
def test_a_drift_of_some_rows_changes_their_share(drift: str, share: float) -> None:
    before, after = _change(drift)
    assert (after != before).mean() == pytest.approx(share, rel=0.1)


@pytest.mark.parametrize(
    ("drift", "shares"),
    [
        ("2 % value gone", [0.4592, 0.3061, 0.1837, 0.051, 0.0]),
        ("5 % value gone", [0.4737, 0.3158, 0.1895, 0.0, 0.0211]),
        ("mix TV 0.1", [0.35, 0.36, 0.22, 0.05, 0.02]),
    ],
)
def test_a_drift_of_texts_has_its_shares(drift: str, shares: list[float]) -> None:
    _, after = _change(drift)
    assert np.bincount(after, minlength=5) / len(after) == pytest.approx(shares, abs=0.006)


def test_drifts_of_all_rows_change_each_value_as_they_are_named() -> None:
    before, after = _change("shift 0.25")
    np.testing.assert_allclose(after - before, 0.25)
    before, after = _change("unit F to C")
    np.testing.assert_allclose(after * 1.8 + 32.0, before)
    before, after = _change("ramp .02 a window")
    np.testing.assert_allclose((after - before)[[0, 999, 1_000, 99_999]], [0.02, 0.02, 0.04, 2.0])


def test_every_method_sees_the_same_values_of_a_trial() -> None:
    trial = DriftTrial("mix TV 0.2", 100, 500, base=1, repeat=2, most=20)
    first, again = (np.concatenate([v for _, v in trial.windows(7)]) for _ in range(2))
    assert len(first) == 20 * 100
    np.testing.assert_array_equal(first, again)
    other = np.concatenate([v for _, v in trial._replace(repeat=3).windows(7)])
    assert (first != other).any()


def test_a_window_holds_its_own_rows() -> None:
    values = np.array([5.0, 1.0, 2.0, np.nan, 3.0, 4.0])
    baseline = baseline_of(("normal",), {"normal#0": np.arange(1.0, 101.0) + 0.5})
    profiles = fold(baseline, ("normal",), {"normal#0": values}, 3)
    assert [profile.rows for profile in profiles] == [3, 3]


def test_a_planted_drift_is_signalled_and_a_calm_stream_is_not() -> None:
    trials = power.Trials("unit F to C", "driftline threshold", 1_000, 0, 2, 4)
    assert power.delays(trials, seed=8).windows == (1, 1)
    stream = calm.CalmStream("20 features", "threshold", 2_000, 1_000, 8, 0)
    assert calm.listen(stream, seed=8).signals == {}


def test_a_frozen_feature_is_seen_within_a_look_and_quiet_windows_are_not() -> None:
    (wait,) = early.seconds_to_signal(early.EarlyFault("frozen at the mean", 0, 1), seed=10)
    assert 0.0 < wait <= 2.0
    assert early.false_looks(early.QuietLooks(0, 1), seed=10) == (1, 0)


def test_a_unit_change_is_named_and_counted_as_right() -> None:
    fault = next(iter(causes.KNOWN))
    task, outcomes = causes.name_causes(causes.FaultTrials(fault, 2), seed=11)
    assert outcomes == {"right": 2}
    assert causes.figures([(task, outcomes), (task, {"wrong": 1, "right": 1})])["right"] == 1


def test_the_waits_of_a_fault_never_found_have_no_largest() -> None:
    results = [(early.EarlyFault("shift 0.5", 0, 4), [0.5, 1.0, 2.0, float("inf")])]
    (row,) = early.figures(results)["faults"]
    assert (row["median_s"], row["p95_s"], row["before"]) == (1.0, None, 0)


def test_the_figures_of_power_count_a_drift_never_found_as_late() -> None:
    trials = power.Trials("shift 0.1", "driftline threshold", 100, 0, 4, 20)
    (row,) = power.figures([power.Delays(trials, (1, 3, 12, None))])
    assert (row["within_1"], row["within_3"], row["within_10"]) == (0.25, 0.5, 0.5)
    assert row["median_windows"] == 7.5


def test_the_sums_of_calm_streams_add_up_over_their_repeats() -> None:
    stream = calm.CalmStream("20 features", "threshold", 500, 100, 10, 0)
    spoken = [
        calm.Spoken(stream._replace(repeat=k), k, {"opened": k}, {"normal#0 x": k}) for k in (1, 2)
    ]
    (row,) = calm.figures(spoken)
    assert (row["windows"], row["violating"], row["signals"]) == (20, 3, {"opened": 3})


def test_the_fixed_methods_flag_a_shift_of_one_deviation_and_no_equal_sample() -> None:
    random = np.random.default_rng(9)
    reference = {"normal#0": random.normal(size=20_000)}
    fixed: Any = Fixed()
    watch = fixed.watch(("normal",), reference, 1_000)
    shifted = watch.flags({"normal#0": random.normal(1.0, 1.0, 2_000)})
    assert all(flags.all() for flags in shifted.values())
    assert set(shifted) == {"KS/chi2", "PSI", "SageMaker"}
    same = watch.flags({"normal#0": reference["normal#0"][:1_000]})
    assert not same["PSI"].any()
    assert not same["SageMaker"].any()


def test_the_windows_of_a_run_are_about_as_many_as_asked() -> None:
    streams = calm.everyday("threshold", 10_000)
    assert sum(stream.windows for stream in streams) == pytest.approx(10_000, rel=0.02)
    assert {stream.m for stream in streams} == set(calm.BASELINES)


def _delivered(row: service.ServiceRow, *signals_in: int, rows_lost: int = 0) -> dict[str, Any]:
    """The outcome of a row whose signals come at the end of some windows, from 1."""
    windows = row.calm + row.drifted
    reports: Any = [
        SimpleNamespace(rows=row.n - (k == 0) * rows_lost, state="violations" if k == 2 else "ok")
        for k in range(windows)
    ]
    signals: Any = [
        SimpleNamespace(kind="opened", end_ms=service.START_MS + k * 60_000) for k in signals_in
    ]
    return service.outcome(row, reports, signals)


def test_a_row_of_the_service_is_kept_where_its_signal_comes_in_time_and_no_other() -> None:
    row = service.ServiceRow("r", 100, 4, "shift 0.5", 3, 2)
    assert _delivered(row, 5)["found_in_window"] == 1
    kept = {
        signals: _delivered(row, *signals)["kept"] for signals in [(5,), (6,), (7,), (3, 5), ()]
    }
    assert kept == {(5,): True, (6,): True, (7,): False, (3, 5): False, (): False}


def test_a_row_of_the_service_without_drift_may_have_so_many_signals_and_violations() -> None:
    row = service.ServiceRow("r", 100, 20, signals=1)
    assert [_delivered(row, *range(1, k + 1))["kept"] for k in range(3)] == [True, True, False]
    assert not _delivered(row._replace(violating=0.04))["kept"]
    assert _delivered(row._replace(violating=0.05))["kept"]


def test_rows_that_no_report_has_are_told() -> None:
    row = service.ServiceRow("r", 100, 20)
    assert _delivered(row)["all_rows_counted"]
    assert not _delivered(row, rows_lost=1)["all_rows_counted"]


@pytest.mark.parametrize(
    ("told_s", "kept"), [([10.5], True), ([12.5], False), ([9.0, 10.5], False), ([], False)]
)
def test_an_early_signal_is_timed_from_its_fault(told_s: list[float], kept: bool) -> None:
    outcome = service.early_outcome("all null", told_s, 10.0)
    assert outcome["kept"] == kept
    assert outcome["false_signals"] == (9.0 in told_s)


def test_every_figure_that_was_asked_is_a_row_of_the_service() -> None:
    names = {row.name for row in service.rows()}
    assert {f"{drift}, n = {n:,}" for n, drift, _ in tables.ASKED} <= names


def test_events_are_written_in_order_of_time_with_their_values(tmp_path: Path) -> None:
    kinds = ("missing30", "codes", "text3")
    model = WrittenModel("m", kinds, tmp_path / "m.jsonl", tmp_path)
    columns = {
        "missing30#0": np.array([1.5, np.nan]),
        "codes#0": np.array([3.0, 4.0]),
        "text3#0": np.array([2, 0]),
    }
    write_events(model, [columns, columns], 1_000, 2)
    model.append(model.undated(columns), 99)
    lines = [json.loads(line) for line in model.events.read_text().splitlines()]
    assert [line["time"] for line in lines] == [1_000, 31_000, 61_000, 91_000, 99, 99]
    assert lines[1] == {
        "time": 31_000,
        "model": "m",
        "request": {"missing30#0": None, "codes#0": 4, "text3#0": "a"},
    }


def test_the_table_of_the_service_names_what_was_not_kept() -> None:
    row = service.ServiceRow("r", 100, 4, "shift 0.5", 3, 2)
    late = _delivered(row, 7) | {"balanced": True}
    early = service.early_outcome("all null", [10.5], 10.0)
    early |= {"balanced": True, "all_rows_counted": True}
    late_line, early_line = tables.service_table({"rows": [late, early]}).splitlines()[2:]
    assert late_line == "| r | a signal within 2 windows | window 3 | 0 | no | yes |"
    assert "| 0.50 s | 0 | yes | yes |" in early_line
