"""Fetches objects ahead in threads, in chunks of bounded size."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from stream.errors import SourceUnavailable
from stream.sources.s3.client import ObjectInfo, S3Client, S3Error, unavailable
from stream.sources.s3.content import ObjectLines
from stream.sources.s3.direct import Chunk

THREADS: Final = 8
"""The number of requests at the same time."""
CHUNK_BYTES: Final = 8 << 20
"""The largest number of bytes that one request fetches; larger objects take several."""
AHEAD_BYTES: Final = 64 << 20
"""The number of bytes that are fetched ahead of counting, for all partitions together."""
AHEAD_OBJECTS: Final = 64
"""The number of objects of a partition that are fetched ahead of counting."""
SMALLEST_BYTES: Final = 4096
"""The bytes for which a chunk counts at least."""
FIRST_PAUSE_S, MAX_PAUSE_S = 0.2, 5.0
"""The pauses before a failed request is repeated; each is twice as long as the one before."""


class Fetch:
    """The fetching of one object from an offset on; ``lines`` holds what has arrived.

    With an ``etag`` the rest of an object is fetched of which a part was read: if it has another
    one now, that is a loss. Otherwise the object is taken as it is when its first chunk arrives.
    ``loss`` is the kind of an error after which nothing more of the object arrives: ``no_object``,
    ``changed``, ``archived`` or ``refused``.
    """

    def __init__(self, info: ObjectInfo, offset: int = 0, begins: int = 0, etag: str = "") -> None:
        self.info = info
        self.etag = etag
        self.modified_ms = info.modified_ms
        self.lines = ObjectLines(offset, begins)
        self.loss = ""
        self.error: SourceUnavailable | None = None
        # At least one request finds out what is there now.
        self.size = max(info.size if info.size > 0 else CHUNK_BYTES, begins + 1)
        self._next = begins
        self._arrived: deque[tuple[bytes, bool]] = deque()
        self.busy = False
        self.due_s = 0.0
        self.failures = 0

    @property
    def stopped(self) -> bool:
        """True if nothing more is to be fetched."""
        return bool(self.loss) or self.error is not None or self._next >= self.size

    @property
    def next_bytes(self) -> int:
        """The number of bytes of the next chunk."""
        return max(min(self.size - self._next, CHUNK_BYTES), 0)

    @property
    def held_bytes(self) -> int:
        """The number of bytes that have arrived and wait."""
        return sum(_counted(len(data)) for data, _ in self._arrived)

    @property
    def ready(self) -> bool:
        """True if lines, the end, or the reason of a loss can be taken."""
        has_lines = bool(self._arrived) or not self.lines.waits
        return has_lines or bool(self.loss) or self.error is not None

    def arrive(self) -> None:
        """Move what has arrived to the lines, once those of earlier chunks are taken."""
        if self._arrived and self.lines.waits:
            self.lines.add(*self._arrived.popleft())

    def request(self, s3: S3Client) -> Chunk:
        """Fetch the next chunk. Raises :class:`S3Error`."""
        whole = self._next == 0 and 0 <= self.info.size <= CHUNK_BYTES
        return s3.read(self.info.key, self._next, None if whole else CHUNK_BYTES, self.etag)

    def accept(self, chunk: Chunk) -> None:
        """Keep the next chunk until its lines are wanted."""
        self.failures = 0
        self.etag, self.modified_ms = chunk.etag, chunk.modified_ms
        self.size = chunk.size
        self._next += len(chunk.data)
        self._arrived.append((chunk.data, self._next >= self.size))

    def ask_without_range(self) -> None:
        """Ask for all of the object: an empty one has no range."""
        self.size = CHUNK_BYTES
        self.info = self.info._replace(size=0)


class Fetcher:
    """Fetches the chunks of many objects; ``changed`` is notified when one has arrived.

    The number of concurrent requests falls by half when S3 asks to slow down, and grows again by
    one with each success.
    """

    def __init__(self, s3: S3Client, changed: threading.Condition) -> None:
        self.s3 = s3
        self._changed = changed
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="s3")
        self._busy: set[Fetch] = set()
        self._limit = THREADS
        self._due_s = 0.0

    def start(self, wanted: Iterable[Fetch]) -> float:
        """Start the requests for which there is room, in this order; return when more are due.

        The room is that of all fetches in ``wanted``. The caller holds ``changed``.
        """
        fetches = list(wanted)
        held = sum(fetch.held_bytes for fetch in fetches)
        held += sum(_counted(fetch.next_bytes) for fetch in self._busy)
        now_s = time.monotonic()
        next_s = float("inf")
        for fetch in fetches:
            if len(self._busy) >= self._limit:
                break
            if fetch.busy or fetch.stopped:
                continue
            due_s = max(fetch.due_s, self._due_s)
            if due_s > now_s:
                next_s = min(next_s, due_s)
                continue
            if held and held + _counted(fetch.next_bytes) > AHEAD_BYTES:
                break
            held += _counted(fetch.next_bytes)
            fetch.busy = True
            self._busy.add(fetch)
            self._pool.submit(self._run, fetch)
        return next_s

    def close(self) -> None:
        """Start no more requests; those that run end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, fetch: Fetch) -> None:
        chunk: Chunk | None = None
        failure: S3Error | None = None
        error: SourceUnavailable | None = None
        try:
            chunk = fetch.request(self.s3)
        except S3Error as failed:
            failure = failed
        except Exception as failed:  # noqa: BLE001  # take() raises it
            error = SourceUnavailable(self.s3.label, [f"{type(failed).__name__}: {failed}"], "")
        with self._changed:
            fetch.busy = False
            self._busy.discard(fetch)
            fetch.error = error
            if failure is not None:
                self._note(fetch, failure)
            if chunk is not None:
                fetch.accept(chunk)
                self._limit = min(self._limit + 1, THREADS)
            self._changed.notify_all()
        if chunk is not None:
            self.s3.report_success()

    def _note(self, fetch: Fetch, failure: S3Error) -> None:
        """Give up on the object, end the program, or repeat the request later."""
        if failure.code in ("InvalidRange", "416") and not fetch.etag:
            fetch.ask_without_range()
        elif failure.kind in ("no_object", "changed", "archived", "refused"):
            fetch.loss = failure.kind
        elif failure.kind in ("denied", "no_bucket"):
            fetch.error = unavailable(self.s3.label, failure)
        else:
            fetch.failures += 1
            pause_s = min(FIRST_PAUSE_S * 2 ** min(fetch.failures, 10), MAX_PAUSE_S)
            fetch.due_s = time.monotonic() + pause_s
            self.s3.report_failure(failure)
            if failure.kind == "throttled":
                self._limit = max(self._limit // 2, 1)
                self._due_s = fetch.due_s


def _counted(size: int) -> int:
    return max(size, SMALLEST_BYTES)
