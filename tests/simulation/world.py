"""A small world around the aggregator: logs, readers that crash and return, owners that are frozen
and replaced.
"""

from __future__ import annotations

from collections import Counter
from random import Random

from msgspec.structs import replace

from stream.event_time import JobSettings
from stream.events import DiscoveredPartition, Item, ReaderLost, Tick
from stream.labels.rows import LabelRange
from tests.simulation.logs import Logs, complete_logs
from tests.simulation.owner import Owner, SharedStore, Sink
from tests.simulation.reading import Reader

NEVER_MS = 10**9
MAX_ZOMBIES = 3
FICKLE_MS = 140
"""The length of a schedule that comes and goes."""


def random_settings(random: Random, prompt: bool) -> JobSettings:
    """Return settings with panes of 10 ms, windows of up to three panes, and up to two schedules.

    ``prompt``: no partition is ever idle.
    """
    every_ms = 10
    schedules_ms = random.choice(((), (30,), (60,), (30, 110)))
    return JobSettings(
        every_ms=every_ms,
        window_ms=every_ms * random.choice((1, 1, 2, 3)),
        lateness_ms=random.choice((0, 10, 30)),
        grace_ms=random.choice((0, 5, 15)),
        idle_ms=NEVER_MS if prompt else random.choice((50, NEVER_MS)),
        tolerance_ms=0,
        schedules_ms=schedules_ms,
    )


class World:
    """One schedule: the active owner with its readers, frozen owners, and zombies.

    A zombie is a reader that was given up but continues. In a ``prompt`` world every partition is
    discovered before any record after it is counted, and none is idle, so that no row may be
    late after idle. In a ``fickle`` world some owners have one more schedule. ``observed`` counts
    the events of the schedule.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.prompt = self.random.random() < 0.5
        self.settings = random_settings(self.random, self.prompt)
        self.fickle = self.random.random() < 0.2
        self.logs = self.write_logs()
        self.reports_children = {
            name: self.prompt or self.random.random() < 0.6 for name in self.logs.children
        }
        self.reader_count = self.random.choice((1, 2, 3))
        self.now_ms = 10_000
        self.observed = Counter[str]()
        self.store = SharedStore()
        self.sink = Sink()
        self.frozen: list[Owner] = []
        self.zombies: list[Reader] = []
        self.start_owner()

    def write_logs(self) -> Logs:
        return complete_logs(self.random)

    def start_owner(self) -> None:
        """Start a new owner from the last commit."""
        readers = [self.new_reader() for _ in range(self.reader_count)]
        self.owner = self.new_owner(readers)
        self.owner.begin()
        if self.prompt:
            for name, parents in self.logs.parents.items():
                if not parents:
                    self.discover(name)

    def new_owner(self, readers: list[Reader]) -> Owner:
        settings = self.settings
        if self.fickle and self.random.random() < 0.5:
            settings = replace(settings, schedules_ms=(*settings.schedules_ms, FICKLE_MS))
        return Owner(self.store, self.sink, settings, self.random, readers)

    def new_reader(self) -> Reader:
        return Reader(self.logs, self.settings, self.random, self.reports_children)

    def step(self, item: Item | LabelRange) -> None:
        """Pass one item to the active owner."""
        self.owner.step(item)

    def discover(self, name: str) -> None:
        """Report a partition, as a source does."""
        inside = bool(self.logs.before.get(name))
        self.step(DiscoveredPartition(name, 0, self.logs.parents[name], inside))

    def tick(self, passed_ms: int) -> None:
        """Advance the clock (or set it back), and let the owner read it."""
        self.now_ms += passed_ms
        self.step(Tick(self.now_ms))

    def read(self, owner: Owner | None = None) -> None:
        """Let a reader read: of the given owner, otherwise of the active owner, or a zombie."""
        zombies = self.zombies if owner is None else []
        self.random.choice([*(owner or self.owner).readers, *zombies]).read()

    def deliver_partial(self, owner: Owner | None = None) -> None:
        """Deliver a partial: usually the oldest of its reader; it may be repeated later."""
        receiver = owner or self.owner
        zombies = self.zombies if owner is None else []
        readers = [reader for reader in [*receiver.readers, *zombies] if reader.in_flight]
        if not readers:
            return
        reader = self.random.choice(readers)
        in_order = self.random.random() < 0.8
        k = 0 if in_order else self.random.randrange(len(reader.in_flight))
        partial = reader.in_flight[k]
        if self.random.random() < 0.95:
            del reader.in_flight[k]
        before = receiver.aggregator.state.ledger.partials_accepted
        receiver.step(reader.delivered(partial))
        accepted = receiver.aggregator.state.ledger.partials_accepted > before
        if reader in self.zombies and accepted:
            self.observed["partials of zombies accepted"] += 1

    def lose_partial(self) -> None:
        """Drop a partial: it never arrives."""
        readers = [reader for reader in self.owner.readers if reader.in_flight]
        if readers:
            in_flight = self.random.choice(readers).in_flight
            del in_flight[self.random.randrange(len(in_flight))]
            self.observed["partials lost"] += 1

    def give_up_reader(self) -> None:
        """Give up a reader and replace it; it may be dead, or become a zombie."""
        readers = self.owner.readers
        reader = readers.pop(self.random.randrange(len(readers)))
        readers.append(self.new_reader())
        self.owner.lost.append(tuple(sorted(reader.holds)))
        self.observed["readers given up"] += 1
        if self.random.random() < 0.6:
            self.zombies.append(reader)

    def report_lost_reader(self) -> None:
        """Report a given-up reader to the owner, which releases its partitions."""
        if self.owner.lost:
            self.step(ReaderLost(self.owner.lost.pop()))

    def restart(self) -> None:
        """Replace an owner that crashed; its readers may survive it for a while."""
        self.observed["restarts"] += 1
        survivors = [reader for reader in self.owner.readers if self.random.random() < 0.5]
        self.zombies = [*self.zombies, *survivors][-MAX_ZOMBIES:]
        self.start_owner()

    def freeze(self) -> None:
        """Freeze the owner, and let another one take over."""
        self.observed["owners frozen"] += 1
        self.frozen.append(self.owner)
        self.start_owner()

    def wake_all(self) -> None:
        """Let all frozen owners resume, until the commit of each is refused."""
        for _ in range(20 * len(self.frozen)):
            self.wake()
        self.frozen.clear()

    def wake(self) -> None:
        """Let a frozen owner resume with its old state, until its commit is refused."""
        if not self.frozen:
            return
        owner = self.random.choice(self.frozen)
        for _ in range(self.random.randint(0, 4)):
            self.read(owner)
            self.deliver_partial(owner)
        if self.random.random() < 0.3:
            owner.step(Tick(self.now_ms))
        if self.random.random() < 0.6:
            owner.deliver()
        if self.random.random() < 0.6:
            if owner.commit():
                owner.deliver()
            else:
                self.observed["commits of old owners refused"] += 1
                self.frozen.remove(owner)
