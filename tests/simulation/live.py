"""Schedules of live traffic: records are appended as they happen, while the service is down,
paused, or idle. None of them may be lost.

The other schedules read logs that are complete; there, a partition that comes back older than it
was idle loses rows and says so. Here every record is younger than the moment at which its reader
last said that nothing more was there, so nothing is excused.
"""

from __future__ import annotations

import msgspec

from stream.events import DiscoveredPartition, EndOfInput, Tick
from tests.simulation import schedules
from tests.simulation.logs import MODELS, Logs, Record
from tests.simulation.world import World


class LiveWorld(World):
    """A world whose logs begin empty and grow with its clock; a record is at most ``grace`` late."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        every = self.settings.every_ms
        idle = self.random.choice((30, 80))
        self.settings = msgspec.structs.replace(self.settings, lateness_ms=2 * idle, idle_ms=idle)
        self.record_fields.clear()
        self.resharding = self.random.choice((0.0, 0.02, 0.1))
        self.now = 100 * every
        self.began = self.now
        self.begin()

    def write(self) -> Logs:
        return Logs(self.random.randint(1, 3))

    def begin(self) -> None:
        super().begin()
        for name, parents in self.logs.parents.items():
            self.owner.step(DiscoveredPartition(name, 0, parents))

    def live(self, steps: int) -> None:
        """Time passes and records come in; partitions are busy for a while and silent for a while."""
        for _ in range(steps):
            self.now += self.random.choice((1, 2, 5, 9))
            if self.random.random() < self.resharding and len(self.logs.records) < 12:
                self.logs.reshard(self.random)
            for k, name in enumerate(self.logs.open):
                busy = (self.now // 150 + k) % 3 != 0
                if busy and self.random.random() < 0.6:
                    late = self.random.randint(0, self.settings.grace_ms)
                    record = Record(
                        self.random.choice(MODELS), self.now - late, self.random.randint(0, 3)
                    )
                    self.logs.append(name, self.random.choice(self.logs.keys[name]), record)

    def work(self) -> None:
        """The service does what it does all day: read, take what has come, look at the clock,
        commit."""
        self.orphans()
        for reader in self.owner.readers:
            reader.read(most=30)
            while reader.flying:
                self.step(reader.taken(reader.flying.pop(0)))
        self.step(Tick(self.now))
        self.met["partitions idle"] += sum(
            place.idle for place in self.owner.aggregator.state.partitions.values()
        )
        if self.random.random() < 0.4:
            self.owner.commit()

    def down(self) -> None:
        """The service is down for a while, or another one takes over."""
        self.live(self.random.randint(5, 60))
        if self.random.random() < 0.5:
            self.restart()
        else:
            self.freeze()

    def pause(self) -> None:
        """The clock is looked at, nothing is taken; what the readers had sent before is still under
        way."""
        self.met["pauses"] += 1
        for _ in range(self.random.randint(0, 4)):
            for reader in self.owner.readers:
                reader.read(most=30)
        for _ in range(self.random.randint(5, 40)):
            self.live(1)
            self.step(Tick(self.now))


def run(seed: int) -> LiveWorld:
    """One schedule to its end."""
    world = LiveWorld(seed)
    for _ in range(world.random.randint(20, 60)):
        what = world.random.random()
        if what < 0.80:
            world.live(world.random.randint(0, 3))
            world.work()
        elif what < 0.86:
            world.down()
        elif what < 0.90:
            world.kill_a_reader()
        elif what < 0.93:
            world.wake()
        else:
            world.pause()
    finish(world)
    return world


def finish(world: LiveWorld) -> None:
    """Nothing more happens; what is there is read."""
    world.wake_all()
    for _ in range(300):
        if schedules.at_end(world):
            break
        world.work()
    world.step(EndOfInput())
    world.owner.commit()
    world.owner.deliver(all_of_it=True)


def verdict(world: LiveWorld) -> str:
    """What is wrong with the outcome of a schedule; empty if nothing is."""
    ledger = world.owner.aggregator.state.ledger
    if ledger.rows_late_after_idle:
        return f"{ledger.rows_late_after_idle} rows were called late after idle"
    return schedules.verdict(world)
