"""Seeded schedules of faults, in which the models learn their baseline over a time."""

from __future__ import annotations

import os

import pytest

from stream.events import BaselineInstalled
from tests.simulation.learning import run, verdict
from tests.simulation.planted_learning import LEARNING
from tests.simulation.search import finds

SCHEDULES = int(os.environ.get("DRIFTLINE_SCHEDULES", "2800")) // 7
PLANTED = 200
"""Schedules within which a planted bug must be found."""


def test_a_baseline_is_learned_from_the_same_rows_under_hundreds_of_schedules() -> None:
    learned = 0
    for seed in range(SCHEDULES):
        world = run(seed)
        wrong = verdict(world)
        assert not wrong, f"seed {seed}: {wrong}"
        outbox = world.store.committed.outbox
        learned += sum(isinstance(item, BaselineInstalled) for item in outbox)
    assert learned > SCHEDULES // 4


@pytest.mark.parametrize("bug", LEARNING)
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    LEARNING[bug](monkeypatch)
    assert finds(run, verdict, PLANTED), f"{bug}: not found in {PLANTED} schedules"
