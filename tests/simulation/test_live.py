"""Live traffic: records are appended as they happen, while the service is down, paused, or idle. None of them may be lost.

The other schedules read logs that are complete; there, a partition that comes back older than it was idle loses rows and says so.
Here every record is younger than the moment at which its reader last said that nothing more was there, so nothing is excused.
"""

from __future__ import annotations

import msgspec
import pytest

from stream import aggregator
from stream.events import Assign, Discovered, End, Tick
from stream.windows import Place
from tests.simulation.world import MODELS, Record, World

SCHEDULES, PLANTED = 500, 200


class LiveWorld(World):
    """A world whose logs begin empty and grow with its clock; a record is at most ``grace`` late."""

    def _log(self) -> list[Record]:
        return []

    def __post_init__(self) -> None:
        super().__post_init__()
        every = self.settings.every_ms
        idle = self.random.choice((30, 80))
        changes = {"lateness_ms": 2 * idle, "idle_ms": idle, "window_ms": self.settings.window_ms}
        self.settings = msgspec.structs.replace(self.settings, **changes)
        self.now = 100 * every
        self.start()

    def live(self, steps: int) -> None:
        """Time passes and records come in; partitions are busy for a while and silent for a while."""
        for _ in range(steps):
            self.now += self.random.choice((1, 2, 5, 9))
            for k, log in enumerate(self.logs.values()):
                busy = (self.now // 150 + k) % 3 != 0
                if busy and self.random.random() < 0.6:
                    late = self.random.randint(0, self.settings.grace_ms)
                    log.append(Record(self.random.choice(MODELS), self.now - late, self.random.randint(0, 3)))

    def work(self) -> None:
        """The service does what it does all day: read, look at the clock, commit."""
        self.read()
        while self.flying:
            self.step(self.flying.pop(0))
        self.step(Tick(self.now))
        if self.random.random() < 0.4:
            self.commit()


def run(seed: int) -> World:
    world = LiveWorld(seed)
    for name in world.logs:
        world.step(Discovered(name, 0))
    for _ in range(world.random.randint(20, 60)):
        what = world.random.random()
        if what < 0.85:
            world.live(world.random.randint(0, 3))
            world.work()
        elif what < 0.93:  # down
            world.live(world.random.randint(5, 60))
            world.start()
            for name in world.logs:
                world.step(Discovered(name, 0))
        else:  # paused: the clock is looked at, nothing is read
            for _ in range(world.random.randint(5, 40)):
                world.live(1)
                world.step(Tick(world.now))
    for _ in range(120):
        world.work()
    world.step(End())
    world.commit()
    for item in world.committed.outbox[world.cursor :]:
        world.deliver(item)
    return world


def verdict(world: World) -> str:
    """What is wrong with the outcome of a schedule; empty if nothing is."""
    ledger = world.aggregator.state.ledger
    if ledger.rows_late_after_idle:
        return f"{ledger.rows_late_after_idle} rows were called late after idle"
    return "" if world.totals() == world.expected() else "windows differ"


def test_nothing_is_lost_while_the_service_is_down_or_paused() -> None:
    for seed in range(SCHEDULES):
        wrong = verdict(run(seed))
        assert not wrong, f"seed {seed}: {wrong}"


def test_partitions_do_get_idle_and_come_back() -> None:
    """The schedules meet it: a window closes by the clock alone, and the same partition has records later."""
    idle = 0
    for seed in range(50):
        world = LiveWorld(seed)
        for name in world.logs:
            world.step(Discovered(name, 0))
        for _ in range(60):
            world.live(2)
            world.work()
            idle += any(place.idle for place in world.aggregator.state.places.values())
    assert idle > 100


def idle_for_ever(place: Place, now_ms: int, idle_ms: int) -> bool:
    return place.quiet_ms is not None and now_ms - place.quiet_ms >= idle_ms


def assign_as_it_is(self: aggregator.Aggregator, partition: str) -> Assign:
    place = self.state.places[partition]
    place = msgspec.structs.replace(place, claim=place.claim + 1)
    self.state.places[partition] = place
    return Assign(place.claim, partition, place.next, place.mark_ms)


@pytest.mark.parametrize("bug", ["idle without a reader", "idle over a restart"])
def test_a_planted_bug_is_caught(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregator, "is_idle", idle_for_ever)
    if bug == "idle over a restart":
        monkeypatch.setattr(aggregator.Aggregator, "_assign", assign_as_it_is)
        monkeypatch.setattr(aggregator.Aggregator, "resume", lambda self: [self._assign(name) for name in self.state.places])
    assert any(verdict(run(seed)) for seed in range(PLANTED)), f"{bug} went unnoticed for {PLANTED} seeds"


