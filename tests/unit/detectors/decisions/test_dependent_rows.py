"""Windows of rows that depend on each other, judged by evidence."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.decisions.early_look import process_of
from detectors.profiles.dependence import Dependence
from stream.commands.judged_again import judged_again
from stream.testing.baselines import Values, baseline
from tests.unit.detectors.decisions.evidence_stream import run, signals

RHO = 0.9


def autoregressive(rows: int, seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).normal(0, 1, rows)
    for t in range(1, rows):
        values[t] = RHO * values[t - 1] + np.sqrt(1 - RHO * RHO) * values[t]
    return values


BASE = baseline({"x": autoregressive(20_000, 1)})
ORDERED = BASE.depending(Dependence((16, 128), {"x": (8.0, 18.0)}))


def frames(windows: int, seed: int, shift: float = 0.0) -> list[dict[str, Values]]:
    values = autoregressive(100 * windows, seed) + shift
    return [{"x": values[100 * k : 100 * k + 100]} for k in range(windows)]


@pytest.mark.parametrize("seed", range(3))
def test_dependent_rows_signal_only_where_nothing_is_known_of_them(seed: int) -> None:
    assert signals(run(frames(80, seed), base=ORDERED)) == []


def test_a_stream_alone_shows_after_some_windows_that_its_rows_depend() -> None:
    results = run(frames(150, 4), base=BASE)
    violating = [k for k, each in enumerate(results) if each.report.violations]
    assert max(violating, default=0) < 20


def test_a_shift_is_still_found() -> None:
    results = run([*frames(40, 5), *frames(20, 6, shift=2.0)], base=ORDERED)
    assert [(kind, 40 <= k < 50) for k, kind in signals(results)][:1] == [("opened", True)]


def test_looks_into_open_windows_know_it_too() -> None:
    assert process_of(ORDERED, np.ones(1)).factor.tolist() == [18.0]
    assert process_of(BASE, np.array([5.0])).factor.tolist() == [5.0]
    assert process_of(BASE, np.ones(1)).factor.tolist() == [1.0]
    assert process_of(BASE, np.ones(1)) is process_of(BASE, np.ones(1))


def test_a_report_states_the_factor_and_is_judged_again_by_it() -> None:
    report = run([*frames(40, 5), *frames(1, 6, shift=6.0)], base=ORDERED)[-1].report
    assert report.violations
    evidence = report.features[0].evidence
    assert evidence is not None
    assert evidence.factor >= 15.0
    again = judged_again(report, ORDERED)
    assert again.features[0].evidence == evidence
    assert again.violations == report.violations


@pytest.mark.parametrize("factor", [18.0, 57.8, 1_000.0])
def test_a_column_without_values_is_signalled_at_once_whatever_its_values_depend_on(
    factor: float,
) -> None:
    known = BASE.depending(Dependence((16, 128), {"x": (factor, factor)}))
    values = autoregressive(45 * 30, 7)
    calm: list[dict[str, Values]] = [{"x": values[45 * k : 45 * k + 45]} for k in range(30)]
    results = run([*calm, {"x": [None] * 45}], base=known)
    assert [signal for signal in signals(results) if signal[0] < 30] == []
    assert [(reason.check, reason.feature) for reason in results[30].signals[0].reasons] == [
        ("missing_column_check", "x")
    ]


def bursts(rows: int, seed: int) -> dict[str, Values]:
    """A feature of which runs of about twenty rows, a tenth of all, have no value."""
    rng = np.random.default_rng(seed)
    lost = np.repeat(rng.random(rows // 20 + 1) < 0.1, 20)[:rows]
    values = rng.normal(0, 1, rows)
    return {"x": [None if gone else v for gone, v in zip(lost, values, strict=True)]}


def test_missing_rows_that_come_in_bursts_are_judged_by_their_own_dependence() -> None:
    known = baseline(bursts(20_000, 8)).depending(Dependence((16, 128), {"x": (15.0, 20.0)}))
    frames = [bursts(100, 100 + k) for k in range(100)]
    assert signals(run(frames, base=known)) == []
    broken: list[dict[str, Values]] = [{"x": [None] * 90 + [0.0] * 10}] * 4
    assert signals(run([*frames[:20], *broken], base=known)) != []


@pytest.mark.parametrize(("shift", "noted"), [(0.0, False), (1.0, True)])
def test_a_first_window_in_which_all_features_differ_says_so(shift: float, noted: bool) -> None:
    """It is not taken for drift yet: rows that depend on each other look alike."""
    rng = np.random.default_rng(11)
    names = [f"x{k}" for k in range(12)]
    base = baseline({name: rng.normal(0, 1, 5_000) for name in names})
    (first,) = run([{name: rng.normal(shift, 1, 500) for name in names}], base=base)
    assert first.report.state == "ok"
    said = [note for note in first.report.notes if "most features differ" in note]
    assert bool(said) is noted
