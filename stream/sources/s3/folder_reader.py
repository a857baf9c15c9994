"""Reads the objects of one partition, each once, and tells those that were lost."""

from __future__ import annotations

import heapq
from collections import deque
from typing import Final

import numpy as np
import structlog
from msgspec.structs import replace

from stream.events import DiscoveredPartition, Gap, Position, RawBatch
from stream.sources.s3.catalog import OLDEST, KnownObjects
from stream.sources.s3.client import ObjectInfo
from stream.sources.s3.fetching import AHEAD_OBJECTS, Fetch
from stream.sources.s3.position import ObjectMemory, ObjectPlace, ReadObjects, decode, encode
from stream.sources.s3.transform_lines import TransformLines

log = structlog.get_logger("driftline.s3")

REMEMBERED: Final = 1_000
"""The number of objects of a folder without dates that are remembered at least."""
_REASONS: Final = {
    "no_object": "was deleted before it was read to its end",
    "changed": "was overwritten while it was read",
    "archived": "is archived: it must be restored before it can be read",
    "refused": "cannot be read: S3 refuses it, as one that a key of the customer encrypts (SSE-C)",
}


class FolderReader:
    """Reads a partition from one position on.

    Objects are read in the order of their keys. One that becomes known under an earlier key is read
    next. An object that was read and has another content now is a gap: what it held before was
    counted, so the new content is not read. With ``transform`` the lines are those of batch
    transform jobs. ``taken_bytes`` is the size of all lines that were returned. The caller holds
    the lock of the catalog.
    """

    def __init__(
        self, folder: KnownObjects, position: Position, transform: TransformLines | None = None
    ) -> None:
        place = decode(position)
        self.folder = folder
        self.position = position
        self._transform = transform
        self.stopped = False
        self.taken_bytes = 0
        self._held: Gap | None = None
        self._key, self._offset = place.key, place.offset
        self._memory = place.memory
        self._read = ReadObjects(place.memory.read)
        self._unread: list[ObjectInfo] = []
        self._waiting: set[str] = set()
        self._fetches: deque[Fetch] = deque()
        self._synced = 0
        self._overwritten: list[ObjectInfo] = []
        self._resumes = place.offset > 0 and place.key not in self._read
        self._forgotten_ms = 0

    @property
    def order(self) -> tuple[int, str]:
        """The place among the partitions: those of earlier hours are read first."""
        return self.folder.partition.hour_ms or 0, self.folder.name

    @property
    def at_end(self) -> bool:
        """True if all objects that are known were read."""
        nothing = not self._fetches and not self._unread and not self._overwritten
        return nothing and not self.stopped and not self._resumes

    @property
    def has_ended(self) -> bool:
        """True if no object is left, and none is expected."""
        return self.at_end and bool(self.folder.follower)

    @property
    def ready(self) -> bool:
        """True if :meth:`take` has something to return."""
        if self.stopped:
            return self._held is not None
        ready = bool(self._fetches) and self._fetches[0].ready
        return ready or bool(self._overwritten) or self.has_ended

    @property
    def objects_left(self) -> int:
        """The number of known objects that are not read to their ends."""
        return len(self._fetches) + len(self._unread)

    def sync(self) -> None:
        """Take the objects that became known."""
        found = self.folder.found
        if self._resumes and self._key in self.folder.objects:
            self._resume(self.folder.objects[self._key])
        elif self._resumes and self.folder.complete:
            self._resume(ObjectInfo(self._key, self._memory.etag, 0, 0))
            self._fetches[0].loss = "no_object"
        for info in found[self._synced :]:
            self._take_object(self.folder.objects[info.key])
        self._synced = len(found)

    def wanted(self) -> list[Fetch]:
        """Return the fetches of the next objects, in the order in which they are read."""
        while self._unread and len(self._fetches) < AHEAD_OBJECTS and not self.stopped:
            self._fetches.append(Fetch(heapq.heappop(self._unread)))
        return [] if self.stopped else list(self._fetches)

    def take(self, max_records: int) -> RawBatch | Gap | None:
        """Return lines of the next object, the end of the partition, or a gap; ``None``: nothing.

        Raises ``SourceUnavailable`` if a request failed for good.
        """
        if self._held is not None:
            held, self._held = self._held, None
            return held
        while self._fetches and not self._overwritten:
            fetch = self._fetches[0]
            if fetch.error is not None:
                raise fetch.error
            fetch.arrive()
            batch = self._lines(fetch, max_records)
            if batch is not None:
                return batch
            if fetch.loss or fetch.lines.damage:
                return self._lost(fetch)
            if not fetch.lines.exhausted:
                return None
        if self._overwritten:
            return self._gap_of_overwritten()
        return self._end() if self.has_ended else None

    def hold(self, gap: Gap) -> None:
        """Return this gap again with the next :meth:`take`."""
        self._held = gap

    def end_batch(self) -> RawBatch:
        """Return a batch without records that reports the end of what is known."""
        return self._batch([], [], "", 0, self.position, at_end=True)

    def gap(self) -> Gap | None:
        """Return the gap at the position if it is known already."""
        self.sync()
        if self._overwritten:
            return self._gap_of_overwritten()
        lost = bool(self._fetches) and bool(self._fetches[0].loss)
        return self._lost(self._fetches[0]) if lost else None

    def forget(self, listed_ms: int, horizon_ms: int) -> None:
        """Forget the oldest objects that were read, if a folder without dates has very many.

        Only those that S3 took before all unread ones, and so long before the last listing that no
        other can appear with such a time.
        """
        dated = self.folder.partition.hour_ms is not None
        if dated or len(self._read) <= 2 * REMEMBERED or listed_ms == self._forgotten_ms:
            return
        self._forgotten_ms = listed_ms
        left = [*self._unread, *(fetch.info for fetch in self._fetches)]
        bounds = [listed_ms - horizon_ms, *(info.modified_ms - 1 for info in left)]
        objects = self.folder.objects.values()
        read = sorted(info.modified_ms for info in objects if info.key in self._read)
        if len(read) > REMEMBERED:
            floor_ms = min(*bounds, read[-REMEMBERED] - 1)
            if floor_ms > self._memory.floor_ms:
                old = [info.key for info in objects if info.modified_ms <= floor_ms]
                self._read.forget([key for key in old if key != self._key])
                self._memory = replace(self._memory, floor_ms=floor_ms)

    def _resume(self, info: ObjectInfo) -> None:
        memory = self._memory
        begins = self._offset if memory.plain else 0
        self._fetches.appendleft(Fetch(info, self._offset, begins, memory.etag))
        self._waiting.add(info.key)
        self._resumes = False

    def _take_object(self, info: ObjectInfo) -> None:
        memory = self._memory
        if info.key in self._read:
            if info.etag and not self._read.has(info.key, info.etag):
                self._overwritten.append(info)
            return
        is_new = info.modified_ms > memory.floor_ms and info.key >= memory.after
        is_next = info.key in self._waiting or (self._resumes and info.key == self._key)
        if is_new and not is_next:
            self._waiting.add(info.key)
            heapq.heappush(self._unread, info)

    def _lines(self, fetch: Fetch, max_records: int) -> RawBatch | None:
        """Return a batch of lines, or one that only moves the position; ``None`` without either."""
        before = self.position
        lines = fetch.lines.take(max_records)
        finished = fetch.lines.exhausted and not fetch.lines.damage
        if not lines.values and not finished:
            return None
        self._key, self._offset = fetch.info.key, lines.next
        self.taken_bytes += lines.next - lines.starts[0] if lines.starts else 0
        if finished:
            self._leave(fetch)
        else:
            plain = not fetch.lines.compressed
            self._memory = replace(self._memory, etag=fetch.etag, plain=plain)
        self._move()
        starts, values = lines.starts, lines.values
        if self._transform is not None:
            starts, values = self._transform.records(fetch.info.key, starts, values)
        return self._batch(starts, values, fetch.info.key, fetch.modified_ms, before)

    def _leave(self, fetch: Fetch) -> None:
        """Note that an object was read to its end, with the content that it had."""
        info = fetch.info
        known = self.folder.objects.get(info.key, info)
        if known.etag == info.etag:
            self.folder.objects[info.key] = info._replace(etag=fetch.etag)
        elif known.etag != fetch.etag:
            self._overwritten.append(known)
        self._done(info.key, fetch.etag)
        self._fetches.popleft()

    def _done(self, key: str, etag: str) -> None:
        self._waiting.discard(key)
        self._read.add(key, etag)
        self._memory = replace(self._memory, etag="", plain=False)

    def _move(self) -> None:
        memory: ObjectMemory = replace(self._memory, read=self._read.packed)
        self.position = encode(ObjectPlace(self._key, self._offset, memory))

    def _lost(self, fetch: Fetch) -> Gap:
        """Return the gap of an object of which not all can be read; reading goes on after it."""
        reason = fetch.lines.damage or _REASONS[fetch.loss]
        expected = self.position
        self._fetches.popleft()
        self._key = fetch.info.key
        self._done(fetch.info.key, fetch.etag or fetch.info.etag)
        return self._stop(expected, f"{fetch.info.key} {reason}")

    def _gap_of_overwritten(self) -> Gap:
        """Return the gap of objects that have another content than what was read of them."""
        expected = self.position
        for info in self._overwritten:
            self._read.add(info.key, self.folder.objects[info.key].etag)
        first = min(info.key for info in self._overwritten)
        others = len({info.key for info in self._overwritten}) - 1
        more = f" and {others} more were" if others else " was"
        return self._stop(expected, f"{first}{more} overwritten after it was read")

    def _stop(self, expected: Position, reason: str) -> Gap:
        self.stopped = True
        self._move()
        log.warning("object_lost", partition=self.folder.name, reason=reason)
        return Gap(
            partition=self.folder.name,
            expected=expected,
            resume=self.position,
            lost=None,
            reason=reason,
        )

    def _end(self) -> RawBatch:
        name = self.folder.name
        child = DiscoveredPartition(self.folder.follower, OLDEST, (name,))
        return self._batch([], [], "", 0, self.position, ended=True, children=(child,))

    def _batch(
        self,
        starts: list[int],
        values: list[bytes],
        origin: str,
        modified_ms: int,
        before: Position,
        at_end: bool = False,
        ended: bool = False,
        children: tuple[DiscoveredPartition, ...] = (),
    ) -> RawBatch:
        return RawBatch(
            partition=self.folder.name,
            origin=origin,
            first=before,
            next=self.position,
            positions=[(origin, start) for start in starts],
            values=list(values),
            arrival_ms=np.full(len(values), modified_ms, np.int64),
            arrival_measured=True,
            at_end=at_end,
            ended=ended,
            children=children,
        )
