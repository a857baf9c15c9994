"""Reads the partitions of a bucket: what is known of them, and the objects in them."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Final

import msgspec
import structlog

from stream.events import Assign, DiscoveredPartition, Gap, Position, RawBatch
from stream.sources.base import Reading
from stream.sources.s3.catalog import Catalog
from stream.sources.s3.client import ObjectInfo
from stream.sources.s3.fetching import Fetcher
from stream.sources.s3.folder_reader import FolderReader
from stream.sources.s3.keys import partition_of
from stream.sources.s3.position import ReadObjects, decode
from stream.sources.s3.transform_lines import TransformLines
from stream.sources.s3.watch import Watch

log = structlog.get_logger("driftline.s3")

POLL_BYTES: Final = 32 << 20
"""The size of lines after which a poll returns: a compressed object may hold enormous ones."""
SETTLE_S: Final = 2.0
"""The longest time to wait for the first listing."""


class FolderNews(msgspec.Struct, frozen=True, array_like=True):
    """What was found in a partition since the last news; ``as_of_s`` is by the monotonic clock."""

    objects: list[ObjectInfo]
    follower: str
    complete: bool
    as_of_s: float | None


class S3Reading(Reading):
    """Reads one prefix of a bucket.

    See :class:`stream.sources.base.Reading` for the contract. The bucket is listed and notices are
    received only by a reading that discovers partitions, or that nobody informs. ``max_age_s`` is
    the age up to which what is known proves that a partition is at its end. ``transform`` makes
    records of the lines of batch transform jobs.
    """

    def __init__(
        self,
        watch: Watch,
        fetcher: Fetcher,
        max_age_s: float,
        transform: TransformLines | None = None,
    ) -> None:
        self._watch = watch
        self._catalog: Catalog = watch.catalog
        self._fetcher = fetcher
        self._max_age_s = max_age_s
        self._transform = transform
        self._readers: dict[str, FolderReader] = {}
        self._ended: set[str] = set()
        self._informed = False
        self._sent: dict[str, int] = {}
        self._news: dict[str, FolderNews] = {}
        self._told = 0
        self._closed = False

    def discover(self) -> list[DiscoveredPartition]:
        """Return the partitions that are known; only the first call waits, for a listing."""
        self._watch.start()
        if self._catalog.listed_ms is None:
            self._catalog.wait_for_listing(SETTLE_S)
        self._raise_error()
        too_late = self._catalog.too_late
        if len(too_late) > self._told:
            self._told = len(too_late)
            log.warning("objects_too_late", source=self._watch.s3.label, objects=len(too_late))
        return self._catalog.discovered()

    def assign(self, assigns: list[Assign]) -> list[Gap]:
        """Read the partitions from their positions on; a lost position is a gap."""
        self._catalog.note_known({assign.partition: assign.next for assign in assigns})
        if not self._informed:
            self._watch.start()
            self._catalog.wait_for_listing(SETTLE_S)
            self._raise_error()
        gaps: list[Gap] = []
        for assign in assigns:
            self._ended.discard(assign.partition)
            folder = self._catalog.folder(assign.partition)
            reader = FolderReader(folder, assign.next, self._transform)
            self._readers[assign.partition] = reader
            with self._catalog.changed:
                gap = reader.gap()
            if gap is not None:
                gaps.append(gap)
        return gaps

    def assigned_elsewhere(self, partitions: Mapping[str, Position]) -> None:
        """Note partitions that other readings read, and tell all that is known of them."""
        self._catalog.note_known(partitions)
        for name in partitions:
            self._sent[name] = 0
            self._news.pop(name, None)

    def poll(self, timeout_s: float, max_records: int) -> list[RawBatch | Gap]:
        """Return lines; partitions of earlier hours come first."""
        deadline_s = time.monotonic() + timeout_s
        changed = self._catalog.changed
        with changed:
            while True:
                readers = sorted(self._readers.values(), key=lambda reader: reader.order)
                next_s = self._fetch(readers)
                results = self._take(readers, max_records)
                now_s = time.monotonic()
                if results or now_s >= deadline_s or self._closed:
                    break
                self._raise_error()
                changed.wait(min(next_s, deadline_s) - now_s)
            self._raise_error()
            return [*results, *self._at_end(results)]

    @property
    def finished(self) -> bool:
        """True when a bounded reading is at the end of all objects, or a listing found none."""
        if self._catalog.follow:
            return False
        if not (self._readers or self._ended):
            return not self._informed and self._catalog.all_read(())
        with self._catalog.changed:
            at_end = [name for name, reader in self._readers.items() if reader.at_end]
            if len(at_end) < len(self._readers):
                return False
            return self._informed or self._catalog.all_read({*at_end, *self._ended})

    @property
    def trouble(self) -> str:
        """The latest failure of a request, while none has succeeded since."""
        return self._watch.s3.trouble

    def expired(self, ended: Collection[str]) -> list[str]:
        """Return the ended hours of which the catalog needs no trace any more."""
        for name in ended:
            self._sent.pop(name, None)
            self._news.pop(name, None)
        return self._catalog.expired(ended)

    def unreadable(self) -> int:
        """Return the number of objects that appeared after their hour was read to its end.

        Manifests that cannot be read count as well.
        """
        manifests = self._watch.manifests
        return len(self._catalog.too_late) + len(manifests.unreadable if manifests else ())

    def publish_positions(self, positions: Mapping[str, Position]) -> None:
        """Note which notices name objects that were committed: their messages are deleted."""
        queue = self._watch.queue
        pending: dict[str, list[str]] = {}
        for key in queue.pending if queue is not None else ():
            pending.setdefault(partition_of(key).name, []).append(key)
        for name, keys in pending.items():
            if name in positions:
                read = ReadObjects(decode(positions[name]).memory.read)
                self._watch.committed(key for key in keys if key in read)

    def lag(self, positions: Mapping[str, Position]) -> dict[str, int]:
        """Return the number of known objects that are not read to their ends."""
        with self._catalog.changed:
            return {
                name: self._readers[name].objects_left
                for name in positions
                if name in self._readers
            }

    def found(self) -> dict[str, bytes]:
        """Return what was found in the partitions that other readings read."""
        news: dict[str, bytes] = {}
        with self._catalog.changed:
            self._raise_error()
            for name, sent in self._sent.items():
                folder = self._catalog.folder(name)
                objects = folder.found[sent:]
                as_of_s = self._catalog.as_of_s
                latest = FolderNews([], folder.follower, folder.complete, as_of_s)
                if objects or latest != self._news.get(name):
                    self._sent[name] = len(folder.found)
                    self._news[name] = latest
                    told = msgspec.structs.replace(latest, objects=objects)
                    news[name] = msgspec.msgpack.encode(told)
        return news

    def inform(self, found: Mapping[str, bytes]) -> None:
        """Take what another reading has found; from the first call on this one does not look."""
        self._informed = True
        with self._catalog.changed:
            for name, encoded in found.items():
                news = msgspec.msgpack.decode(encoded, type=FolderNews)
                folder = self._catalog.folder(name)
                for info in news.objects:
                    folder.add(info)
                folder.follower, folder.complete = news.follower, news.complete
                self._catalog.as_of_s = news.as_of_s

    def close(self) -> None:
        """Stop the threads and release the connections; safe to call twice."""
        self._closed = True
        self._readers = {}
        self._watch.close()
        self._fetcher.close()
        self._watch.s3.close()

    def _raise_error(self) -> None:
        if self._catalog.error is not None:
            raise self._catalog.error

    def _fetch(self, readers: list[FolderReader]) -> float:
        """Start requests for the next objects; return when a failed one is to be repeated."""
        for reader in readers:
            if not reader.stopped:
                reader.sync()
        return self._fetcher.start([fetch for reader in readers for fetch in reader.wanted()])

    def _take(self, readers: list[FolderReader], max_records: int) -> list[RawBatch | Gap]:
        results: list[RawBatch | Gap] = []
        left, left_bytes = max_records, POLL_BYTES
        for reader in readers:
            before_bytes = reader.taken_bytes
            taken = self._take_of(reader, left, left_bytes)
            results += taken
            left_bytes -= reader.taken_bytes - before_bytes
            left -= sum(len(batch.values) for batch in taken if isinstance(batch, RawBatch))
            if self._catalog.listed_ms is not None:
                reader.forget(self._catalog.listed_ms, self._catalog.horizon_ms)
        return results

    def _take_of(
        self, reader: FolderReader, max_records: int, max_bytes: int
    ) -> list[RawBatch | Gap]:
        """Return batches of one partition, or a gap alone: what precedes it is to be counted."""
        taken: list[RawBatch | Gap] = []
        left, until_bytes = max_records, reader.taken_bytes + max_bytes
        while left > 0 and reader.taken_bytes < until_bytes and reader.ready:
            result = reader.take(left)
            if isinstance(result, Gap) and taken:
                reader.hold(result)
                break
            if result is None:
                break
            taken.append(result)
            if isinstance(result, Gap):
                break
            left -= len(result.values)
            if result.ended:
                self._ended.add(reader.folder.name)
                del self._readers[reader.folder.name]
                break
        return taken

    def _at_end(self, results: list[RawBatch | Gap]) -> list[RawBatch]:
        if self._catalog.follow and not self._catalog.is_fresh(self._max_age_s):
            return []
        read = {result.partition for result in results}
        return [
            reader.end_batch()
            for name, reader in self._readers.items()
            if name not in read and reader.at_end and reader.folder.complete
        ]
