"""The causes of early reasons: those of the rows of the open window so far."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.decisions.early_episodes import EarlyState
from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.rules import Rules
from detectors.decisions.window_span import WindowSpan
from detectors.early_finding import EarlyFinding
from detectors.finding import Subject
from detectors.report import Signal
from stream.testing.baselines import Values, baseline, texts, window

SPAN = WindowSpan(model="m", variant="v", start_ms=0, end_ms=60_000)
RANDOM = np.random.default_rng(3)
TRAINING: dict[str, Values] = {
    "a": RANDOM.normal(60, 15, 20_000).tolist(),
    "words": texts({"UA": 12_000, "AA": 8_000}),
}
BASE = baseline(TRAINING)


def early(feature: str, subject: Subject, values: Values) -> Signal:
    """The early signal on a window with these values of a feature, of which looks have found it."""
    found = EarlyFinding(
        feature=feature,
        subject=subject,
        log_e_value=25.0,
        needed=20.0,
        n=300,
        since_ms=30_000,
        effect=0.3,
        direction=1,
    )
    calm: dict[str, Values] = {
        "a": np.random.default_rng(4).normal(60, 15, 300).tolist(),
        "words": texts({"UA": 180, "AA": 120}),
    }
    profile = window(BASE.layout, calm | {feature: values})
    judge = Judge("j", Rules(mode="evidence"))
    _, (signal,) = judge.open_early(SPAN, BASE, profile, [found], EpisodeState(), EarlyState())
    return signal


def usual(rows: int) -> list[float | None]:
    values: list[float | None] = np.random.default_rng(5).normal(60, 15, rows).tolist()
    return values


def test_the_nulls_of_the_last_seconds_are_a_burst_with_their_share_of_all_rows() -> None:
    signal = early("a", "missing", [*usual(297), None, None, None])
    (reason,) = signal.reasons
    assert (reason.statistic, reason.cause is not None) == ("log_e_value", True)
    assert reason.cause is not None
    assert (reason.cause.name, reason.cause.numbers["share"]) == ("null_burst", 0.01)
    assert signal.action == "repair_pipeline"
    assert [cause.name for cause in signal.causes] == ["null_burst"]


@pytest.mark.parametrize(
    ("feature", "subject", "values", "cause"),
    [
        ("a", "drift", [*usual(270), *(1_000 * np.array(usual(30), float))], "mixture_shift"),
        ("a", "drift", [*usual(970), *(1_000 * np.array(usual(29), float))], "mixture_shift"),
        ("a", "drift", [*usual(291), *(1_000 * np.array(usual(9), float))], "mixture_shift"),
        ("a", "drift", [(value - 32) / 1.8 for value in usual(300) if value], "unit_change"),
        ("a", "drift", [61.5] * 300, "frozen"),
        ("a", "invalid", [*usual(280), *[float("nan")] * 20], "type_change"),
        ("words", "unseen", texts({"UA": 170, "AA": 110, "ZZ": 20}), "new_value"),
        ("words", "unseen", texts({"ua": 180, "aa": 120}), "format_change"),
    ],
)
def test_a_cause_that_is_certain_is_named_early(
    feature: str, subject: Subject, values: Values, cause: str
) -> None:
    signal = early(feature, subject, values)
    assert {shared.name for shared in signal.causes} == {cause}
    assert signal.action == "repair_pipeline"


def test_a_cause_that_all_rows_do_not_show_yet_is_unknown() -> None:
    signal = early("a", "drift", usual(300))
    (reason,) = signal.reasons
    assert reason.cause is not None
    assert (reason.cause.name, signal.action, signal.causes) == ("unknown", "look", ())
