"""From counts to a report, and from a report to a signal: states, ids, names, cost."""

from __future__ import annotations

import time

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from detectors.changes.page_hinkley import PageHinkley
from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.rules import FeatureRules, Rules
from detectors.decisions.window_span import WindowSpan
from detectors.profiles.baseline import Constraint, Constraints, Thresholds
from detectors.profiles.profile import Profile
from detectors.report import Signal, WindowReport
from detectors.statistics.catalogue import DISTANCES
from stream.testing.baselines import Values, baseline, normal, texts, window

SECRETS = {
    "Ms Miller": 4_000,
    "[private]": 3_000,
    "other diagnosis": 2_000,
    "unseen disease": 1_000,
}
BASE = baseline(
    {
        "x": normal(1, 10_000),
        "code": [40.0] * 5_000 + [41.0] * 3_000 + [42.0] * 2_000,
        "name": texts(SECRETS),
        "atom": [*[17.5] * 600, *np.random.default_rng(1).lognormal(3, 1, 9_400).tolist()],
    }
)
JUDGE = Judge("flights", Rules(mode="threshold"))
SPAN = {"model": "delay", "variant": "A", "start_ms": 0, "end_ms": 60_000}


def rows(count: int, seed: int = 5, mean: float = 0.0) -> dict[str, Values]:
    rng = np.random.default_rng(seed)
    return {
        "x": rng.normal(mean, 1, count),
        "code": rng.choice([40.0, 41.0, 42.0], count, p=[0.5, 0.3, 0.2]),
        "name": rng.choice(list(SECRETS), count, p=[0.4, 0.3, 0.2, 0.1]).tolist(),
        "atom": np.where(rng.random(count) < 0.06, 17.5, rng.lognormal(3, 1, count)),
    }


def judged(
    data: dict[str, Values] | None, span: WindowSpan | None = None, judge: Judge = JUDGE
) -> WindowReport:
    profile = window(BASE.layout, data) if data else Profile(BASE.layout)
    return judge.report(
        span or WindowSpan(model="delay", variant="A", start_ms=0, end_ms=60_000),
        BASE,
        profile,
        EpisodeState(),
    )


def signal_of(data: dict[str, Values], judge: Judge = JUDGE) -> Signal:
    _, (signal,) = judge.advance(EpisodeState(), judged(data, judge=judge), BASE)
    return signal


def test_a_clean_window_is_ok_and_reports_every_number_of_every_feature() -> None:
    data = rows(1_000)
    report = judged(data)
    assert (report.state, report.rows, report.violations) == ("ok", 1_000, ())
    assert [feature.name for feature in report.features] == ["x", "code", "name", "atom"]
    x, _, name, _ = report.features
    values = np.asarray(data["x"], dtype=float)
    assert (x.n, x.missing, x.completeness, x.nan, x.inf, x.types["fractional"]) == (
        1_000,
        0,
        1.0,
        0,
        0,
        1.0,
    )
    assert (x.mean, x.std) == pytest.approx((values.mean(), values.std()), rel=1e-9)
    assert (x.sum, x.min, x.max) == pytest.approx(
        (values.sum(), values.min(), values.max()), rel=1e-9
    )
    assert x.outlier_share is not None
    assert set(x.distances) == set(DISTANCES)
    assert (x.deciding, x.value, x.verdict) == ("psi", x.distances["psi"], "ok")
    assert x.limit is not None
    assert x.noise is not None
    assert x.limit >= x.noise
    assert (x.distances["l_infinity"], x.distances["chi_squared"]) == (None, None)
    assert (
        name.mean,
        name.min,
        name.outlier_share,
        name.distances["ks"],
        name.distances["wasserstein"],
    ) == (None,) * 5
    assert name.distances["l_infinity"] is not None


def test_the_id_names_job_model_variant_window_baseline_and_revision() -> None:
    report = judged(
        rows(200),
        WindowSpan(model="delay", variant="B", start_ms=60_000, end_ms=120_000, revision=2),
    )
    assert report.id == f"flights/delay/B/60000/120000/{BASE.fingerprint}/2"
    assert (report.baseline, report.layout) == (BASE.fingerprint, BASE.layout.fingerprint)


def test_a_report_holds_the_counts_from_which_it_was_computed() -> None:
    profile = window(BASE.layout, rows(300))
    report = JUDGE.report(
        WindowSpan(model="delay", variant="A", start_ms=0, end_ms=1), BASE, profile, EpisodeState()
    )
    assert Profile.decode(report.profile, BASE.layout).counts.tolist() == profile.counts.tolist()


def test_the_same_window_leads_to_the_same_bytes() -> None:
    assert msgspec.json.encode(judged(rows(500))) == msgspec.json.encode(judged(rows(500)))


@pytest.mark.parametrize(
    ("count", "mean", "span", "state"),
    [
        (1_000, 0.0, {}, "ok"),
        (1_000, 2.0, {}, "violations"),
        (99, 2.0, {}, "insufficient"),
        (1_000, 2.0, {"incomplete": True}, "incomplete"),
        (1_000, 2.0, {"learning": True}, "learning"),
        (1_000, 2.0, {"incomplete": True, "learning": True}, "incomplete"),
        (0, 0.0, {}, "insufficient"),
        (50, 0.0, {"too_narrow": 50}, "violations"),
        (950, 0.0, {"too_wide": 50}, "violations"),
    ],
)
def test_each_window_has_one_state(
    count: int, mean: float, span: dict[str, bool], state: str
) -> None:
    report = judged(
        rows(count, mean=mean) if count else None, msgspec.convert({**SPAN, **span}, WindowSpan)
    )
    assert report.state == state


@pytest.mark.parametrize("count", [30, 1_000])
def test_a_window_without_any_input_says_so_whatever_its_size(count: int) -> None:
    data: dict[str, Values] = dict.fromkeys(rows(1), [None] * count)
    report = judged(data)
    assert (report.state, report.rows) == ("no inputs", count)
    assert judged({**data, "code": [40.0, *[None] * (count - 1)]}).state != "no inputs"
    _, signals = JUDGE.advance(EpisodeState(), report, BASE)
    assert [signal.kind for signal in signals] == (["opened"] if count == 1_000 else [])


def test_an_empty_window_has_no_numbers_and_raises_no_error() -> None:
    report = judged(None)
    assert all(
        feature.completeness is None and feature.value is None for feature in report.features
    )
    assert {feature.verdict for feature in report.features} == {"insufficient"}
    assert report.notes == ("0 rows, fewer than the 100 of rules.min_n",)
    assert b"NaN" not in msgspec.json.encode(report)


def test_the_beginning_and_the_end_of_a_silence_are_reported_under_two_ids() -> None:
    begun = JUDGE.silence("delay", "A", 60_000, None)
    ended = JUDGE.silence("delay", "A", 60_000, 300_000)
    assert (begun.state, begun.end_ms, begun.revision) == ("no data", None, 0)
    assert (ended.state, ended.end_ms, ended.revision) == ("no data", 300_000, 1)
    assert begun.id != ended.id


def test_limits_and_switches_apply_to_their_model_only() -> None:
    judge = Judge("flights", Rules(mode="threshold"), {"delay": {"x": FeatureRules(enabled=False)}})
    other = WindowSpan(model="other", variant="A", start_ms=0, end_ms=60_000)
    assert judged(rows(1_000, mean=3.0), judge=judge).state == "ok"
    assert judged(rows(1_000, mean=3.0), other, judge).state == "violations"
    assert judged(rows(1_000), judge=judge).rules["judged_features"] == 3


def test_metrics_that_are_switched_off_are_judged_and_not_emitted() -> None:
    constraints = {name: Constraint() for name in ("x", "code", "name", "atom")}
    off = {**constraints, "x": Constraint(emit_metrics=False)}
    for limits, emitted in (
        (Constraints(constraints), {"x": True, "code": True}),
        (Constraints(off), {"x": False, "code": True}),
        (Constraints(constraints, Thresholds(emit_metrics=False)), {"x": False, "code": False}),
    ):
        report = JUDGE.report(
            WindowSpan(model="delay", variant="A", start_ms=0, end_ms=60_000),
            BASE.constrained(limits),
            window(BASE.layout, rows(1_000, mean=3.0)),
            EpisodeState(),
        )
        assert {f.name: f.emitted for f in report.features if f.name in emitted} == emitted
        assert "x" in {violation.feature for violation in report.violations}


def test_a_null_burst_opens_one_episode_with_one_reason() -> None:
    burst = rows(1_000)
    burst["x"] = [None] * 600 + normal(3, 400).tolist()
    signal = signal_of(burst)
    assert signal.kind == "opened"
    assert [(reason.feature, reason.check) for reason in signal.reasons] == [
        ("x", "completeness_check")
    ]


def moved_labels(signal: Signal, feature: str) -> list[str]:
    """The labels of the bins that moved, over all reasons about a feature."""
    reasons = [reason for reason in signal.reasons if reason.feature == feature]
    return [shift.label for reason in reasons for shift in reason.moved]


def test_a_signal_names_no_value_unless_values_may_be_exposed() -> None:
    data = rows(2_000)
    data["code"] = [42.0] * 2_000
    data["name"] = texts(
        {
            "[private]": 900,
            "other diagnosis": 600,
            "unseen disease": 300,
            "a secret that is new": 200,
        }
    )
    data["atom"] = np.random.default_rng(6).uniform(16.5, 18.5, 2_000)
    closed = signal_of(data)
    exposed = signal_of(data, Judge("flights", Rules(mode="threshold"), expose_values=True))
    assert {reason.feature for reason in closed.reasons} == {"code", "name", "atom"}
    sent = msgspec.json.encode(closed).decode()
    for value in (*SECRETS, "a secret that is new"):
        assert value not in sent
    for feature in ("code", "name"):
        assert all(
            label.startswith(("value #", "unseen #")) for label in moved_labels(closed, feature)
        )
    assert "value #2" in moved_labels(closed, "code")
    assert set(moved_labels(exposed, "code")) == {"40", "41", "42"}
    assert "[private]" in moved_labels(exposed, "name")
    assert any(label.endswith(" without 17.5") for label in moved_labels(exposed, "atom"))
    assert not any("without" in label or label == "17.5" for label in moved_labels(closed, "atom"))
    assert any(label.startswith("[") for label in moved_labels(closed, "atom"))


def test_a_report_names_new_values_and_a_signal_only_if_it_may() -> None:
    data = {**rows(2_000), "name": texts({"Ms Miller": 1_000, "Mr \x07 Winter": 700, "b": 300})}
    report = judged(data)
    (violation,) = (v for v in report.violations if v.check == "baseline_drift_check")
    named = {shift.label: shift.after_count for shift in violation.moved}
    assert (named["new: 'Mr \\x07 Winter'"], named["new: 'b'"]) == (700, 300)
    exposed = signal_of(data, Judge("flights", Rules(mode="threshold"), expose_values=True))
    assert moved_labels(exposed, "name") == [shift.label for shift in violation.moved]
    closed = signal_of(data)
    counts = {s.label: s.after_count for reason in closed.reasons for s in reason.moved}
    # "b" is in the hashed bin 17, by the formula of the hash
    assert counts["unseen #17"] == 300
    assert "Winter" not in msgspec.json.encode(closed).decode()


def test_a_signal_masks_the_new_values_that_a_report_was_allowed_to_name() -> None:
    exposing = Judge("flights", Rules(mode="threshold"), expose_values=True)
    data = {**rows(2_000), "name": texts({"[private]": 500, "b": 1_000, "a": 500})}
    report = judged(data, judge=exposing)
    (drift,) = (v for v in report.violations if v.check == "baseline_drift_check")
    assert drift.summary.endswith("to new values: 'b', 'a'")
    _, (signal,) = JUDGE.advance(EpisodeState(), report, BASE)
    (reason,) = (r for r in signal.reasons if r.check == "baseline_drift_check")
    assert reason.summary.endswith("to new values: unseen #17, unseen #55")
    assert {"unseen #17", "unseen #55"} <= set(moved_labels(signal, "name"))


def test_a_signal_shows_the_ends_of_intervals_in_six_digits_only() -> None:
    numbers = baseline({"x": np.arange(491_700_000_000.0, 491_700_010_000.0)})
    report = JUDGE.report(
        WindowSpan(model="delay", variant="A", start_ms=0, end_ms=1),
        numbers,
        window(numbers.layout, {"x": [491_700_000_003.0] * 2_000}),
        EpisodeState(),
    )
    assert report.violations[0].moved[0].label == "[-inf, 491700001016)"
    _, (signal,) = JUDGE.advance(EpisodeState(), report, numbers)
    assert {end for label in moved_labels(signal, "x") for end in label[1:-1].split(", ")} <= {
        "-inf",
        "4.917e+11",
        "inf",
    }


def test_signal_and_report_give_an_interval_the_same_label() -> None:
    """Beside the values that the report names within an interval."""
    generator = np.random.default_rng(5)
    before = generator.lognormal(3, 1, 10_000)
    spread = {
        "plain": generator.normal(0, 1, 10_000),
        "atoms": np.where(np.arange(10_000) % 5 == 0, 17.5, before),
        "tenths": generator.integers(0, 1_000, 10_000) / 10,
    }
    base = baseline(spread)
    moved = {name: np.asarray(values)[:2_000] * 1.5 + 0.1 for name, values in spread.items()}
    span = WindowSpan(model="delay", variant="A", start_ms=0, end_ms=1)
    report = JUDGE.report(span, base, window(base.layout, moved), EpisodeState())
    _, (signal,) = JUDGE.advance(EpisodeState(), report, base)
    compared = 0
    for violation, reason in zip(report.violations, signal.reasons, strict=True):
        for full, public in zip(violation.moved, reason.moved, strict=True):
            if full.label.startswith(("[", "(")):
                assert public.label == full.label.partition(" without ")[0]
                compared += 1
    assert compared >= 10


def test_a_report_has_the_numbers_of_the_baseline_beside_those_of_the_window() -> None:
    data: dict[str, Values] = {
        "x": [*range(100)] * 10 + [None] * 250,
        "t": texts({"a": 900, "b": 350}),
    }
    base = baseline(data)
    late: dict[str, Values] = {"x": [*range(50)] * 10, "t": texts({"a": 500})}
    span = WindowSpan(model="delay", variant="A", start_ms=0, end_ms=1)
    report = JUDGE.report(span, base, window(base.layout, late), EpisodeState())
    x, t = (next(f for f in report.features if f.name == name) for name in ("x", "t"))
    assert x.baseline is not None
    assert (x.n, x.mean, x.min, x.max, x.completeness) == (500, 24.5, 0, 49, 1.0)
    assert (x.baseline.n, x.baseline.missing, x.baseline.completeness) == (1_250, 250, 0.8)
    assert (x.baseline.mean, x.baseline.min, x.baseline.max) == (49.5, 0, 99)
    assert x.baseline.std == pytest.approx(np.std(np.arange(100)))
    assert x.baseline.types["integral"] == 1.0
    assert t.baseline is not None
    assert (t.baseline.n, t.baseline.mean, t.baseline.types["string"]) == (1_250, None, 1.0)


@pytest.mark.parametrize("expose_values", [False, True])
def test_a_signal_has_the_numbers_of_its_features_but_no_extreme_value(
    expose_values: bool,
) -> None:
    judge = Judge("flights", Rules(mode="threshold"), expose_values=expose_values)
    report = judged({**rows(2_000), "x": normal(3, 2_000, 4.0)}, judge=judge)
    signal = signal_of({**rows(2_000), "x": normal(3, 2_000, 4.0)}, judge)
    assert [figures.name for figures in signal.figures] == ["x"]
    (figures,) = signal.figures
    feature = next(feature for feature in report.features if feature.name == "x")
    assert (figures.value, figures.limit, figures.statistic) == (
        feature.value,
        feature.limit,
        "psi",
    )
    assert (figures.window.mean, figures.window.std) == (feature.mean, feature.std)
    assert feature.baseline is not None
    assert figures.baseline is not None
    assert figures.baseline.mean == feature.baseline.mean
    extremes = (figures.window.min, figures.window.max, figures.baseline.min, figures.baseline.max)
    shown = (feature.min, feature.max, feature.baseline.min, feature.baseline.max)
    assert extremes == (shown if expose_values else (None, None, None, None))


def test_a_recovered_model_gives_the_numbers_of_the_window_in_which_it_recovered() -> None:
    state = EpisodeState()
    signals = []
    for k, mean in enumerate((4.0, 0.0, 0.0, 0.0)):
        span = WindowSpan(model="delay", variant="A", start_ms=k * 60_000, end_ms=(k + 1) * 60_000)
        data = {**rows(2_000, k), "x": normal(k, 2_000, mean)}
        report = JUDGE.report(span, BASE, window(BASE.layout, data), state)
        state, new = JUDGE.advance(state, report, BASE)
        signals += new
    opened, recovered = signals
    assert (opened.kind, recovered.kind) == ("opened", "recovered")
    assert opened.figures[0].window.mean == pytest.approx(4.0, abs=0.2)
    assert recovered.features == ("x",)
    (now,) = recovered.figures
    assert (now.name, now.verdict) == ("x", "ok")
    assert now.window.mean == pytest.approx(0.0, abs=0.2)
    assert now.value is not None
    assert now.limit is not None
    assert now.value < now.limit


def test_a_signal_about_a_removed_feature_names_no_value() -> None:
    state, _ = JUDGE.advance(
        EpisodeState(), judged({**rows(2_000), "name": texts({"a secret": 2_000})}), BASE
    )
    other = baseline({"x": normal(1, 10_000)})
    signals = []
    for k in (1, 2):
        report = JUDGE.report(
            WindowSpan(model="delay", variant="A", start_ms=k * 60_000, end_ms=(k + 1) * 60_000),
            other,
            window(other.layout, {"x": normal(k, 900)}),
            state,
        )
        state, new = JUDGE.advance(state, report, other)
        signals += new
    assert [signal.kind for signal in signals] == ["recovered"]
    assert signals[0].features == ("name",)
    assert not any(
        secret in msgspec.json.encode(signals).decode() for secret in (*SECRETS, "a secret")
    )


def test_a_signal_about_a_vanished_atom_does_not_name_it() -> None:
    spread = np.random.default_rng(6).lognormal(3, 1, 10_000)
    amounts = baseline({"x": np.where(np.arange(10_000) < 400, 17.5, spread)})
    report = JUDGE.report(
        WindowSpan(model="delay", variant="A", start_ms=0, end_ms=1),
        amounts,
        window(amounts.layout, {"x": spread}),
        EpisodeState(),
    )
    assert [violation.moved[0].label for violation in report.violations] == ["17.5"]
    opened = tuple(replace(violation, overwhelming=True) for violation in report.violations)
    _, (signal,) = JUDGE.advance(EpisodeState(), replace(report, violations=opened), amounts)
    assert moved_labels(signal, "x") == ["one value"]


def test_a_feature_whose_series_has_changed_has_the_verdict_violation() -> None:
    judge = Judge(
        "flights",
        Rules(mode="threshold"),
        changes={
            "delay": [PageHinkley(feature="x", series="mean", min_instances=2, threshold=1.0)]
        },
    )
    state = EpisodeState()
    for k in range(9):
        report = judge.report(
            WindowSpan(model="delay", variant="A", start_ms=k, end_ms=k + 1),
            BASE,
            window(BASE.layout, rows(1_000, k, 0.001 * k if k < 5 else 0.9)),
            state,
        )
        state, _ = judge.advance(state, report, BASE)
        changed = [
            violation for violation in report.violations if violation.check == "change_check"
        ]
        if changed:
            break
    assert changed
    assert (
        next(feature.verdict for feature in report.features if feature.name == "x") == "violation"
    )


@pytest.mark.parametrize("expose_values", [False, True])
def test_summaries_of_report_and_signal_name_values_only_if_they_may_be_exposed(
    expose_values: bool,
) -> None:
    data = rows(2_000)
    data["code"] = [42.0] * 2_000
    data["name"] = texts({"[private]": 1_500, "other diagnosis": 500})
    judge = Judge("flights", Rules(mode="threshold"), expose_values=expose_values)
    report = judged(data, judge=judge)
    signal = signal_of(data, judge)
    summaries = {
        violation.feature: violation.summary.partition(": ")[2] for violation in report.violations
    }
    assert [reason.summary for reason in signal.reasons] == [
        violation.summary for violation in report.violations
    ]
    if expose_values:
        assert summaries["name"] == "values moved from 'Ms Miller' to '[private]'"
        assert summaries["code"] == "values moved from '40' to '42'"
    else:
        assert summaries["name"] == "values moved from value #0 to value #1"
        assert summaries["code"] == "values moved from value #0 to value #2"


def test_a_signal_masks_the_values_that_a_report_was_allowed_to_name() -> None:
    exposing = Judge("flights", Rules(mode="threshold"), expose_values=True)
    report = judged({**rows(2_000), "name": texts({"[private]": 2_000})}, judge=exposing)
    assert "'[private]'" in report.violations[0].summary
    _, (signal,) = JUDGE.advance(EpisodeState(), report, BASE)
    assert signal.reasons[0].summary.endswith("values moved from value #0 to value #1")


def test_a_loss_of_values_lists_no_bins() -> None:
    data = rows(1_000)
    data["name"] = [None] * 1_000
    assert moved_labels(signal_of(data), "name") == []


def wide(features: int) -> float:
    """The shortest of three processor times, in seconds, to judge a window of many features."""
    rng = np.random.default_rng(0)
    base = baseline({f"x{k}": rng.normal(size=300) for k in range(features)})
    profile = window(base.layout, {f"x{k}": rng.normal(size=300) for k in range(features)})
    times_s = []
    for k in range(3):
        start_s = time.thread_time()
        JUDGE.report(
            WindowSpan(model="delay", variant="A", start_ms=k, end_ms=k + 1),
            base,
            profile,
            EpisodeState(),
        )
        times_s.append(time.thread_time() - start_s)
    return min(times_s)


def test_the_cost_of_a_window_does_not_grow_with_the_square_of_its_features() -> None:
    # fifty times the features; the cost would be 2,500 times as high if it grew with their square
    assert wide(1_000) < 150 * wide(20)
