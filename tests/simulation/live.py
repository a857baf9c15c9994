"""Schedules of live traffic: records are appended while the service is down, paused or idle, and
none of them may be lost.

The other schedules read complete logs. There, a partition that resumes with events older than its
idle time loses rows and counts them. Here every record is younger than the moment at which its
reader last reported the end of the log, so no row may be lost.
"""

from __future__ import annotations

from msgspec.structs import replace

from stream.events import DiscoveredPartition, EndOfInput, Tick
from tests.simulation import schedules
from tests.simulation.logs import MODELS, Logs, Record
from tests.simulation.world import World

MAX_PARTITIONS = 12
BUSY_MS = 150


class LiveWorld(World):
    """A world whose logs are empty at first and grow with its clock.

    A record is at most ``grace`` late.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        idle_ms = self.random.choice((30, 80))
        self.settings = replace(self.settings, lateness_ms=2 * idle_ms, idle_ms=idle_ms)
        self.reports_children.clear()
        self.resharding = self.random.choice((0.0, 0.02, 0.1))
        self.now_ms = 1_000 * self.settings.every_ms
        self.start_owner()

    def write_logs(self) -> Logs:
        return Logs(self.random.randint(1, 3))

    def start_owner(self) -> None:
        super().start_owner()
        for name, parents in self.logs.parents.items():
            self.owner.step(DiscoveredPartition(name, 0, parents))

    def begin_with_old_records(self) -> None:
        """Let the empty logs be idle for a long time, then fill them with records of long ago.

        The copies of old files in a folder that was empty are such records.
        """
        for _ in range(10):
            self.now_ms += self.settings.idle_ms // 3
            self.work()
        self.observed["empty starts"] += 1
        now_ms = self.now_ms
        self.now_ms = 10 * self.settings.every_ms
        for name in self.logs.open * 5:
            self.append(name)
        self.now_ms = now_ms
        while not schedules.at_end(self):
            self.work()

    def live(self, steps: int) -> None:
        """Advance time and append records; each partition is busy and silent in turn."""
        for _ in range(steps):
            self.now_ms += self.random.choice((1, 2, 5, 9))
            few = len(self.logs.records) < MAX_PARTITIONS
            if self.random.random() < self.resharding and few:
                self.logs.reshard(self.random)
            for k, name in enumerate(self.logs.open):
                busy = (self.now_ms // BUSY_MS + k) % 3 != 0
                if busy and self.random.random() < 0.6:
                    self.append(name)

    def append(self, partition: str) -> None:
        """Append a record of an event within the last ``grace``."""
        delay_ms = self.random.randint(0, self.settings.grace_ms)
        model = self.random.choice(MODELS)
        value = self.random.randint(0, 3)
        key = self.random.choice(self.logs.keys[partition])
        self.logs.append(partition, key, Record(model, self.now_ms - delay_ms, value))

    def work(self) -> None:
        """Run one turn of the service: read, accept partials, read the clock, perhaps commit."""
        self.report_lost_reader()
        for reader in self.owner.readers:
            reader.read(at_most=30)
            while reader.in_flight:
                self.step(reader.delivered(reader.in_flight.pop(0)))
        self.step(Tick(self.now_ms))
        partitions = self.owner.aggregator.state.partitions.values()
        self.observed["partitions idle"] += sum(partition.idle for partition in partitions)
        if self.random.random() < 0.4:
            self.owner.commit()

    def stop_for_a_while(self) -> None:
        """Stop the service for a while, or freeze it and start another one."""
        self.live(self.random.randint(5, 60))
        if self.random.random() < 0.5:
            self.restart()
        else:
            self.freeze()

    def pause(self) -> None:
        """Let the service read the clock but accept no partial; earlier ones remain in flight."""
        self.observed["pauses"] += 1
        for _ in range(self.random.randint(0, 4)):
            for reader in self.owner.readers:
                reader.read(at_most=30)
        for _ in range(self.random.randint(5, 40)):
            self.live(1)
            self.step(Tick(self.now_ms))


def run(seed: int) -> LiveWorld:
    """Run one schedule to its end."""
    world = LiveWorld(seed)
    chaos(world)
    finish(world)
    return world


def chaos(world: LiveWorld) -> None:
    """Let the service run for a while, with faults, while the logs grow."""
    if world.random.random() < 0.3:
        world.begin_with_old_records()
    for _ in range(world.random.randint(20, 60)):
        chance = world.random.random()
        if chance < 0.80:
            world.live(world.random.randint(0, 3))
            world.work()
        elif chance < 0.86:
            world.stop_for_a_while()
        elif chance < 0.90:
            world.give_up_reader()
        elif chance < 0.93:
            world.wake()
        else:
            world.pause()


def finish(world: LiveWorld) -> None:
    """Read, commit and deliver everything; no more records are appended."""
    world.wake_all()
    for _ in range(300):
        if schedules.at_end(world):
            break
        world.work()
    world.step(EndOfInput())
    world.owner.commit()
    world.owner.deliver(everything=True)


def verdict(world: LiveWorld) -> str:
    """Return what is wrong with the outcome of a schedule; empty if it is correct."""
    ledger = world.owner.aggregator.state.ledger
    if ledger.rows_late_after_idle:
        return f"{ledger.rows_late_after_idle} rows were counted as late after idle"
    return schedules.verdict(world)
