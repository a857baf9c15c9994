"""Seeded schedules of faults, against a plain count of the logs.

``DRIFTLINE_SCHEDULES`` is their number.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from detectors.statistics.evidence import horizons
from stream.aggregation import schedules
from tests.simulation.planted import CHAOS
from tests.simulation.schedules import observations, run, verdict
from tests.simulation.search import finds

SCHEDULES = int(os.environ.get("DRIFTLINE_SCHEDULES", "2800"))
PARTS = 4
PLANTED = 600
"""Schedules within which a planted bug must be found."""


@pytest.mark.parametrize("part", range(PARTS))
def test_every_window_is_exact_under_thousands_of_schedules(part: int) -> None:
    for seed in range(part, SCHEDULES, PARTS):
        wrong = verdict(run(seed))
        assert not wrong, f"seed {seed}: {wrong}"


def test_every_period_is_exact_if_a_step_reports_few_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schedules, "MOST_AT_ONCE", 1)
    monkeypatch.setattr(schedules, "MOST_EMPTY_AT_ONCE", 2)
    for seed in range(SCHEDULES, SCHEDULES + 300):
        wrong = verdict(run(seed))
        assert not wrong, f"seed {seed}: {wrong}"


def test_every_window_is_judged_exactly_if_a_history_keeps_few_windows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(horizons, "LONGEST", 4)
    for seed in range(SCHEDULES + 300, SCHEDULES + 600):
        wrong = verdict(run(seed))
        assert not wrong, f"seed {seed}: {wrong}"


def test_schedules_contain_every_kind_of_fault() -> None:
    seen: Counter[str] = Counter()
    for seed in range(300):
        seen += observations(run(seed))
    at_least = {
        "marks inherited": 400,
        "partials of zombies accepted": 400,
        "commits of old owners refused": 100,
        "partials lost": 100,
        "partials refused": 400,
        "records too late": 400,
        "width mismatches": 400,
        "rows late after idle": 200,
        "revisions": 100,
        "silences": 400,
        "windows without events reported": 400,
        "signals of missing rows": 200,
        "incomplete windows": 200,
        "signals": 200,
        "windows judged with others": 2_000,
        "revisions judged with others": 50,
        "early signals": 30,
        "early episodes continued": 15,
        "early episodes recovered": 10,
        "periods": 400,
        "revisions of periods": 25,
        "periods without events": 100,
    }
    assert {name: seen[name] for name, count in at_least.items() if seen[name] < count} == {}


@pytest.mark.parametrize("bug", CHAOS)
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    CHAOS[bug](monkeypatch)
    assert finds(run, verdict, PLANTED), f"{bug}: not found in {PLANTED} schedules"
