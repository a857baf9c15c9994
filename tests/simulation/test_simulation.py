"""Seeded schedules of everything that can go wrong, against a plain count of the logs."""

from __future__ import annotations

import pytest

from stream.events import Discovered, End, Tick
from tests.simulation.world import Bugs, World

SCHEDULES = 2_000
PLANTED = 200


def run(seed: int, bugs: Bugs | None = None) -> World:
    """One schedule to its end: chaos for a while, then everything that is left is read, committed and delivered."""
    world = World(seed, bugs or Bugs())
    r = world.random
    unknown = list(world.logs)
    for _ in range(r.randint(20, 90)):
        what = r.random()
        if unknown and what < 0.15:
            world.step(Discovered(unknown.pop(), 0))
        elif what < 0.40:
            world.read()
        elif what < 0.65:
            world.land()
        elif what < 0.70 and world.flying:
            del world.flying[r.randrange(len(world.flying))]
        elif what < 0.80:
            world.now += r.choice((1, 5, 20, 60, -10))
            world.step(Tick(world.now))
        elif what < 0.90:
            world.commit()
        elif what < 0.95:
            world.deliver_some()
        else:
            world.start()
    finish(world, unknown)
    return world


def finish(world: World, unknown: list[str]) -> None:
    """The calm after the storm."""
    world.commit()
    world.start()
    for name in world.logs:
        world.step(Discovered(name, 0))
    for _ in range(2_000):
        if all(world.aggregator.state.places[name].next == len(log) for name, log in world.logs.items()):
            break
        world.read()
        world.land()
    world.step(End())
    world.commit()
    for item in world.committed.outbox[world.cursor :]:
        world.deliver(item)


def verdict(world: World) -> str:
    """What is wrong with the outcome of a schedule; empty if nothing is."""
    if world.changed:
        return f"ids with two contents: {world.changed[:3]}"
    ledger = world.aggregator.state.ledger
    lost = ledger.rows_late_after_idle + ledger.misfits_late_after_idle
    got, want = world.totals(), world.expected()
    if lost:
        panes = world.settings.window_ms // world.settings.every_ms
        missing = sum(map(sum, want.values())) - sum(map(sum, got.values()))
        return "" if missing == lost * panes else f"{missing} counts missing, {lost} rows told"
    if got != want:
        return f"windows differ: {sorted(set(got) ^ set(want))[:3]} {[k for k in got if k in want and got[k] != want[k]][:3]}"
    books = ledger.partitions
    read = {name: account.read for name, account in books.items()}
    return "" if read == {name: len(log) for name, log in world.logs.items() if log} else f"records read: {read}"


def test_every_window_is_exact_under_two_thousand_schedules() -> None:
    for seed in range(SCHEDULES):
        wrong = verdict(run(seed))
        assert not wrong, f"seed {seed}: {wrong}"


def test_schedules_meet_everything_they_should() -> None:
    """The chaos is real: late events, revisions, silences, refused partials, signals, rows of idle partitions."""
    met: dict[str, int] = dict.fromkeys(("too_late", "misfits", "revisions", "dropped", "signals", "silences", "after idle"), 0)
    for seed in range(300):
        world = run(seed)
        ledger = world.aggregator.state.ledger
        met["too_late"] += ledger.total("too_late")
        met["misfits"] += ledger.total("too_few_columns")
        met["dropped"] += ledger.partials_dropped
        met["after idle"] += ledger.rows_late_after_idle
        for item in world.delivered.values():
            met["revisions"] += bool(getattr(item, "revision", 0) and getattr(item, "state", "") != "no data")
            met["silences"] += getattr(item, "state", "") == "no data"
            met["signals"] += hasattr(item, "dedupe_id")
    assert all(met.values()), met


@pytest.mark.parametrize(
    "bug", ["accept_any_first", "restore_without_panes", "reuse_revision", "late_by_watermark", "deliver_before_commit"]
)
def test_a_planted_bug_is_caught(bug: str) -> None:
    for seed in range(PLANTED):
        try:
            if verdict(run(seed, Bugs(**{bug: True}))):
                return
        except AssertionError:
            return
    pytest.fail(f"{bug} went unnoticed for {PLANTED} seeds")
