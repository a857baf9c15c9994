"""Watches a bucket in a thread: lists it, and receives notices of new objects."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from typing import Final

import structlog

from stream.sources.s3.catalog import Catalog
from stream.sources.s3.client import (
    PERMANENT_KINDS,
    ObjectInfo,
    Page,
    S3Client,
    S3Error,
    unavailable,
)
from stream.sources.s3.keys import is_read, partition_of
from stream.sources.s3.manifests import Manifests
from stream.sources.s3.queue import NoticeQueue

log = structlog.get_logger("driftline.s3")

LISTING: Final = ("ListObjectsV2", "s3:ListBucket")
FIRST_PAUSE_S, MAX_PAUSE_S = 0.5, 10.0
"""The pauses before a failed request is repeated; each is twice as long as the one before."""


class Watch:
    """Keeps a catalog up to date, with one listing of the prefix in ``relist_s``.

    A listing is one sequence of pages in the order of the keys. Hours that the job has read are
    skipped by starting the next page after them. With ``manifests`` the objects are manifests.
    """

    def __init__(
        self,
        s3: S3Client,
        catalog: Catalog,
        queue: NoticeQueue | None,
        relist_s: float,
        manifests: Manifests | None = None,
    ) -> None:
        self.s3 = s3
        self.catalog = catalog
        self.queue = queue
        self.relist_s = relist_s
        self.manifests = manifests
        self.listings = 0
        self._next_list_s = 0.0
        self._failures = 0
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._committed: SimpleQueue[str] = SimpleQueue()

    def start(self) -> None:
        """Start the thread, unless it runs."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="s3-watch", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop the thread; a request that runs ends by itself."""
        self._closed.set()
        if self.queue is not None:
            self.queue.close()

    def committed(self, keys: Iterable[str]) -> None:
        """Note objects of which notices are no longer needed."""
        for key in keys:
            self._committed.put(key)

    def listing(self) -> Iterator[ObjectInfo]:
        """Yield the objects that may have to be read; a page that fails is asked for again.

        Raises :class:`S3Error` if no retry repairs it.
        """
        after, more = "", True
        while more and not self._closed.is_set():
            page = self._page(after)
            more = page.more
            if more and (not page.objects or page.objects[-1].key <= after):
                raise S3Error(*LISTING, "NoProgress", "transient", "a page repeats another one")
            for info in page.objects:
                after = info.key
                partition = partition_of(info.key)
                floor = self.catalog.floor(partition) if partition.hour_ms is not None else ""
                if floor and info.key < floor:
                    if more:
                        after = max(after, floor)
                    continue
                if self.manifests is not None:
                    yield from self.manifests.objects_of(info)
                elif is_read(info.key):
                    yield info

    def _page(self, after: str) -> Page:
        while not self._closed.is_set():
            try:
                page = self.s3.page(after)
            except S3Error as failure:
                if failure.kind in PERMANENT_KINDS:
                    raise
                self._pause_after(failure)
            else:
                self.s3.report_success()
                self._failures = 0
                return page
        return Page([], more=False)

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._step()
                self._failures = 0
            except S3Error as failure:
                if not self._closed.is_set():
                    self._pause_after(failure)
            except Exception as error:  # noqa: BLE001  # the reading raises it
                self._fail(error)

    def _step(self) -> None:
        now_s = time.monotonic()
        if now_s >= self._next_list_s:
            self.list_once()
        elif self.queue is not None:
            self._receive(self.queue)
        elif self.catalog.follow:
            self._closed.wait(self._next_list_s - now_s)
        else:
            self._closed.wait()

    def list_once(self) -> None:
        """List the prefix, and take what is there. Raises :class:`S3Error`."""
        began_s, began_ms = time.monotonic(), self.catalog.clock()
        self.listings += 1
        objects = list(self.listing())
        if self._closed.is_set():
            return
        if self.manifests is not None:
            self.manifests.end_listing()
        self._next_list_s = began_s + self.relist_s if self.catalog.follow else float("inf")
        self.catalog.take_listing(objects, began_ms, began_s)
        if self.queue is not None:
            self.queue.delete_done(filter(self.catalog.is_listed, self.queue.pending))

    def _receive(self, queue: NoticeQueue) -> None:
        began_s = time.monotonic()
        objects, more = queue.receive()
        listed = [info.key for info in objects if self.catalog.is_listed(info.key)]
        self.catalog.take_notices(objects, 0.0 if more else began_s)
        self.s3.report_success()
        queue.delete_done([*listed, *self._take_committed()])

    def _take_committed(self) -> list[str]:
        return [self._committed.get() for _ in range(self._committed.qsize())]

    def _pause_after(self, failure: S3Error) -> None:
        if failure.kind in PERMANENT_KINDS:
            self._fail(unavailable(self.s3.label, failure))
            return
        self.s3.report_failure(failure)
        self._failures += 1
        self._closed.wait(min(FIRST_PAUSE_S * 2 ** min(self._failures, 8), MAX_PAUSE_S))

    def _fail(self, error: Exception) -> None:
        with self.catalog.changed:
            self.catalog.error = error
            self.catalog.changed.notify_all()
        self._closed.set()
