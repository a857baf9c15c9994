"""The logs of a small world: partitions that grow, are split and merged, and the plain count of
what they hold."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from stream.event_time import JobSettings

MODELS = ("a", "b")
MISFIT = 4
KEYS = 12

Counts = dict[tuple[str, int], list[int]]


class Record(NamedTuple):
    """One event: which model, when, and a value from 0 to 3, or ``MISFIT`` for one with too few
    columns; a ``None`` model is a record that no format can read. ``number`` counts the records of
    one ``key`` in the order in which they were written.
    """

    model: str | None
    time_ms: int
    value: int
    key: int = 0
    number: int = 0

    @property
    def length(self) -> int:
        """Bytes of the record: made up, and different from one to the next."""
        return 1 + (self.time_ms * 7 + self.number) % 100


class Logs:
    """Partitions by name, parents before children. A key lies in one open partition; when that
    ends, in one of its children."""

    def __init__(self, roots: int) -> None:
        self.records: dict[str, list[Record]] = {f"p{k}": [] for k in range(roots)}
        self.parents: dict[str, tuple[str, ...]] = dict.fromkeys(self.records, ())
        self.children: dict[str, tuple[str, ...]] = {}
        self.keys = {name: list(range(k, KEYS, roots)) for k, name in enumerate(self.records)}
        self._written = dict.fromkeys(range(KEYS), 0)

    @property
    def open(self) -> list[str]:
        """Partitions that still grow."""
        return [name for name in self.records if name not in self.children]

    def append(self, name: str, key: int, record: Record) -> None:
        """Write a record of a key to the partition that has the key now."""
        self._written[key] += 1
        self.records[name].append(record._replace(key=key, number=self._written[key]))

    def reshard(self, random: Random) -> tuple[str, ...]:
        """Split a partition or merge two; returns the new ones, none if there is nothing to split
        or merge."""
        some = self.open
        if len(some) > 1 and random.random() < 0.4:
            return self._end(tuple(random.sample(some, 2)), 1)
        wide = [name for name in some if len(self.keys[name]) > 1]
        return self._end((random.choice(wide),), 2) if wide else ()

    def _end(self, parents: tuple[str, ...], into: int) -> tuple[str, ...]:
        keys = [key for name in parents for key in self.keys[name]]
        new = tuple(f"p{len(self.records) + k}" for k in range(into))
        for k, name in enumerate(new):
            self.records[name], self.parents[name], self.keys[name] = [], parents, keys[k::into]
        self.children.update(dict.fromkeys(parents, new))
        return new

    def expected(self, settings: JobSettings) -> Counts:
        """The counts of each window, misfits last: plain loops, one partition after the other.

        Late is what comes behind the highest time that was read before it in its partition; a child
        starts with the smallest mark of its parents at their ends.
        """
        out: Counts = {}
        marks: dict[str, int | None] = {}
        for name, log in self.records.items():
            handed_down = [
                mark for parent in self.parents[name] if (mark := marks[parent]) is not None
            ]
            mark = min(handed_down, default=None)
            for record in log:
                if record.model is None:
                    continue
                mark = record.time_ms if mark is None else max(mark, record.time_ms)
                if not too_late(record, mark, settings):
                    pane = record.time_ms // settings.every_ms * settings.every_ms
                    for k in range(1, settings.window_ms // settings.every_ms + 1):
                        counts = out.setdefault(
                            (record.model, pane + k * settings.every_ms), [0] * 5
                        )
                        counts[record.value] += 1
            marks[name] = mark
        return out


def too_late(record: Record, mark: int, settings: JobSettings) -> bool:
    """The rule of lateness for one record, as its documentation says it."""
    pane = record.time_ms // settings.every_ms * settings.every_ms
    return pane + settings.every_ms + settings.grace_ms + settings.lateness_ms <= mark


def written(random: Random) -> Logs:
    """Logs that are complete: disorder, records that nobody can read, misfits, a stretch of drift,
    shards split and merged."""
    logs = Logs(random.randint(1, 3))
    now = {name: random.randint(0, 30) for name in logs.records}
    resharding = random.choice((0.0, 0.02, 0.06))
    for _ in range(len(now) * random.randint(5, 40)):
        if random.random() < resharding:
            for name in logs.reshard(random):
                now[name] = max(now[parent] for parent in logs.parents[name])
        name = random.choice(logs.open)
        now[name] += random.choice((0, 1, 3, 8, 8, 40 if random.random() < 0.1 else 2))
        back = random.choice((0, 0, 0, 4, 12, random.randint(0, 80)))
        model = None if random.random() < 0.03 else random.choice(MODELS)
        value = (
            MISFIT
            if random.random() < 0.05
            else 3
            if 60 < now[name] < 120
            else random.randint(0, 3)
        )
        logs.append(
            name, random.choice(logs.keys[name]), Record(model, max(now[name] - back, 0), value)
        )
    return logs
