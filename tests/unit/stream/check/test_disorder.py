"""Out-of-order delay and skew of a sample, and the advice that follows from them."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.arrays import Ints
from stream.check.disorder import disorder, disorder_finding, skew_finding
from stream.check.findings import Finding
from tests.support.records import job_settings

TIMES = job_settings(grace_ms=10_000, lateness_ms=600_000, tolerance_ms=0)
"""Panes of 60 s, grace of 10 s, lateness of 10 min."""


def finding(*series: list[int]) -> Finding:
    event_times: list[Ints] = [np.array(times, np.int64) for times in series]
    return disorder_finding("topic t", disorder(event_times, TIMES), TIMES)


def test_events_in_order_allow_a_lower_grace() -> None:
    assert finding(list(range(0, 400_000, 1_000))) == Finding(
        "topic t",
        "out-of-order delay: p99 0 ms, max 0 ms (400 events); 0 % after grace (10 s), 0 % too late",
        "ok",
        "grace could be lowered to 1s",
    )


def test_the_advice_is_not_below_what_a_source_needs() -> None:
    events: list[Ints] = [np.arange(0, 400_000, 1_000)]
    measured = disorder(events, TIMES)
    advice = [disorder_finding("s3", measured, TIMES, least).advice for least in (4_500, 10_000)]
    assert advice == ["grace could be lowered to 5s", ""]


def test_a_grace_that_is_needed_causes_no_advice() -> None:
    times = [second * 1_000 - (9_000 if second % 2 else 0) for second in range(20, 420)]
    assert finding(times)[2:] == ("ok", "")


def test_late_events_lead_to_the_advice_to_raise_grace() -> None:
    times = [second * 1_000 - (25_000 if second % 10 == 5 else 0) for second in range(100, 500)]
    result = finding(times)
    assert "p99 24 s, max 24 s (400 events)" in result.message
    assert (result.level, result.advice) == (
        "warning",
        "Their windows are reported twice: raise grace to 30s",
    )


@pytest.mark.parametrize(("lost", "level"), [(1, "warning"), (50, "fault")])
def test_lost_events_lead_to_the_advice_to_raise_lateness(lost: int, level: str) -> None:
    result = finding([10_000_000] * 400 + [9_000_000] * lost)
    assert result.level == level
    assert result.advice == "Events that are too late are not counted: raise lateness to 20m"


def test_a_sample_without_times_is_a_warning() -> None:
    result = finding()
    assert result.level == "warning"
    assert result.message.startswith("out-of-order delay: unknown")


@pytest.mark.parametrize(
    ("newest_s", "message", "level"),
    [
        ({"0": 100}, "skew: 1 partition with events, nothing to wait for", "ok"),
        ({"0": 100, "1": 100}, "skew: the newest events of 2 partitions are 0 ms apart", "ok"),
        ({"0": 100, "1": 105}, "5 s apart (0 behind 1)", "ok"),
        ({"0": 100, "1": 160}, "1 min apart (0 behind 1)", "warning"),
        ({"0": 0, "1": 3_600}, "1 h apart (0 behind 1)", "warning"),
    ],
)
def test_skew_is_compared_with_grace_and_lateness(
    newest_s: dict[str, int], message: str, level: str
) -> None:
    newest_ms = {name: second * 1_000 for name, second in newest_s.items()}
    result = skew_finding("topic t", newest_ms, TIMES, 10_000)
    assert message in result.message
    assert result.level == level
    assert ("More than grace + lateness" in result.advice) == (newest_s.get("1") == 3_600)
