"""Nothing of live traffic is lost while the service is down, paused, replaced, or its readers die."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.simulation.live import run, verdict
from tests.simulation.planted import LIVE
from tests.simulation.schedules import met

SCHEDULES = int(os.environ.get("DRIFTLINE_SCHEDULES", "2800")) // 7
PLANTED = 200


def test_nothing_is_lost_while_the_service_is_down_or_paused() -> None:
    seen: Counter[str] = Counter()
    for seed in range(SCHEDULES):
        world = run(seed)
        wrong = verdict(world)
        assert not wrong, f"seed {seed}: {wrong}"
        seen += met(world)
    assert seen["partitions idle"] > SCHEDULES, "partitions get idle and come back"
    assert seen["pauses"] > SCHEDULES
    assert seen["marks handed down"] > SCHEDULES


@pytest.mark.parametrize("bug", LIVE)
def test_a_planted_bug_is_caught(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    LIVE[bug](monkeypatch)
    assert any(verdict(run(seed)) for seed in range(PLANTED)), (
        f"{bug}: went unnoticed for {PLANTED} seeds"
    )
