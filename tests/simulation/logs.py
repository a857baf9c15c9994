"""The logs of the simulation: partitions that grow, split and merge, and a plain count of them."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from stream.event_time import JobSettings

MODELS = ("a", "b")
TOO_NARROW = 4
"""The value of a record that is rejected for having too few columns."""
KEYS = 12

Counts = dict[tuple[str, int], list[int]]
"""Records by value, of the windows of models: model and end."""
Period = tuple[str, int, int]
"""Model, length of the schedule, and start of one of its periods."""
PeriodCounts = dict[Period, list[int]]
"""Records by value, of the periods of models."""


class Record(NamedTuple):
    """One event: its model, its time, and a value from 0 to 3, or ``TOO_NARROW``.

    A record with the model ``None`` cannot be decoded. ``number`` counts the records of one ``key``
    in the order in which they were appended.
    """

    model: str | None
    time_ms: int
    value: int
    key: int = 0
    number: int = 0

    @property
    def length(self) -> int:
        """Bytes of the record: arbitrary, and different from one record to the next."""
        return 1 + (self.time_ms * 7 + self.number) % 100


class Logs:
    """The partitions by name, parents before children.

    ``before`` are records of partitions that are older than the position at which reading starts.

    A key belongs to one open partition; when that ends, to one of its children.
    """

    def __init__(self, roots: int) -> None:
        self.records: dict[str, list[Record]] = {f"p{k}": [] for k in range(roots)}
        self.parents: dict[str, tuple[str, ...]] = dict.fromkeys(self.records, ())
        self.children: dict[str, tuple[str, ...]] = {}
        self.before: dict[str, list[Record]] = {}
        self.keys = {name: list(range(k, KEYS, roots)) for k, name in enumerate(self.records)}
        self._appended = dict.fromkeys(range(KEYS), 0)

    @property
    def open(self) -> list[str]:
        """Partitions that may still grow."""
        return [name for name in self.records if name not in self.children]

    def append(self, partition: str, key: int, record: Record) -> None:
        """Append a record with a key to the partition to which the key belongs."""
        self._appended[key] += 1
        self.records[partition].append(record._replace(key=key, number=self._appended[key]))

    def reshard(self, random: Random) -> tuple[str, ...]:
        """Split a partition or merge two; return the new ones, none if neither is possible."""
        candidates = self.open
        if len(candidates) > 1 and random.random() < 0.4:
            return self._replace(tuple(random.sample(candidates, 2)), 1)
        wide = [name for name in candidates if len(self.keys[name]) > 1]
        return self._replace((random.choice(wide),), 2) if wide else ()

    def cut(self, random: Random) -> None:
        """Let reading start inside some partitions, after a part of their records."""
        for name, records in self.records.items():
            if not self.parents[name] and random.random() < 0.3:
                start = random.randint(0, len(records) // 4)
                self.before[name], self.records[name] = records[:start], records[start:]

    def incomplete_until(self, settings: JobSettings) -> dict[str, int]:
        """Return the time before which records may lack, for each partition that was cut.

        The first readable time and ``grace``; partitions without such a time are left out.
        """
        first = {
            name: next((r.time_ms for r in self.records[name] if r.model is not None), None)
            for name, records in self.before.items()
            if records
        }
        return {name: ms + settings.grace_ms for name, ms in first.items() if ms is not None}

    def _replace(self, parents: tuple[str, ...], count: int) -> tuple[str, ...]:
        """End partitions, and distribute their keys over ``count`` children."""
        keys = [key for name in parents for key in self.keys[name]]
        children = tuple(f"p{len(self.records) + k}" for k in range(count))
        for k, name in enumerate(children):
            self.records[name] = []
            self.parents[name] = parents
            self.keys[name] = keys[k::count]
        self.children.update(dict.fromkeys(parents, children))
        return children

    def expected(self, settings: JobSettings) -> Counts:
        """Count each window in plain loops, one partition after the other.

        Lateness is measured against the highest time read before in the partition. A child
        starts with the smallest mark of its parents at their ends.
        """
        counts: Counts = {}
        for record in self.in_time(settings):
            pane_ms = record.time_ms // settings.every_ms * settings.every_ms
            for k in range(1, settings.window_ms // settings.every_ms + 1):
                window = str(record.model), pane_ms + k * settings.every_ms
                counts.setdefault(window, [0] * 5)[record.value] += 1
        return counts

    def expected_periods(self, settings: JobSettings) -> PeriodCounts:
        """Count each period of all schedules in plain loops."""
        counts: PeriodCounts = {}
        for record in self.in_time(settings):
            for schedule_ms in settings.schedules_ms:
                start_ms = record.time_ms - record.time_ms % schedule_ms
                period = str(record.model), schedule_ms, start_ms
                counts.setdefault(period, [0] * 5)[record.value] += 1
        return counts

    def in_time(self, settings: JobSettings) -> list[Record]:
        """Return the readable records that are not too late, one partition after the other."""
        kept: list[Record] = []
        marks: dict[str, int | None] = {}
        for name, records in self.records.items():
            inherited = [marks[parent] for parent in self.parents[name]]
            known = [mark_ms for mark_ms in inherited if mark_ms is not None]
            marks[name] = _keep(records, min(known, default=None), settings, kept)
        return kept


def _keep(
    records: list[Record], mark_ms: int | None, settings: JobSettings, kept: list[Record]
) -> int | None:
    """Add the records of one partition that are in time; return its mark at the end."""
    for record in records:
        if record.model is None:
            continue
        mark_ms = record.time_ms if mark_ms is None else max(mark_ms, record.time_ms)
        if not too_late(record, mark_ms, settings):
            kept.append(record)
    return mark_ms


def too_late(record: Record, mark_ms: int, settings: JobSettings) -> bool:
    """Return whether a record is too late, by the documented rule."""
    pane_ms = record.time_ms // settings.every_ms * settings.every_ms
    return pane_ms + settings.every_ms + settings.grace_ms + settings.lateness_ms <= mark_ms


def complete_logs(random: Random) -> Logs:
    """Return logs that are complete.

    They have disorder, undecodable records, records of a wrong width, a period of drift, and
    shards that are split and merged.
    """
    logs = Logs(random.randint(1, 3))
    now = {name: random.randint(0, 30) for name in logs.records}
    resharding = random.choice((0.0, 0.02, 0.06))
    for _ in range(len(now) * random.randint(5, 40)):
        if random.random() < resharding:
            for name in logs.reshard(random):
                now[name] = max(now[parent] for parent in logs.parents[name])
        name = random.choice(logs.open)
        now[name] += random.choice((0, 1, 3, 8, 8, 40 if random.random() < 0.1 else 2))
        record = _record(random, now[name])
        logs.append(name, random.choice(logs.keys[name]), record)
    logs.cut(Random(sum(now.values())))
    return logs


def _record(random: Random, now_ms: int) -> Record:
    delay_ms = random.choice((0, 0, 0, 4, 12, random.randint(0, 80)))
    model = None if random.random() < 0.03 else random.choice(MODELS)
    if random.random() < 0.05:
        value = TOO_NARROW
    else:
        value = 3 if 60 < now_ms < 120 else random.randint(0, 3)
    return Record(model, max(now_ms - delay_ms, 0), value)
