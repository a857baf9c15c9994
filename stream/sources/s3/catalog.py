"""The objects that are known in each partition, and which partitions there are."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from stream.events import DiscoveredPartition, Position
from stream.sources.s3.client import ObjectInfo
from stream.sources.s3.keys import HOUR_MS, Partition, hour_folder, partition_named, partition_of
from stream.sources.s3.position import ObjectMemory, ObjectPlace, decode, encode

OLDEST: Final[Position] = ("", 0)
"""The start of a partition: nothing is read."""
MOST_TOLD: Final = 1_000
"""The number of objects that appeared too late of which the keys are kept."""
HOURS_AHEAD: Final = 200
"""The number of hours of a root that are discovered before they are read."""


class KnownObjects:
    """The objects of one partition that are known, in the order in which they became known.

    ``objects`` has the latest known content of each key, ``noticed`` those keys that are known from
    notices alone. ``follower`` is the partition that
    continues this one if no more objects are expected in it, empty until then. ``complete``: all
    objects of a listing are known.
    """

    def __init__(self, partition: Partition) -> None:
        self.partition = partition
        self.name = partition.name
        self.objects: dict[str, ObjectInfo] = {}
        self.found: list[ObjectInfo] = []
        self.noticed: set[str] = set()
        self.follower = ""
        self.complete = False

    def add(self, info: ObjectInfo) -> None:
        """Note an object, unless it is known with the same content, or its content is not known."""
        known = self.objects.get(info.key)
        if known is None or (info.etag and known.etag != info.etag):
            self.objects[info.key] = info
            self.found.append(info)


class Catalog:
    """What listings and notices have found. Threads share it; ``changed`` guards it.

    Partitions that the job knows, from its state or because they were discovered, are *known*. The
    hours of a root end and expire in their order, and the latest one never ends, so that every hour
    before the first known one was read, or was before the start: those are never discovered. Only
    as long as an hour with which a root began is not read to its end, no hour of it expires, and
    hours before it may still appear.
    ``horizon_ms`` is how long after its hour an object may appear. ``since_ms`` is where roots
    begin that are new to the job; with ``latest``, after a restart, where the job has got to.
    ``clock`` is the time in milliseconds.
    """

    def __init__(
        self,
        horizon_ms: int,
        since_ms: int,
        latest: bool,
        follow: bool,
        clock: Callable[[], int] = lambda: int(time.time() * 1000),
    ) -> None:
        self.clock = clock
        self.changed = threading.Condition()
        self.horizon_ms = horizon_ms
        self.follow = follow
        self._since_ms = since_ms
        self._latest = latest
        self._folders: dict[str, KnownObjects] = {}
        self._known: dict[str, set[int]] = {}
        self._first_hours: dict[str, set[int]] = {}
        self._ended: set[str] = set()
        self._offered: dict[str, DiscoveredPartition] = {}
        self.listed_ms: int | None = None
        self._first_ms: int | None = None
        self.as_of_s: float | None = None
        self.too_late: set[str] = set()
        self.error: Exception | None = None

    def folder(self, name: str) -> KnownObjects:
        """Return the folder of a partition, which may have no objects yet."""
        with self.changed:
            return self._folder(partition_named(name))

    def note_known(self, partitions: Mapping[str, Position]) -> None:
        """Note partitions that the job knows, with their positions."""
        with self.changed:
            for name in partitions:
                self._note_known(partition_named(name))
            if self.listed_ms is None:
                self._note_state(partitions)

    def _note_state(self, partitions: Mapping[str, Position]) -> None:
        """Note what a stored state says about its roots and its progress."""
        for name, position in partitions.items():
            partition = partition_named(name)
            is_oldest = partition.hour_ms == min(self._known[partition.root], default=0)
            if is_oldest and decode(position).memory.first:
                self._first_hours.setdefault(partition.root, set()).add(partition.hour_ms or 0)
        hours = [hour_ms for known in self._known.values() for hour_ms in known]
        if self._latest and hours:
            self._since_ms = min(self._since_ms, max(hours))

    def note_ended(self, names: Iterable[str]) -> None:
        """Note partitions that were read to their ends; their objects are forgotten."""
        with self.changed:
            for name in names:
                self._note_known(partition_named(name))
                self._ended.add(name)
                self._folders.pop(name, None)

    def floor(self, partition: Partition) -> str:
        """Return the text that follows the keys of a root which need not be listed; may be empty.

        All keys of hours that the job has read to their ends, or that are before its start, precede
        it.
        """
        with self.changed:
            hour_ms = self._first_listed(partition.root)
            return "" if hour_ms is None else hour_folder(partition.root, hour_ms)

    def take_listing(self, objects: Iterable[ObjectInfo], began_ms: int, began_s: float) -> None:
        """Take all objects of a listing that began at a time."""
        with self.changed:
            for info in objects:
                self._add(info)
                if folder := self._folders.get(partition_of(info.key).name):
                    folder.noticed.discard(info.key)
            self.listed_ms = began_ms
            self._first_ms = self._first_ms or began_ms
            self.as_of_s = began_s
            for folder in self._folders.values():
                folder.complete = True
            self._close_hours()
            self.changed.notify_all()

    def take_notices(self, objects: Sequence[ObjectInfo], as_of_s: float) -> None:
        """Take objects that notices name, all that were put up to a time."""
        with self.changed:
            for info in objects:
                folder = self._folders.get(partition_of(info.key).name)
                if folder is None or info.key not in folder.objects:
                    self._add(info)
                    if folder := self._folders.get(partition_of(info.key).name):
                        folder.noticed.add(info.key)
            self.as_of_s = max(self.as_of_s or 0.0, as_of_s)
            self._close_hours()
            self.changed.notify_all()

    def is_listed(self, key: str) -> bool:
        """Return whether a listing had an object, or its partition was read to its end."""
        with self.changed:
            partition = partition_of(key)
            folder = self._folders.get(partition.name)
            if folder is not None and key in folder.objects:
                return key not in folder.noticed
            return partition.name in self._ended or self._is_past(partition)

    def discovered(self) -> list[DiscoveredPartition]:
        """Return the partitions to read, each with those of the same root to read before it.

        Hours to which no more objects come are read one after the other; the latest ones, which
        still grow, side by side after them. Of a long series of hours only the next ones are
        returned.
        """
        with self.changed:
            if self.listed_ms is None:
                return []
            for folder in list(self._folders.values()):
                if folder.partition.hour_ms is None:
                    self._offer(folder.partition, ())
            for root, hours in self._hours().items():
                self._offer_hours(root, hours)
            return list(self._offered.values())

    def expired(self, ended: Collection[str]) -> list[str]:
        """Return the ended hours before which, and up to the next one, nothing can appear."""
        self.note_ended(ended)
        with self.changed:
            names = [name for root in self._known for name in self._expired_of(root, ended)]
            for name in names:
                partition = partition_named(name)
                self._known[partition.root].discard(partition.hour_ms or 0)
                self._first_hours.get(partition.root, set()).discard(partition.hour_ms or 0)
                self._ended.discard(name)
                self._offered.pop(name, None)
            return names

    def is_fresh(self, max_age_s: float) -> bool:
        """Return whether what is known is at most ``max_age_s`` old."""
        return self.as_of_s is not None and time.monotonic() - self.as_of_s <= max_age_s

    def all_read(self, at_end: Collection[str]) -> bool:
        """Return whether a listing is known, and all of its partitions are in ``at_end``."""
        with self.changed:
            names = {*self._folders, *self._offered} - self._ended
            return self.listed_ms is not None and names <= {*at_end}

    def wait_for_listing(self, timeout_s: float) -> None:
        """Wait until there was a listing, or an error."""
        with self.changed:
            self.changed.wait_for(lambda: self.listed_ms is not None or self.error, timeout_s)

    def _folder(self, partition: Partition) -> KnownObjects:
        name = partition.name
        if name not in self._folders:
            self._folders[name] = KnownObjects(partition)
            self._folders[name].complete = self.listed_ms is not None
        return self._folders[name]

    def _add(self, info: ObjectInfo) -> None:
        partition = partition_of(info.key)
        if partition.name not in self._ended and not self._is_past(partition):
            self._folder(partition).add(info)
            return
        closed_ms = (partition.hour_ms or 0) + HOUR_MS + self.horizon_ms
        late_ms = max(closed_ms, self._first_ms or info.modified_ms)
        if info.modified_ms > late_ms and len(self.too_late) < MOST_TOLD:
            self.too_late.add(info.key)

    def _note_known(self, partition: Partition) -> None:
        hours = self._known.setdefault(partition.root, set())
        if partition.hour_ms is not None:
            hours.add(partition.hour_ms)

    def _is_past(self, partition: Partition) -> bool:
        """Return whether an hour was read to its end, or is before the start."""
        first_ms = self._first_listed(partition.root)
        hour_ms = partition.hour_ms
        return hour_ms is not None and first_ms is not None and hour_ms < first_ms

    def _first_listed(self, root: str) -> int | None:
        """Return the first hour of a root in which objects may have to be read; ``None``: any."""
        known = self._known.get(root)
        since_ms = self._since_ms // HOUR_MS * HOUR_MS
        if not known:
            return since_ms or None
        if self._is_new(root):
            return min(*known, since_ms) if since_ms else None
        return min(known)

    def _is_new(self, root: str) -> bool:
        """Return whether an hour of a root is not read to its end with which the root began."""
        first = self._first_hours.get(root, ())
        return any(hour_folder(root, hour_ms) not in self._ended for hour_ms in first)

    def _hours(self) -> dict[str, list[int]]:
        """Return the hours of each root of which objects or the state are known, in order."""
        hours: dict[str, set[int]] = {root: set(known) for root, known in self._known.items()}
        for folder in self._folders.values():
            if folder.partition.hour_ms is not None:
                hours.setdefault(folder.partition.root, set()).add(folder.partition.hour_ms)
        return {root: sorted(of_root) for root, of_root in hours.items() if of_root}

    def _is_closed(self, hour_ms: int) -> bool:
        """Return whether no object can appear in an hour that the last listing does not have."""
        if not self.follow:
            return True
        return self.listed_ms is not None and hour_ms + HOUR_MS + self.horizon_ms <= self.listed_ms

    def _close_hours(self) -> None:
        for root, hours in self._hours().items():
            for hour_ms, later_ms in pairwise(hours):
                folder = self._folders.get(hour_folder(root, hour_ms))
                if folder is not None and self._is_closed(hour_ms):
                    folder.follower = hour_folder(root, later_ms)

    def _offer_hours(self, root: str, hours: list[int]) -> None:
        open_hours = [ms for ms in hours if hour_folder(root, ms) not in self._ended]
        before: tuple[str, ...] = ()
        for hour_ms in open_hours[:HOURS_AHEAD]:
            partition = Partition(root, hour_ms)
            self._offer(partition, before)
            if self._is_closed(hour_ms):
                before = (partition.name,)

    def _offer(self, partition: Partition, parents: tuple[str, ...]) -> None:
        name = partition.name
        if name not in self._offered:
            self._offered[name] = self._new_partition(partition, parents)
            self._folder(partition)
        self._note_known(partition)

    def _new_partition(self, partition: Partition, parents: tuple[str, ...]) -> DiscoveredPartition:
        """Return a partition at its start; if the job begins inside, without earlier objects."""
        hour_ms, since_ms = partition.hour_ms, self._since_ms
        inside = since_ms > 0 and (hour_ms is None or hour_ms <= since_ms)
        known = self._known.get(partition.root)
        first = hour_ms is not None and (
            not known or (hour_ms < min(known) and self._is_new(partition.root))
        )
        if first:
            self._first_hours.setdefault(partition.root, set()).add(hour_ms or 0)
        memory = ObjectMemory(floor_ms=since_ms if inside else 0, first=first)
        return DiscoveredPartition(
            partition.name, encode(ObjectPlace(memory=memory)), parents, inside
        )

    def _expired_of(self, root: str, ended: Collection[str]) -> list[str]:
        if self._is_new(root):
            return []
        hours = sorted(self._known[root])
        names: list[str] = []
        for hour_ms, later_ms in pairwise(hours):
            name = hour_folder(root, hour_ms)
            if name not in ended or not self._is_closed(later_ms - HOUR_MS):
                break
            names.append(name)
        return names
