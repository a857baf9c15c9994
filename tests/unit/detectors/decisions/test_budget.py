"""What windows and features may spend of a budget of false alarms."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from detectors.decisions.budget import (
    EARLY_PART,
    MOST_ALPHA,
    WIDTH_PART,
    feature_alphas,
    window_alpha,
)
from detectors.decisions.rules import Rules
from detectors.statistics.evidence.findings import allowed_p_values, horizons_of

MINUTE, DAY = 60_000, 86_400_000


@pytest.mark.parametrize(
    ("asked", "every_ms", "windows", "expected"),
    [
        ("1 per 30d", MINUTE, 43_200, 1.0),
        ("0.5 per 7d", MINUTE, 7 * 1_440, 0.5),
        ("2 per 12h", 5_000, 8_640, 2.0),
    ],
)
def test_all_windows_of_the_period_spend_what_was_asked_for(
    asked: str, every_ms: int, windows: int, expected: float
) -> None:
    assert window_alpha(asked, every_ms) * windows == pytest.approx(expected)


def test_looks_into_open_windows_and_closed_ones_share_the_budget() -> None:
    whole, closed = (window_alpha("1 per 30d", MINUTE, early=early) for early in (False, True))
    assert closed == pytest.approx(whole * (1 - EARLY_PART))


def test_a_window_never_spends_more_than_half() -> None:
    assert window_alpha("1000 per 1h", DAY) == MOST_ALPHA


def test_features_share_by_weight_and_all_tests_at_all_horizons_share_that() -> None:
    alphas = feature_alphas(0.01, np.array([3.0, 1.0, 0.0]))
    assert alphas.sum() == pytest.approx(0.01 * (1 - WIDTH_PART))
    assert alphas[0] == pytest.approx(3 * alphas[1])
    assert alphas[2] == 0.0
    of_tests = allowed_p_values(alphas[0]).items()
    spent = sum(allowed * horizons_of(test) for test, allowed in of_tests)
    assert spent == pytest.approx(alphas[0])


def test_without_any_weight_nothing_may_be_spent() -> None:
    assert feature_alphas(0.01, np.zeros(2)).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("text", ["1 per 30d", "0.5 per 7d", "10 per 1.5h"])
def test_a_budget_is_a_number_per_a_duration(text: str) -> None:
    assert msgspec.convert({"false_alarms": text}, Rules).false_alarms == text


@pytest.mark.parametrize("text", ["0 per 30d", "1 per 0d", "1 per month", "-1 per 30d", "1", "1/d"])
def test_any_other_budget_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"false_alarms": text}, Rules)
