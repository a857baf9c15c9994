"""Seeded schedules of everything that can go wrong, against a plain count of the logs.
``DRIFTLINE_SCHEDULES`` asks for more of them."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.simulation.planted import CHAOS
from tests.simulation.schedules import met, run, verdict

SCHEDULES, PARTS = int(os.environ.get("DRIFTLINE_SCHEDULES", "2800")), 4
PLANTED = 600


@pytest.mark.parametrize("part", range(PARTS))
def test_every_window_is_exact_under_thousands_of_schedules(part: int) -> None:
    for seed in range(part, SCHEDULES, PARTS):
        wrong = verdict(run(seed))
        assert not wrong, f"seed {seed}: {wrong}"


def test_schedules_meet_everything_they_should() -> None:
    """The chaos is real: late events, revisions, silences, zombies, splits and merges, owners that
    wake up too late."""
    seen: Counter[str] = Counter()
    for seed in range(300):
        seen += met(run(seed))
    rare = {
        "marks handed down": 400,
        "partials of readers given up accepted": 400,
        "commits of old owners refused": 100,
        "partials lost": 100,
        "partials refused": 400,
        "records too late": 400,
        "misfits": 400,
        "rows late after idle": 200,
        "revisions": 100,
        "silences": 400,
        "signals": 200,
    }
    assert {name: seen[name] for name, least in rare.items() if seen[name] < least} == {}


@pytest.mark.parametrize("bug", CHAOS)
def test_a_planted_bug_is_caught(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    CHAOS[bug](monkeypatch)
    for seed in range(PLANTED):
        try:
            if verdict(run(seed)):
                return
        except (AssertionError, KeyError):
            return
    pytest.fail(f"{bug}: went unnoticed for {PLANTED} seeds")
