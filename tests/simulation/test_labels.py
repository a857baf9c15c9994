"""Labels and events in any interleaving, through crashes, lead to the join of the plain count."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.simulation import label_live
from tests.simulation.label_planted import CHAOS, LIVE
from tests.simulation.label_schedules import observations, run, verdict
from tests.simulation.search import finds

SCHEDULES = int(os.environ.get("DRIFTLINE_SCHEDULES", "2800")) // 8
LIVE_SCHEDULES = SCHEDULES // 5
PLANTED_LIVE = 200
PLANTED = 600
"""Schedules within which a planted bug must be found."""
AT_LEAST = {
    "exact outcomes": 60,
    "label ranges refused": 400,
    "label ranges lost": 30,
    "label ranges of zombies accepted": 400,
    "labels matched": 1_000,
    "labels duplicate": 200,
    "labels conflicting": 200,
    "labels row_count": 60,
    "labels unknown_class": 40,
    "labels wrong_label_type": 5,
    "labels expired": 100,
    "predictions expired": 100,
    "quality revisions": 50,
    "quality windows final": 300,
}
"""How often each kind of event happens in a hundred schedules."""


@pytest.mark.parametrize("part", range(2))
def test_labels_are_exact_under_schedules_of_faults(part: int) -> None:
    seen: Counter[str] = Counter()
    seeds = range(part, SCHEDULES, 2)
    for seed in seeds:
        world = run(seed)
        wrong = verdict(world)
        assert not wrong, f"seed {seed}: {wrong}"
        seen += observations(world)
    few = {name: seen[name] for name, n in AT_LEAST.items() if seen[name] * 100 < n * len(seeds)}
    assert few == {}


@pytest.mark.parametrize("bug", CHAOS)
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    CHAOS[bug](monkeypatch)
    assert finds(run, verdict, PLANTED), f"{bug}: not found in {PLANTED} schedules"


def test_live_labels_are_exact_and_none_waits_for_ever() -> None:
    seen: Counter[str] = Counter()
    for seed in range(LIVE_SCHEDULES):
        world = label_live.run(seed)
        wrong = label_live.verdict(world)
        assert not wrong, f"seed {seed}: {wrong}"
        seen += observations(world)
    for name in ("label partitions idle", "quality windows final", "predictions expired"):
        assert seen[name] > 2 * LIVE_SCHEDULES, name


@pytest.mark.parametrize("bug", LIVE)
def test_a_planted_bug_is_found_in_live_traffic(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    LIVE[bug](monkeypatch)
    assert any(label_live.verdict(label_live.run(seed)) for seed in range(PLANTED_LIVE)), (
        f"{bug}: not found in {PLANTED_LIVE} schedules"
    )
