"""Brief reports: the states, violations, signals and memory of full ones, whatever the windows."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec
import numpy as np
import pytest

from detectors.decisions.brief_judge import BriefJudge
from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.rules import Rules
from detectors.decisions.window_span import WindowSpan
from detectors.profiles.baseline import Constraint
from detectors.report import Signal, WindowReport
from detectors.statistics.evidence.horizons import History, PastWindow
from detectors.statistics.evidence.tallies import tally_layout
from stream.testing.baselines import Values, baseline, normal, texts, window

HOUR_MS = 3_600_000
WINDOWS = 60
SEED = secrets.randbits(32)
BASE = baseline(
    {
        "x": normal(1, 3_000),
        "code": [1.0] * 2_000 + [2.0] * 1_000,
        "city": texts({"a": 1_500, "b": 1_000, "c": 500}),
        "free": texts({"a": 1_500, "b": 1_500}),
        "odd": [float(k % 40) for k in range(3_000)],
    },
    {
        "city": Constraint(completeness=1.0, domains=("a", "b", "c")),
        "odd": Constraint(completeness=1.0, type="Fractional"),
        "x": Constraint(completeness=1.0, non_negative=False),
    },
)


def rows(k: int) -> dict[str, Values]:
    """Mostly calm windows, and all kinds of faults in between; some stay for several windows."""
    rng = np.random.default_rng([SEED, k])
    n = 0 if k == 7 else 30 if k % 11 == 0 else 300
    fault = k // 3 % 12
    drawn: dict[str, Any] = {
        "x": rng.normal(1.5 if fault == 1 else 0.0, 1, n),
        "code": rng.choice([1.0, 2.0], n, p=[0.2, 0.8] if fault == 3 else [2 / 3, 1 / 3]),
        "city": rng.choice(list("abc"), n, p=[1 / 2, 1 / 3, 1 / 6]).tolist(),
        "free": rng.choice(list("ab"), n).tolist(),
        "odd": rng.integers(0, 40, n).astype(float),
    }
    if fault == 5:
        drawn["city"][: n // 4] = ["new"] * (n // 4)
    if fault == 7:
        drawn["odd"] = rng.integers(0, 40, n) + 0.5
    if fault == 9:
        drawn["free"] = [None] * n
    return drawn


def lived(mode: str, *, brief: bool, **changes: Any) -> tuple[list[WindowReport], list[Signal]]:
    kind = BriefJudge if brief else Judge
    judge = kind("j", msgspec.convert({"mode": mode, **changes}, Rules), every_ms=HOUR_MS)
    state, history = EpisodeState(), History()
    reports, signals = [], []
    for k in range(WINDOWS):
        span = WindowSpan(
            model="m",
            variant="v",
            start_ms=k * HOUR_MS,
            end_ms=(k + 1) * HOUR_MS,
            incomplete=k % 17 == 5,
            learning=k < 2,
            too_narrow=50 if k == 40 else 0,
        )
        profile = window(BASE.layout, rows(k))
        report = judge.report(span, BASE, profile, state, history)
        if judge.remembers(report):
            tallies = tally_layout(BASE).tallies(profile.counts)
            history.add(PastWindow(span.start_ms, span.end_ms, tallies))
        state, raised = judge.advance(state, report, BASE)
        reports.append(report)
        signals += [msgspec.structs.replace(signal, figures=()) for signal in raised]
    return reports, signals


@pytest.mark.parametrize("mode", ["evidence", "threshold", "sagemaker", "sagemaker-compat"])
def test_brief_reports_give_the_same_verdicts_and_signals(mode: str) -> None:
    print(f"seed {SEED}")  # noqa: T201
    brief, signals = lived(mode, brief=True)
    full, wanted = lived(mode, brief=False)
    told = [(r.id, r.state, r.rows, r.violations) for r in brief]
    assert told == [(r.id, r.state, r.rows, r.violations) for r in full]
    assert signals == wanted
    assert all(
        msgspec.json.encode(r) == msgspec.json.encode(whole)
        for r, whole in zip(brief, full, strict=True)
        if r.features
    )
    assert {"ok", "violations"} <= {r.state for r in full}
    if mode in ("evidence", "threshold"):
        assert wanted
        assert any(not r.features for r in brief if r.state == "ok")


def test_with_conditions_every_report_is_a_full_one() -> None:
    reports, _ = lived("evidence", brief=True, conditions=["mean(x) > 100"])
    assert all(report.features for report in reports)
