"""Live traffic with labels: their partitions are busy, idle, silent for ever, or come back."""

from __future__ import annotations

from stream.events import Tick
from tests.simulation import live, schedules
from tests.simulation.label_schedules import at_end, label_verdict, quality_reports
from tests.simulation.label_world import LabelWorld
from tests.simulation.labels import UNKNOWN_IDS, LabelRecord, values_for
from tests.simulation.live import BUSY_MS, LiveWorld
from tests.simulation.logs import Logs


class LiveLabelWorld(LiveWorld, LabelWorld):
    """A world whose logs of events and labels grow with its clock.

    A label states the time at which it is appended. ``due`` are labels that come later.
    """

    HORIZONS_MS = (60, 250, 400)

    def write_logs(self) -> Logs:
        self.prepare_labels()
        self.silent = self.random.random() < 0.15
        self.rest = self.random.choice((0, 2, 4))
        self.rests_until_ms = 0
        self.unread_until_ms = 0
        self.due: list[tuple[int, LabelRecord]] = []
        return super().write_logs()

    @property
    def never_idle(self) -> bool:
        return False

    @property
    def exact(self) -> bool:
        """All outcomes follow from the logs: labels are younger than the last report of an end."""
        return True

    def start_owner(self) -> None:
        super().start_owner()
        for name in self.labels.records:
            self.discover_labels(name)

    def append(self, partition: str) -> None:
        """Append an event, and plan its labels."""
        super().append(partition)
        event = self.logs.records[partition][-1]
        horizon_ms = min(self.rule.horizon_ms, 400)
        edge_ms = [max(horizon_ms - self.random.randint(0, 20), 0) for _ in range(3)]
        delays_ms = (0, 5, 40, horizon_ms // 2, horizon_ms, horizon_ms + 9, *edge_ms)
        for _ in range(self.random.choice((0, 1, 1, 2))):
            delay_ms = self.random.choice(delays_ms)
            label = LabelRecord(self.labels.ids.of(event), None, values_for(self.random, event))
            self.due.append((event.time_ms + delay_ms, label))

    def read_labels_now(self) -> None:
        """Read all partitions of labels, and deliver what was read."""
        if self.now_ms < self.unread_until_ms:
            return
        reader = self.label_readers(self.owner)[0]
        reader.read(30, list(self.labels.records))
        while reader.in_flight:
            self.step(reader.in_flight.pop(0))

    def read_all(self) -> None:
        """Let all readers read, and deliver everything."""
        self.read_labels_now()
        for reader in self.owner.readers:
            reader.read(at_most=30)
            while reader.in_flight:
                self.step(reader.delivered(reader.in_flight.pop(0)))

    def live(self, steps: int) -> None:
        """Let time pass, as without labels.

        Now and then the log of labels does not respond, for less than a quarter of the idle time.
        """
        if self.random.random() < 0.3:
            self.unread_until_ms = self.now_ms + self.settings.idle_ms // 4 - 1
        for _ in range(steps):
            super().live(1)
            self.append_labels()

    def append_labels(self) -> None:
        """Append the labels that are due to partitions that are busy."""
        names = [
            name
            for k, name in enumerate(self.labels.records)
            if (self.now_ms // (2 * BUSY_MS) + k) % 3 != 0
        ]
        rests = self.now_ms < self.rests_until_ms
        if self.silent or not names or rests:
            return
        self.rests_until_ms = self.now_ms + self.rest * self.settings.idle_ms
        due = [label for at_ms, label in self.due if at_ms <= self.now_ms]
        self.due = [(at_ms, label) for at_ms, label in self.due if at_ms > self.now_ms]
        for label in due:
            log = self.labels.records[self.random.choice(names)]
            log.append(label._replace(time_ms=self.now_ms))
            if self.random.random() < 0.05:
                log.append(LabelRecord(UNKNOWN_IDS, self.now_ms, (1.0,)))

    def work(self) -> None:
        """Run one turn of the service; labels are read before it or after it."""
        first = self.random.random() < 0.5
        if first:
            self.read_labels_now()
        super().work()
        if not first:
            self.read_labels_now()
        labels = self.owner.aggregator.state.labels
        assert labels is not None
        self.observed["label partitions idle"] += sum(
            partition.idle for partition in labels.log.partitions.values()
        )

    def pause(self) -> None:
        """Let the service read the clock but accept nothing; labels remain in flight as well."""
        self.label_readers(self.owner)[0].read(30, list(self.labels.records))
        super().pause()


def run(seed: int) -> LiveLabelWorld:
    """Run one schedule to its end."""
    world = LiveLabelWorld(seed)
    live.chaos(world)
    world.unread_until_ms = 0
    world.wake_all()
    for _ in range(300):
        if schedules.at_end(world) and at_end(world):
            break
        world.work()
    if not world.patient:
        fall_silent(world)
    live.finish(world)
    return world


def fall_silent(world: LiveLabelWorld) -> None:
    """Let time pass without events and labels, until the horizon of all predictions has passed."""
    settings = world.settings
    step_ms = max(settings.idle_ms // 6, 1)
    wait_ms = (
        world.rule.horizon_ms + settings.lateness_ms + settings.window_ms + 6 * settings.idle_ms
    )
    world.report_lost_reader()
    for _ in range(wait_ms // step_ms):
        world.now_ms += step_ms
        for _ in range(6):  # so that each partition is reported at its end
            world.read_all()
        world.step(Tick(world.now_ms))


def verdict(world: LiveLabelWorld) -> str:
    """Return what is wrong with the outcome of a schedule; empty if it is correct."""
    return live.verdict(world) or label_verdict(world) or wrong_waits(world)


def wrong_waits(world: LiveLabelWorld) -> str:
    """After a silence as long as the horizon all windows are final, and nothing waits."""
    if world.patient:
        return ""
    waiting = [
        window for window, reports in quality_reports(world).items() if not reports[-1].final
    ]
    return f"not final after the horizon: {waiting[:3]}" if waiting else ""
