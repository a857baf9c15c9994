"""A small world to run the aggregator in: logs, readers that die and come back, owners that are
frozen and replaced."""

from __future__ import annotations

from collections import Counter
from random import Random

from stream.event_time import JobSettings
from stream.events import DiscoveredPartition, Item, ReaderLost, Tick
from tests.simulation.logs import Logs, written
from tests.simulation.owner import Owner, SharedStore, Sink
from tests.simulation.reading import Reader


def some_settings(random: Random, prompt: bool) -> JobSettings:
    """Panes of 10 ms, windows of up to three, some grace and lateness; ``prompt``: no partition is
    ever idle."""
    every = 10
    window, lateness, grace = (
        every * random.choice((1, 1, 2, 3)),
        random.choice((0, 10, 30)),
        random.choice((0, 5, 15)),
    )
    idle = 10**9 if prompt else random.choice((50, 10**9))
    return JobSettings(
        job="sim",
        window_ms=window,
        every_ms=every,
        grace_ms=grace,
        lateness_ms=lateness,
        idle_ms=idle,
    )


class World:
    """One schedule: the owner at work with its readers, owners that are frozen, readers that are
    given up and go on all the same.

    In a ``prompt`` world every partition is known before anything behind it is counted and none is
    idle, so that no row is excused.
    """

    def __init__(self, seed: int) -> None:
        self.seed, self.random = seed, Random(seed)
        self.prompt = self.random.random() < 0.5
        self.settings = some_settings(self.random, self.prompt)
        self.logs = self.write()
        self.record_fields = {
            name: self.prompt or self.random.random() < 0.6 for name in self.logs.children
        }
        self.readers = self.random.choice((1, 2, 3))
        self.now, self.met = 10_000, Counter[str]()
        self.store, self.sink = SharedStore(), Sink()
        self.frozen: list[Owner] = []
        self.zombies: list[Reader] = []
        self.begin()

    def write(self) -> Logs:
        """The logs, complete."""
        return written(self.random)

    def begin(self) -> None:
        """A new owner starts from what is committed."""
        readers = [self.reader() for _ in range(self.readers)]
        self.owner = Owner(self.store, self.sink, self.settings, self.random, readers)
        if self.prompt:
            for name, parents in self.logs.parents.items():
                if not parents:
                    self.owner.step(DiscoveredPartition(name, 0))

    def reader(self) -> Reader:
        """A reader that knows nothing."""
        return Reader(self.logs, self.settings, self.random, self.record_fields)

    def step(self, item: Item) -> None:
        """One item for the owner at work."""
        self.owner.step(item)

    def discover(self, name: str) -> None:
        """The source shows a partition."""
        self.step(DiscoveredPartition(name, 0, self.logs.parents[name]))

    def tick(self, passed_ms: int) -> None:
        """Time passes; the clock is looked at."""
        self.now += passed_ms
        self.step(Tick(self.now))

    def read(self, owner: Owner | None = None) -> None:
        """Some reader works; also one that was given up long ago, under the claims it had then."""
        given_up = self.zombies if owner is None else []
        self.random.choice([*(owner or self.owner).readers, *given_up]).read()

    def land(self, owner: Owner | None = None) -> None:
        """A partial arrives: the oldest of a reader, or any; and may arrive again."""
        to = owner or self.owner
        readers = [
            one for one in [*to.readers, *(self.zombies if owner is None else [])] if one.flying
        ]
        if not readers:
            return
        reader = self.random.choice(readers)
        place = 0 if self.random.random() < 0.8 else self.random.randrange(len(reader.flying))
        partial = reader.flying[place]
        if self.random.random() < 0.95:
            del reader.flying[place]
        before = to.aggregator.state.ledger.partials_accepted
        to.step(reader.taken(partial))
        if reader in self.zombies and to.aggregator.state.ledger.partials_accepted > before:
            self.met["partials of readers given up accepted"] += 1

    def lose(self) -> None:
        """A partial that nobody will ever see."""
        readers = [one for one in self.owner.readers if one.flying]
        if readers:
            flying = self.random.choice(readers).flying
            del flying[self.random.randrange(len(flying))]
            self.met["partials lost"] += 1

    def kill_a_reader(self) -> None:
        """A reader is given up and replaced; it may be dead, or go on without anybody waiting for
        it."""
        readers = self.owner.readers
        one = readers.pop(self.random.randrange(len(readers)))
        readers.append(self.reader())
        self.owner.orphans.append(tuple(sorted(one.holds)))
        self.met["readers given up"] += 1
        if self.random.random() < 0.6:
            self.zombies.append(one)

    def orphans(self) -> None:
        """The owner hears which partitions nobody reads."""
        if self.owner.orphans:
            self.step(ReaderLost(self.owner.orphans.pop()))

    def restart(self) -> None:
        """The owner dies; its readers may outlive it for a while."""
        self.met["restarts"] += 1
        self.zombies = [
            *self.zombies,
            *(one for one in self.owner.readers if self.random.random() < 0.5),
        ][-3:]
        self.begin()

    def freeze(self) -> None:
        """The owner stands still; another one takes over."""
        self.met["owners frozen"] += 1
        self.frozen.append(self.owner)
        self.begin()

    def wake_all(self) -> None:
        """All that are frozen wake up until none of them has anything left to say."""
        for _ in range(20 * len(self.frozen)):
            self.wake()
        self.frozen.clear()

    def wake(self) -> None:
        """A frozen owner goes on as if nothing had happened, until it sees that its commit is
        refused."""
        if not self.frozen:
            return
        owner = self.random.choice(self.frozen)
        for _ in range(self.random.randint(0, 4)):
            self.read(owner)
            self.land(owner)
        if self.random.random() < 0.3:
            owner.step(Tick(self.now))
        if self.random.random() < 0.6:
            owner.deliver()
        if self.random.random() < 0.6:
            if owner.commit():
                owner.deliver()
            else:
                self.met["commits of old owners refused"] += 1
                self.frozen.remove(owner)
