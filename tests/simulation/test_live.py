"""No live traffic is lost while the service is down, paused or replaced, or its readers crash."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.simulation.live import run, verdict
from tests.simulation.planted import LIVE
from tests.simulation.schedules import observations

SCHEDULES = int(os.environ.get("DRIFTLINE_SCHEDULES", "2800")) // 7
PLANTED = 200
"""Schedules within which a planted bug must be found."""


def test_no_live_traffic_is_lost_while_the_service_is_down_or_paused() -> None:
    seen: Counter[str] = Counter()
    for seed in range(SCHEDULES):
        world = run(seed)
        wrong = verdict(world)
        assert not wrong, f"seed {seed}: {wrong}"
        seen += observations(world)
    for name in ("partitions idle", "pauses", "marks inherited"):
        assert seen[name] > SCHEDULES, name
    assert seen["empty starts"] > SCHEDULES // 5


@pytest.mark.parametrize("bug", LIVE)
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    LIVE[bug](monkeypatch)
    assert any(verdict(run(seed)) for seed in range(PLANTED)), (
        f"{bug}: not found in {PLANTED} schedules"
    )
