"""A world with labels: logs of labels beside the logs of events, and their readers."""

from __future__ import annotations

from functools import partial
from typing import get_args

import numpy as np

from detectors.quality.config import Problem
from stream.events import DiscoveredPartition, Item, OfLabels
from stream.labels.resolve import Duplicates, JoinRule
from stream.labels.rows import LABEL, LabelRange
from tests.simulation.label_job import label_job
from tests.simulation.label_reading import LabelReader, encoded_predictions
from tests.simulation.labels import FOREVER_MS, EventIds, LabelLogs, complete_labels
from tests.simulation.logs import Logs, complete_logs
from tests.simulation.owner import Owner
from tests.simulation.reading import Reader
from tests.simulation.world import MAX_ZOMBIES, World


class LabelWorld(World):
    """A world whose owners read labels too.

    In a ``patient`` world a prediction waits for ever, so that it does not matter when a partition
    of labels is idle or states its first time.
    """

    HORIZONS_MS = (20, 60, 150)

    def write_logs(self) -> Logs:
        logs = complete_logs(self.random)
        self.prepare_labels()
        complete_labels(self.random, logs, self.labels, dated=not self.patient)
        return logs

    def prepare_labels(self) -> None:
        """Choose the rule of the join and the models."""
        random = self.random
        self.patient = random.random() < 0.3
        horizon_ms = FOREVER_MS if self.patient else random.choice(self.HORIZONS_MS)
        self.rule = JoinRule(
            horizon_ms=horizon_ms,
            early_ms=min(random.choice((0, 10, 40)), horizon_ms),
            duplicates=random.choice(get_args(Duplicates)),
        )
        self.problem: Problem = random.choice(get_args(Problem))
        ids = EventIds(random.random() < 0.5, self.rule.early_ms)
        self.labels = LabelLogs(self.rule, ids, self.problem, random.choice((1, 2, 2, 3)))
        self.job = label_job(
            self.rule, self.settings.every_ms, self.problem, real_judge=random.random() < 0.15
        )
        self.label_zombies: list[LabelReader] = []

    @property
    def never_idle(self) -> bool:
        """Whether all partitions are known from the start, and none is ever idle."""
        return self.prompt

    @property
    def exact(self) -> bool:
        """Whether the outcome follows from the logs alone: nothing came late after idle."""
        late = self.owner.aggregator.state.ledger.total("late_after_idle")
        return not late and (self.never_idle or self.patient)

    def step(self, item: Item | LabelRange) -> None:
        """Pass one item to the active owner; note labels from before the watermark of the labels.

        No label is expected there: its prediction may have expired, or its window be final.
        """
        state = self.owner.aggregator.state.labels
        known_ms = None if state is None else state.watermark_ms
        dropped = self.owner.label_ledger.ranges_dropped
        super().step(item)
        if isinstance(item, LabelRange) and self.owner.label_ledger.ranges_dropped == dropped:
            times = np.frombuffer(item.rows, LABEL)["time_ms"]
            times = times[times >= 0]
            if known_ms is not None and len(times) and times.min() < known_ms:
                self.observed["labels before the watermark"] += 1

    def start_owner(self) -> None:
        super().start_owner()
        if self.prompt:
            for name in self.random.sample(list(self.labels.records), len(self.labels.records)):
                self.discover_labels(name)

    def new_owner(self, readers: list[Reader]) -> Owner:
        owner = Owner(self.store, self.sink, self.settings, self.random, readers, self.job)
        owner.label_reader = LabelReader(self.labels, self.random)
        return owner

    def new_reader(self) -> Reader:
        predict = partial(encoded_predictions, logs=self.labels, every_ms=self.settings.every_ms)
        return Reader(self.logs, self.settings, self.random, self.reports_children, predict)

    def discover_labels(self, name: str | None = None) -> None:
        """Report a partition of the label log."""
        name = self.random.choice(list(self.labels.records)) if name is None else name
        self.step(OfLabels(DiscoveredPartition(name, 0)))

    def label_readers(self, owner: Owner | None = None) -> list[LabelReader]:
        """Return the reader of labels of an owner; or that of the active one, and the zombies."""
        reader = (owner or self.owner).label_reader
        assert reader is not None
        return [reader, *(self.label_zombies if owner is None else [])]

    def read_labels(self, owner: Owner | None = None) -> None:
        self.random.choice(self.label_readers(owner)).read()

    def deliver_labels(self, owner: Owner | None = None) -> None:
        """Deliver a range of labels: usually the oldest of its reader; it may be repeated later."""
        readers = [reader for reader in self.label_readers(owner) if reader.in_flight]
        if not readers:
            return
        reader = self.random.choice(readers)
        in_order = self.random.random() < 0.8
        k = 0 if in_order else self.random.randrange(len(reader.in_flight))
        labels = reader.in_flight[k]
        if self.random.random() < 0.9:
            del reader.in_flight[k]
        receiver = owner or self.owner
        before = receiver.label_ledger.ranges_dropped
        receiver.step(labels)
        if receiver.label_ledger.ranges_dropped > before:
            self.observed["label ranges refused"] += 1
        elif reader in self.label_zombies:
            self.observed["label ranges of zombies accepted"] += 1

    def lose_labels(self) -> None:
        """Drop a range of labels: it never arrives."""
        in_flight = self.label_readers(self.owner)[0].in_flight
        if in_flight:
            del in_flight[self.random.randrange(len(in_flight))]
            self.observed["label ranges lost"] += 1

    def restart(self) -> None:
        if self.random.random() < 0.5:
            survivors = [*self.label_zombies, *self.label_readers(self.owner)]
            self.label_zombies = survivors[-MAX_ZOMBIES:]
        super().restart()

    def wake(self) -> None:
        if self.frozen and self.random.random() < 0.7:
            owner = self.random.choice(self.frozen)
            self.read_labels(owner)
            self.deliver_labels(owner)
        super().wake()
