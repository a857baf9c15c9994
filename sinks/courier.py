"""The courier: carries items to one sink, in a thread of its own, at that sink's own pace."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

import structlog

from sinks.errors import SinkRejected, SinkRetry

Item = TypeVar("Item")
Given_contra = TypeVar("Given_contra", contravariant=True)
BATCH = 200
MOST_QUEUED = 2_000
SAME_LINE_S = 60.0
"""How often it is told that a sink still fails."""
HELD_S = 0.1
"""How often a courier asks again whether it may deliver."""
MOST_BYTES = 32 << 20
"""As encoded; the objects take about twice that. A report on 200 features is 108 kB, on 20 features
11 kB."""
BACKOFF_S = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

log = structlog.get_logger("driftline.sink")


class Deliverer(Protocol[Given_contra]):
    """What a courier needs of the running half of a sink. One that leaves parts of its items out
    counts them as ``left_out``.
    """

    @property
    def left_out(self) -> int: ...
    def deliver(self, items: Sequence[Given_contra]) -> None: ...
    def close(self) -> None: ...


class CourierCounts(NamedTuple):
    """What a courier has done: items delivered, attempts repeated, items rejected, items dropped,
    items waiting; seconds it was busy, seconds since it got anything through although something
    waits, how old the oldest item is that waits (0 without one), and parts of delivered items that
    the other side cannot hold.
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
"""How an attempt ended: all was taken, it comes again, or one item was refused for good."""


class DeliveryObserver(Protocol):
    """Who hears of what a courier does, by the sink's name and in the sink's thread. Must not
    raise.
    """

    def delivered(self, sink: str, items: Sequence[object]) -> None:
        """The sink has just taken these items."""

    def tried(self, sink: str, result: Result, seconds: float) -> None:
        """An attempt to deliver something is over; it took so long."""


class _Queued(NamedTuple, Generic[Item]):
    """An item that waits, its size in bytes, and when it was committed (seconds since the epoch).
    Without an item: moves the cursor.
    """

    number: int
    item: Item | None
    size: int
    since_s: float


class Courier(Generic[Item]):
    """Delivers items in order, again and again until they are taken.

    ``offer`` never blocks. The queue holds 2,000 items or 32 MB: beyond that a ``lossless`` courier
    says ``full`` (the service stops reading, nothing is lost), another one drops its oldest and
    counts them. ``SinkRetry`` waits for as long as the sink says, or 0.1 s rising to 30 s;
    ``SinkRejected`` leaves one item out. ``cursor`` is the number of the last item that is done
    with: delivered, rejected or dropped; the service commits it, so after a crash delivery goes on
    behind it. ``may_deliver`` is asked before each attempt; while it says no, everything waits.
    ``told`` hears of attempts and deliveries.
    """

    def __init__(
        self,
        name: str,
        delivery: Deliverer[Item],
        cursor: int,
        lossless: bool,
        backoff_s: Sequence[float] = BACKOFF_S,
        told: DeliveryObserver | None = None,
        may_deliver: Callable[[], bool] | None = None,
    ) -> None:
        self.name, self._delivery, self._lossless = name, delivery, lossless
        self._told, self._moved_s = told, time.monotonic()
        self._backoff_s = backoff_s
        self._may_deliver = may_deliver
        self._failing_s: float | None = None
        self._complained_s = 0.0
        self._queue: deque[_Queued[Item]] = deque()
        self._waiting = self._bytes = 0
        self._changed = threading.Condition()
        self._cursor = cursor
        self._delivered = self._retried = self._rejected = self._dropped = 0
        self._busy_s = 0.0
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"sink-{name}", daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def offer(
        self,
        items: Sequence[tuple[int, Item | None]],
        sizes: Sequence[int] = (),
        since_s: Sequence[float] = (),
    ) -> None:
        """Queue numbered items, how many bytes each is, and when it was committed (seconds since
        the epoch; without it: now).

        ``None`` stands for one that this sink does not take and only moves the cursor.
        """
        now_s = time.time()
        with self._changed:
            if not self._queue:
                self._moved_s = time.monotonic()
            for k, (number, item) in enumerate(items):
                size = sizes[k] if sizes and item is not None else 0
                self._append(_Queued(number, item, size, since_s[k] if since_s else now_s))
            while not self._lossless and self._over(MOST_QUEUED + 1):
                number, item = self._pop()
                self._cursor = max(self._cursor, number)
                self._dropped += item is not None
            self._changed.notify_all()

    @property
    def full(self) -> bool:
        """True if a lossless courier has no room: reading must pause."""
        return self._lossless and self._over(MOST_QUEUED)

    @property
    def cursor(self) -> int:
        """The number of the last item that is done with."""
        return self._cursor

    @property
    def counts(self) -> CourierCounts:
        """Figures for telemetry."""
        with self._changed:
            since_s = next((one.since_s for one in self._queue if one.item is not None), None)
            oldest_s = 0.0 if since_s is None else max(time.time() - since_s, 0.0)
            stuck_s = time.monotonic() - self._moved_s if self._waiting else 0.0
            done = self._delivered, self._retried, self._rejected, self._dropped
            left_out = self._delivery.left_out
            return CourierCounts(*done, self._waiting, self._busy_s, stuck_s, oldest_s, left_out)

    def drain(self, timeout_s: float) -> bool:
        """Wait until the queue is empty; false if it is not after ``timeout_s``."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue, timeout_s)

    def stop(self, timeout_s: float) -> None:
        """Stop after the attempt that is under way and close the sink. What was not delivered stays
        in the outbox.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._delivery.close()

    def _append(self, one: _Queued[Item]) -> None:
        if one.item is None and self._queue and self._queue[-1].item is None:
            self._queue.pop()  # what only moves the cursor needs one place
        self._queue.append(one)
        self._waiting += one.item is not None
        self._bytes += one.size

    def _pop(self) -> tuple[int, Item | None]:
        one = self._queue.popleft()
        self._waiting -= one.item is not None
        self._bytes -= one.size
        return one.number, one.item

    def _over(self, most: int) -> bool:
        return self._waiting >= most or self._bytes >= MOST_BYTES

    def _run(self) -> None:
        failures = 0
        while batch := self._next():
            if self._may_deliver is not None and not self._may_deliver():
                self._pause(HELD_S)
                continue
            wait_s = self._attempt(batch)
            failures = failures + 1 if wait_s is not None else 0
            if wait_s is not None:
                self._pause(wait_s or self._backoff_s[min(failures, len(self._backoff_s)) - 1])

    def _next(self) -> list[tuple[int, Item | None]]:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._stopping)
            return (
                []
                if self._stopping
                else [self._queue[k][:2] for k in range(min(BATCH, len(self._queue)))]
            )

    def _attempt(self, batch: list[tuple[int, Item | None]]) -> float | None:
        """Deliver a batch; returns how long to wait before the next attempt (0: as usual), ``None``
        if all went well.
        """
        began = time.monotonic()
        result: Result = "retried"
        try:
            result, wait_s = self._try(batch)
            return wait_s
        except Exception as error:  # noqa: BLE001  # a sink's fault must neither stop the service nor lose what waits
            self._retried += 1
            self._complain(f"{type(error).__name__}: {error}")
            return 0.0
        finally:
            took_s = time.monotonic() - began
            self._busy_s += took_s
            if self._told is not None and any(item is not None for _, item in batch):
                self._told.tried(self.name, result, took_s)

    def _try(self, batch: list[tuple[int, Item | None]]) -> tuple[Result, float | None]:
        numbers = [number for number, item in batch if item is not None]
        try:
            items = [item for _, item in batch if item is not None]
            if items:
                self._delivery.deliver(items)
            self._done(batch[-1][0])
            if self._failing_s is not None:
                log.info(
                    "sink delivers again",
                    sink=self.name,
                    failed_for_s=round(time.monotonic() - self._failing_s, 1),
                )
                self._failing_s = None
            return "delivered", None
        except SinkRejected as error:
            log.error("item rejected", sink=self.name, reason=error.reason)
            self._done(numbers[error.index], rejected=True)
            return "rejected", None
        except SinkRetry as error:
            self._retried += 1
            self._complain(error.reason)
            if error.delivered:
                self._done(numbers[error.delivered - 1])
            return "retried", error.after_s

    def _done(self, last: int, rejected: bool = False) -> None:
        """Everything up to number ``last`` is through, ``last`` itself perhaps ``rejected``; what
        was dropped meanwhile stays dropped.
        """
        through: list[Item] = []
        with self._changed:
            while self._queue and self._queue[0].number <= last:
                number, item = self._pop()
                if item is not None and rejected and number == last:
                    self._rejected += 1
                elif item is not None:
                    through.append(item)
            self._delivered += len(through)
            self._cursor = max(self._cursor, last)
            self._moved_s = time.monotonic()
            self._changed.notify_all()
        if through and self._told is not None:
            self._told.delivered(self.name, through)

    def _complain(self, reason: str) -> None:
        """The first failure is told, and that it goes on, once a minute."""
        now = time.monotonic()
        if self._failing_s is None or now - self._complained_s >= SAME_LINE_S:
            self._failing_s = now if self._failing_s is None else self._failing_s
            self._complained_s = now
            log.warning(
                "delivery fails and is repeated",
                sink=self.name,
                reason=reason,
                failing_s=round(now - self._failing_s, 1),
            )

    def _pause(self, wait_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, wait_s)
