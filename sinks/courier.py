"""The courier: delivers items to one sink, in a thread of its own, at that sink's own pace."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

import msgspec
import structlog

from sinks.errors import SinkRejected, SinkRetry
from sinks.throttle import Throttle

Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)
BATCH = 200
MAX_QUEUED = 2_000
MAX_BYTES = 32 << 20
"""Encoded size of the queued items, which take about twice that in memory.

A report on 200 features has 150 kB, one on 20 features 16 kB.
"""
BACKOFF_S = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""The longest wait after the first, second, ... consecutive failure; the last one is repeated."""
RETRYING_EVERY_S = 60.0
"""How often a sink that keeps failing is logged."""
HELD_S = 0.1
"""How often a courier checks again whether it may deliver."""

log = structlog.get_logger("driftline.sink")


class Deliverer(Protocol[Item_contra]):
    """The part of a :class:`sinks.base.Delivery` that a courier uses."""

    @property
    def left_out(self) -> int: ...
    def deliver(self, items: Sequence[Item_contra]) -> None: ...
    def needs(self, item: Item_contra) -> bool: ...
    def close(self) -> None: ...


class CourierCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one courier since its process started, and of its queue now.

    ``delivered``, ``rejected`` and ``dropped`` count items, ``retried`` counts attempts that failed
    and are repeated. ``waiting`` items are in the queue. ``busy_s`` is the time spent in attempts;
    ``stuck_s`` the time since an item was last delivered or rejected, while some wait; ``oldest_s``
    the age of the oldest waiting item (0 if none waits). ``left_out`` counts parts of delivered
    items that the destination cannot hold.
    """

    delivered: int
    retried: int
    rejected: int
    dropped: int
    waiting: int
    busy_s: float
    stuck_s: float = 0.0
    oldest_s: float = 0.0
    left_out: int = 0


Result = Literal["delivered", "retried", "rejected"]
"""The result of an attempt: all items delivered, to be repeated, or one item rejected."""


class DeliveryObserver(Protocol):
    """Observes the deliveries of couriers; called in the thread of a courier. Must not raise."""

    def delivered(self, sink: str, items: Sequence[object]) -> None:
        """Called when the sink has delivered these items."""

    def attempted(self, sink: str, result: Result, seconds: float) -> None:
        """Called when an attempt to deliver at least one item has ended."""


class _Queued(NamedTuple, Generic[Item]):
    """A queued item, its size in bytes, and when it was committed (seconds since the epoch).

    An entry without an item only moves the cursor.
    """

    number: int
    item: Item | None
    size: int
    since_s: float


class Courier(Generic[Item]):
    """Delivers items in order, and repeats each attempt until it succeeds.

    ``offer`` never blocks. The queue holds 2,000 items or 32 MB: beyond that a ``lossless`` courier
    is ``full`` (the service pauses reading, nothing is lost), any other drops its oldest items and
    counts them.

    After ``SinkRetry`` or an unexpected exception the courier waits for a random part of the
    back-off (full jitter: uniform between 0 and 0.1 s, rising to 30 s with consecutive failures),
    so that couriers which fail together do not retry together. If the sink asks for a pause
    (``after_s``), the random part is added to it. ``uniform(low, high)`` draws that part.
    ``SinkRejected`` leaves one item out.

    ``cursor`` is the number of the last item that is settled: delivered, rejected or dropped. The
    service commits it, so after a crash delivery resumes after it: delivery is at least once. While
    the sink still needs a delivered item, ``cursor`` stays before it, so that it is delivered again
    after a restart.
    ``may_deliver`` is called before each attempt; while it returns false, everything waits.
    ``observer`` receives attempts and deliveries.
    """

    def __init__(
        self,
        name: str,
        delivery: Deliverer[Item],
        cursor: int,
        lossless: bool,
        backoff_s: Sequence[float] = BACKOFF_S,
        observer: DeliveryObserver | None = None,
        may_deliver: Callable[[], bool] | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.name = name
        self._delivery = delivery
        self._lossless = lossless
        self._backoff_s = backoff_s
        self._observer = observer
        self._may_deliver = may_deliver
        self._uniform = uniform
        self._progress_s = time.monotonic()
        self._failing_s: float | None = None
        self._throttle = Throttle(RETRYING_EVERY_S)
        self._queue: deque[_Queued[Item]] = deque()
        self._waiting = self._bytes = 0
        self._changed = threading.Condition()
        self._cursor = cursor
        self._needed: deque[tuple[int, Item]] = deque()
        """Delivered items that the sink needed when they were settled, oldest first."""
        self._delivered = self._retried = self._rejected = self._dropped = 0
        self._busy_s = 0.0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"sink-{name}", daemon=True)

    def start(self) -> None:
        """Start the courier's thread."""
        self._thread.start()

    def offer(
        self,
        items: Sequence[tuple[int, Item | None]],
        sizes: Sequence[int] = (),
        since_s: Sequence[float] = (),
    ) -> None:
        """Queue numbered items, with their sizes in bytes and their commit times.

        Commit times are in seconds since the epoch; the default is now. ``None`` replaces an item
        that this sink does not take; it only moves the cursor.
        """
        now_s = time.time()
        with self._changed:
            if not self._queue:
                self._progress_s = time.monotonic()
            for k, (number, item) in enumerate(items):
                size = sizes[k] if sizes and item is not None else 0
                self._append(_Queued(number, item, size, since_s[k] if since_s else now_s))
            while not self._lossless and self._over(MAX_QUEUED + 1):
                number, item = self._pop()
                self._cursor = max(self._cursor, number)
                self._dropped += item is not None
            self._changed.notify_all()

    @property
    def full(self) -> bool:
        """True if a lossless courier has no room: reading must pause."""
        return self._lossless and self._over(MAX_QUEUED)

    @property
    def cursor(self) -> int:
        """The number of the last item that need not be delivered again."""
        with self._changed:
            return self._needed[0][0] - 1 if self._needed else self._cursor

    @property
    def counts(self) -> CourierCounts:
        """The current figures, for telemetry."""
        with self._changed:
            since_s = next((entry.since_s for entry in self._queue if entry.item is not None), None)
            return CourierCounts(
                delivered=self._delivered,
                retried=self._retried,
                rejected=self._rejected,
                dropped=self._dropped,
                waiting=self._waiting,
                busy_s=self._busy_s,
                stuck_s=time.monotonic() - self._progress_s if self._waiting else 0.0,
                oldest_s=0.0 if since_s is None else max(time.time() - since_s, 0.0),
                left_out=self._delivery.left_out,
            )

    def drain(self, timeout_s: float) -> bool:
        """Wait until the queue is empty; returns false if it is not within ``timeout_s``."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue, timeout_s)

    def stop(self, timeout_s: float) -> None:
        """Stop after the attempt in progress, and close the sink.

        Undelivered items stay in the outbox.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._delivery.close()

    def _append(self, entry: _Queued[Item]) -> None:
        if entry.item is None and self._queue and self._queue[-1].item is None:
            self._queue.pop()  # consecutive entries that only move the cursor need one slot
        self._queue.append(entry)
        self._waiting += entry.item is not None
        self._bytes += entry.size

    def _pop(self) -> tuple[int, Item | None]:
        entry = self._queue.popleft()
        self._waiting -= entry.item is not None
        self._bytes -= entry.size
        return entry.number, entry.item

    def _over(self, max_items: int) -> bool:
        return self._waiting >= max_items or self._bytes >= MAX_BYTES

    def _run(self) -> None:
        failures = 0
        while batch := self._next():
            if self._may_deliver is not None and not self._may_deliver():
                self._pause(HELD_S)
                continue
            after_s = self._attempt(batch)
            failures = failures + 1 if after_s is not None else 0
            if after_s is not None:
                self._pause(self._wait_s(failures, after_s))

    def _wait_s(self, failures: int, after_s: float) -> float:
        """Return the seconds until the next attempt, after that many consecutive ``failures``.

        The pause that the sink asks for, and a random part of the back-off.
        """
        longest_s = self._backoff_s[min(failures, len(self._backoff_s)) - 1]
        return after_s + self._uniform(0.0, longest_s)

    def _next(self) -> list[tuple[int, Item | None]]:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._stopping)
            if self._stopping:
                return []
            return [self._queue[k][:2] for k in range(min(BATCH, len(self._queue)))]

    def _attempt(self, batch: list[tuple[int, Item | None]]) -> float | None:
        """Deliver a batch; returns ``None`` if it is settled.

        Otherwise returns the pause in seconds that the sink asks for before the next attempt.
        """
        start_s = time.monotonic()
        result: Result = "retried"
        try:
            result, after_s = self._deliver(batch)
            return after_s
        except Exception as error:  # noqa: BLE001  # a fault of a sink must neither stop the service nor lose items
            self._retried += 1
            self._log_failure(f"{type(error).__name__}: {error}")
            return 0.0
        finally:
            seconds = time.monotonic() - start_s
            self._busy_s += seconds
            if self._observer is not None and any(item is not None for _, item in batch):
                self._observer.attempted(self.name, result, seconds)

    def _deliver(self, batch: list[tuple[int, Item | None]]) -> tuple[Result, float | None]:
        numbers = [number for number, item in batch if item is not None]
        try:
            items = [item for _, item in batch if item is not None]
            if items:
                self._delivery.deliver(items)
            self._settle(batch[-1][0])
            self._log_recovery()
            return "delivered", None
        except SinkRejected as error:
            log.error("item_rejected", sink=self.name, reason=error.reason)
            self._settle(numbers[error.index], rejected=True)
            return "rejected", None
        except SinkRetry as error:
            self._retried += 1
            self._log_failure(error.reason, error.permission)
            if error.delivered:
                self._settle(numbers[error.delivered - 1])
            return "retried", error.after_s

    def _settle(self, last: int, rejected: bool = False) -> None:
        """Remove the entries up to number ``last`` from the queue, and count them as delivered.

        With ``rejected`` the item ``last`` is counted as rejected. Items that were dropped in the
        meantime stay dropped.
        """
        delivered: list[Item] = []
        with self._changed:
            while self._needed and not self._delivery.needs(self._needed[0][1]):
                self._needed.popleft()
            while self._queue and self._queue[0].number <= last:
                number, item = self._pop()
                if item is not None and rejected and number == last:
                    self._rejected += 1
                elif item is not None:
                    delivered.append(item)
                    if self._delivery.needs(item):
                        self._needed.append((number, item))
            self._delivered += len(delivered)
            self._cursor = max(self._cursor, last)
            self._progress_s = time.monotonic()
            self._changed.notify_all()
        if delivered and self._observer is not None:
            self._observer.delivered(self.name, delivered)

    def _log_failure(self, reason: str, permission: str = "") -> None:
        """Log the first failure of an outage immediately, and then once per minute."""
        now_s = time.monotonic()
        if self._failing_s is None:
            self._failing_s = now_s
            self._throttle = Throttle(RETRYING_EVERY_S)
        if self._throttle.due("retrying"):
            failing_s = round(now_s - self._failing_s, 1)
            needed = {"permission": permission} if permission else {}
            log.warning(
                "sink_retrying", sink=self.name, reason=reason, failing_s=failing_s, **needed
            )

    def _log_recovery(self) -> None:
        if self._failing_s is not None:
            failed_for_s = round(time.monotonic() - self._failing_s, 1)
            log.info("sink_recovered", sink=self.name, failed_for_s=failed_for_s)
            self._failing_s = None

    def _pause(self, wait_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, wait_s)
