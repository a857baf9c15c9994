"""The courier delivers in order, retries until items are accepted, and never skips an item."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from sinks.courier import BACKOFF_S, MAX_BYTES, MAX_QUEUED, Courier, DeliveryObserver, Result
from sinks.errors import SinkRejected, SinkRetry
from sinks.throttle import Throttle

QUICK_S = (0.001,)


class Recorder:
    """A sink of texts. Each of ``faults`` is raised by one of the first calls; ``gate`` blocks
    deliveries until it is set."""

    left_out = 0

    def __init__(self, *faults: Exception) -> None:
        self.received: list[str] = []
        self.calls: list[list[str]] = []
        self.faults = list(faults)
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.closed = 0
        self.needed: set[str] = set()
        """The items that must be delivered again after a restart."""

    def needs(self, item: str) -> bool:
        return item in self.needed

    def deliver(self, items: Sequence[str]) -> None:
        self.calls.append(list(items))
        self.entered.set()
        assert self.gate.wait(10)
        if self.faults:
            fault = self.faults.pop(0)
            delivered = (
                fault.index if isinstance(fault, SinkRejected) else getattr(fault, "delivered", 0)
            )
            self.received += items[:delivered]
            raise fault
        self.received += items

    def close(self) -> None:
        self.closed += 1


Make = Callable[..., Courier[str]]


@pytest.fixture
def make() -> Iterator[Make]:
    couriers: list[tuple[Courier[str], Recorder]] = []

    def build(
        sink: Recorder,
        *,
        cursor: int = 0,
        lossless: bool = True,
        backoff_s: Sequence[float] = QUICK_S,
        may_deliver: Callable[[], bool] | None = None,
        observer: DeliveryObserver | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> Courier[str]:
        courier = Courier(
            "test",
            sink,
            cursor=cursor,
            lossless=lossless,
            backoff_s=backoff_s,
            observer=observer,
            may_deliver=may_deliver,
            uniform=uniform,
        )
        couriers.append((courier, sink))
        return courier

    yield build
    for courier, sink in couriers:
        sink.gate.set()
        courier.stop(5)


def numbered(first: int, last: int) -> list[tuple[int, str | None]]:
    return [(number, f"item {number}") for number in range(first, last + 1)]


def texts(first: int, last: int) -> list[str]:
    return [f"item {number}" for number in range(first, last + 1)]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def results(courier: Courier[Any]) -> tuple[int, int, int, int]:
    """Items delivered, attempts repeated, items rejected and items dropped."""
    counts = courier.counts
    return counts.delivered, counts.retried, counts.rejected, counts.dropped


def test_items_arrive_once_and_in_order(make: Make) -> None:
    sink = Recorder()
    courier = make(sink)
    courier.start()
    for first in range(1, 1_001, 100):
        courier.offer(numbered(first, first + 99))
    assert courier.drain(10)
    assert sink.received == texts(1, 1_000)
    assert courier.cursor == 1_000
    assert results(courier) == (1_000, 0, 0, 0)
    assert courier.counts.waiting == 0


def test_the_cursor_does_not_move_while_no_item_is_accepted(make: Make) -> None:
    sink = Recorder()
    sink.gate.clear()
    courier = make(sink, cursor=41)
    courier.start()
    courier.offer(numbered(42, 44))
    assert sink.entered.wait(10)
    assert courier.cursor == 41
    assert courier.counts.waiting == 3
    sink.gate.set()
    assert courier.drain(10)
    assert courier.cursor == 44


def test_the_cursor_stays_before_the_first_item_that_the_sink_still_needs(make: Make) -> None:
    sink = Recorder()
    sink.needed = {"item 3", "item 5"}
    courier = make(sink)
    courier.start()
    courier.offer(numbered(1, 6))
    assert courier.drain(10)
    assert (courier.cursor, courier.counts.waiting) == (2, 0)
    sink.needed = {"item 5"}
    courier.offer([(7, None)])
    assert courier.drain(10)
    assert courier.cursor == 4
    sink.needed = set()
    courier.offer(numbered(8, 8))
    assert courier.drain(10)
    assert courier.cursor == 8
    assert sink.received == [*texts(1, 6), "item 8"], "what is needed is not delivered twice"


def test_a_needed_item_is_delivered_again_after_a_restart_with_all_later_ones(make: Make) -> None:
    sink = Recorder()
    sink.needed = {"item 3"}
    first = make(sink)
    first.start()
    first.offer(numbered(1, 6))
    assert first.drain(10)
    again = Recorder()
    second = make(again, cursor=first.cursor)
    second.offer([entry for entry in numbered(1, 6) if entry[0] > second.cursor])
    second.start()
    assert second.drain(10)
    assert again.received == texts(3, 6)


def test_an_item_that_the_sink_does_not_take_only_moves_the_cursor(make: Make) -> None:
    sink = Recorder()
    courier = make(sink)
    courier.offer([(1, None), (2, "a"), (3, None), (4, None)])
    courier.start()
    assert courier.drain(10)
    assert sink.calls == [["a"]]
    assert courier.cursor == 4
    assert courier.counts.delivered == 1


def test_a_retry_sends_the_same_items_again(make: Make) -> None:
    sink = Recorder(SinkRetry("down"), SinkRetry("still down"))
    courier = make(sink)
    courier.offer(numbered(1, 3))
    courier.start()
    assert courier.drain(10)
    assert sink.calls == [texts(1, 3)] * 3
    assert results(courier) == (3, 2, 0, 0)


def test_a_retry_does_not_repeat_items_already_delivered(make: Make) -> None:
    sink = Recorder(SinkRetry("throttled", delivered=2))
    courier = make(sink)
    courier.offer([(1, "a"), (2, None), (3, "b"), (4, "c")])
    courier.start()
    assert courier.drain(10)
    assert sink.calls == [["a", "b", "c"], ["c"]]
    assert sink.received == ["a", "b", "c"]
    assert results(courier) == (3, 1, 0, 0)


def test_a_rejected_item_is_skipped_and_the_items_after_it_arrive(make: Make) -> None:
    sink = Recorder(SinkRejected(1, "malformed"))
    courier = make(sink)
    courier.offer([(1, "a"), (2, None), (3, "malformed"), (4, None), (5, "c")])
    courier.start()
    assert courier.drain(10)
    assert sink.received == ["a", "c"]
    assert courier.cursor == 5
    assert results(courier) == (2, 0, 1, 0)


@pytest.mark.parametrize(
    "fault", [RuntimeError("a bug in the sink"), SinkRejected(7, "no such item")]
)
def test_an_unexpected_exception_of_a_sink_does_not_end_its_thread(
    make: Make, fault: Exception
) -> None:
    sink = Recorder(fault)
    courier = make(sink)
    courier.offer(numbered(1, 2))
    courier.start()
    assert courier.drain(10)
    assert sink.received[-2:] == texts(1, 2)
    assert results(courier) == (2, 1, 0, 0)


def test_a_full_lossless_courier_reports_that_it_is_full_and_drops_nothing(make: Make) -> None:
    sink = Recorder()
    courier = make(sink)
    courier.offer(numbered(1, MAX_QUEUED - 1))
    assert not courier.full
    courier.offer(numbered(MAX_QUEUED, MAX_QUEUED + 50))
    assert courier.full
    courier.start()
    assert courier.drain(10)
    assert not courier.full
    assert sink.received == texts(1, MAX_QUEUED + 50)
    assert courier.counts.dropped == 0


def test_a_lossy_courier_drops_its_oldest_and_counts_them(make: Make) -> None:
    sink = Recorder()
    courier = make(sink, lossless=False)
    courier.offer(numbered(1, MAX_QUEUED + 30))
    assert not courier.full
    assert courier.cursor == 30
    courier.start()
    assert courier.drain(10)
    assert sink.received == texts(31, MAX_QUEUED + 30)
    assert results(courier) == (MAX_QUEUED, 0, 0, 30)


def test_an_item_dropped_during_its_delivery_is_not_counted_twice(make: Make) -> None:
    sink = Recorder()
    sink.gate.clear()
    courier = make(sink, lossless=False)
    courier.offer(numbered(1, 10))
    courier.start()
    assert sink.entered.wait(10)
    courier.offer(numbered(11, MAX_QUEUED + 10))
    sink.gate.set()
    assert courier.drain(10)
    counts = courier.counts
    assert counts.dropped == 10
    assert counts.delivered + counts.rejected + counts.dropped == MAX_QUEUED + 10


def test_a_blocked_sink_blocks_neither_another_sink_nor_the_caller(make: Make) -> None:
    blocked = Recorder()
    unblocked = Recorder()
    blocked.gate.clear()
    first = make(blocked)
    second = make(unblocked)
    for courier in (first, second):
        courier.start()
    began = time.monotonic()
    for courier in (first, second):
        courier.offer(numbered(1, 5_000))
    assert time.monotonic() - began < 5
    assert second.drain(10)
    assert unblocked.received == texts(1, 5_000)
    assert blocked.received == []
    assert not first.drain(0.01)


def test_stop_ends_a_long_wait_at_once_and_leaves_items_undelivered(make: Make) -> None:
    sink = Recorder(SinkRetry("retry in an hour", after_s=3_600))
    courier = make(sink)
    courier.offer(numbered(1, 3))
    courier.start()
    until(lambda: courier.counts.retried == 1)
    began = time.monotonic()
    courier.stop(30)
    assert time.monotonic() - began < 5
    assert sink.closed == 1
    assert sink.received == []
    assert (courier.cursor, courier.counts.waiting) == (0, 3)


def waits_of(courier: Courier[str], monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits between attempts, which are recorded instead of slept."""
    waits: list[float] = []
    monkeypatch.setattr(courier, "_pause", waits.append)
    return waits


def longest(_low: float, high: float) -> float:
    """The largest draw that jitter allows."""
    return high


def test_the_wait_grows_with_each_failure_in_a_row_and_restarts_after_a_success(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = Recorder(*[SinkRetry("down")] * 4)
    courier = make(sink, backoff_s=(0.1, 0.5, 1.0), uniform=longest)
    waits = waits_of(courier, monkeypatch)
    courier.offer(numbered(1, 1))
    courier.start()
    assert courier.drain(10)
    sink.faults = [SinkRetry("down again")]
    courier.offer(numbered(2, 2))
    assert courier.drain(10)
    assert waits == [0.1, 0.5, 1.0, 1.0, 0.1]


def test_a_wait_is_a_random_part_of_the_back_off_and_repeats_with_its_seed(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waits(seed: int) -> list[float]:
        sink = Recorder(*[SinkRetry("down")] * 7)
        courier = make(sink, backoff_s=BACKOFF_S, uniform=random.Random(seed).uniform)
        recorded = waits_of(courier, monkeypatch)
        courier.offer(numbered(1, 1))
        courier.start()
        assert courier.drain(10)
        return recorded

    assert waits(1) == waits(1)
    runs = [waits(seed) for seed in range(200)]
    for waits_s, longest_s in zip(zip(*runs, strict=True), BACKOFF_S, strict=True):
        assert 0 <= min(waits_s) < 0.05 * longest_s
        assert 0.95 * longest_s < max(waits_s) <= longest_s
        assert sum(waits_s) / len(waits_s) == pytest.approx(longest_s / 2, rel=0.15)


@pytest.mark.parametrize("draw", [0.0, 1.0])
def test_a_sink_that_asks_for_a_pause_is_never_called_before_it_ends(
    make: Make, monkeypatch: pytest.MonkeyPatch, draw: float
) -> None:
    sink = Recorder(SinkRetry("throttled", after_s=5.0), SinkRetry("throttled", after_s=5.0))
    courier = make(sink, backoff_s=(0.1, 0.5), uniform=lambda low, high: low + draw * (high - low))
    waits = waits_of(courier, monkeypatch)
    courier.offer(numbered(1, 1))
    courier.start()
    assert courier.drain(10)
    assert waits == [5.0 + draw * 0.1, 5.0 + draw * 0.5]


def test_couriers_throttled_together_do_not_retry_together(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight couriers fail three times at the same moments: no two of them wait the same time."""
    couriers = [
        make(Recorder(*[SinkRetry("throttled", after_s=5.0)] * 3), backoff_s=BACKOFF_S)
        for _ in range(8)
    ]
    waits = [waits_of(courier, monkeypatch) for courier in couriers]
    for courier in couriers:
        courier.offer(numbered(1, 1))
        courier.start()
    assert all(courier.drain(10) for courier in couriers)
    assert all(len(set(together)) == 8 for together in zip(*waits, strict=True))


def recovered(lines: Sequence[MutableMapping[str, Any]], times: int) -> bool:
    return [line["event"] for line in lines].count("sink_recovered") == times


def test_an_outage_is_logged_at_once_then_once_a_minute_and_when_it_ends(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt takes 25 s by the courier's clock. The next outage is logged at once as well."""
    now_s = 1_000.0

    class Slow(Recorder):
        def deliver(self, items: Sequence[str]) -> None:
            nonlocal now_s
            now_s += 25.0
            super().deliver(items)

    clock = SimpleNamespace(monotonic=lambda: now_s, time=time.time)
    monkeypatch.setattr("sinks.courier.time", clock)
    monkeypatch.setattr("sinks.courier.Throttle", lambda every_s: Throttle(every_s, lambda: now_s))
    sink = Slow(*[SinkRetry("down")] * 6)
    courier = make(sink)
    with capture_logs() as lines:
        courier.start()
        for number, fault in ((1, None), (2, SinkRetry("down again"))):
            sink.faults += [fault] if fault else []
            courier.offer(numbered(number, number))
            assert courier.drain(10)
            until(partial(recovered, lines, number))
    assert [(line["event"], line.get("failing_s", line.get("failed_for_s"))) for line in lines] == [
        ("sink_retrying", 0.0),
        ("sink_retrying", 75.0),
        ("sink_recovered", 150.0),
        ("sink_retrying", 0.0),
        ("sink_recovered", 25.0),
    ]
    assert {line["sink"] for line in lines} == {"test"}
    assert {line.get("reason") for line in lines} == {"down", "down again", None}


class Observer:
    """Records the results and durations of attempts, and the delivered items."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.seconds: list[float] = []
        self.items: list[object] = []

    def delivered(self, sink: str, items: Sequence[object]) -> None:
        assert sink == "test"
        self.items += items

    def attempted(self, sink: str, result: Result, seconds: float) -> None:
        assert sink == "test"
        self.results.append(result)
        self.seconds.append(seconds)


def test_each_attempt_is_observed_with_its_result_and_duration(make: Make) -> None:
    observer = Observer()
    sink = Recorder(
        SinkRetry("down", delivered=1), RuntimeError("a bug"), SinkRejected(0, "malformed")
    )
    courier = make(sink, observer=observer)
    courier.offer(numbered(1, 3))
    courier.start()
    assert courier.drain(10)
    until(lambda: len(observer.results) == 4)
    assert observer.results == ["retried", "retried", "rejected", "delivered"]
    assert observer.items == texts(1, 1) + texts(3, 3)
    assert sum(observer.seconds) == pytest.approx(courier.counts.busy_s)


def test_moving_the_cursor_alone_is_no_attempt(make: Make) -> None:
    observer = Observer()
    courier = make(Recorder(), observer=observer)
    courier.offer([(1, None), (2, None)])
    courier.start()
    assert courier.drain(10)
    assert (observer.results, courier.cursor) == ([], 2)


def test_the_oldest_waiting_item_is_as_old_as_its_commit(make: Make) -> None:
    sink = Recorder(SinkRetry("slow", delivered=1))
    now_s = time.time()
    courier = make(sink, backoff_s=(60.0,))
    assert courier.counts.oldest_s == 0
    courier.offer(
        [(1, None), (2, "a"), (3, "b"), (4, "c")],
        [0, 1, 1, 1],
        [now_s - 9_000, now_s - 3_000, now_s - 1_000, now_s],
    )
    assert courier.counts.oldest_s == pytest.approx(3_000, abs=60)
    courier.start()
    until(lambda: courier.counts.delivered == 1)
    assert courier.counts.oldest_s == pytest.approx(1_000, abs=60)
    assert courier.counts.stuck_s < 60


def test_the_count_of_omitted_parts_is_that_of_the_sink(make: Make) -> None:
    sink = Recorder()
    courier = make(sink)
    assert courier.counts.left_out == 0
    sink.left_out = 7
    assert courier.counts.left_out == 7


def test_an_item_committed_ahead_of_the_clock_has_no_age(make: Make) -> None:
    courier = make(Recorder())
    courier.offer(numbered(1, 1), [1], [time.time() + 3_600])
    assert courier.counts.oldest_s == 0


class Unreliable(Recorder):
    """Fails at random in every possible way; records only the items that it accepted."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = random.Random(seed)
        self.rejected: list[str] = []

    def deliver(self, items: Sequence[str]) -> None:
        draw = self._random.random()
        delivered = self._random.randrange(len(items))
        if draw < 0.3:
            self.received += items[:delivered]
            raise SinkRetry("transient", delivered=delivered)
        if draw < 0.4:
            self.received += items[:delivered]
            self.rejected.append(items[delivered])
            raise SinkRejected(delivered, "permanent")
        if draw < 0.5:
            raise RuntimeError("a bug")
        self.received += items


@pytest.mark.parametrize("seed", range(20))
def test_each_item_is_accepted_or_rejected_exactly_once_and_in_order(make: Make, seed: int) -> None:
    sink = Unreliable(seed)
    courier = make(sink, backoff_s=(0.0,))
    courier.start()
    courier.offer(numbered(1, 300))
    courier.offer(numbered(301, 700))
    assert courier.drain(20)
    settled = sorted([*sink.received, *sink.rejected], key=lambda text: int(text.split()[1]))
    assert settled == texts(1, 700)
    assert sink.received == [text for text in texts(1, 700) if text not in sink.rejected]
    assert courier.cursor == 700
    counts = courier.counts
    assert (counts.delivered, counts.rejected) == (len(sink.received), len(sink.rejected))
    assert (counts.dropped, counts.waiting) == (0, 0)


def test_a_few_large_items_fill_a_lossless_queue(make: Make) -> None:
    courier = make(Recorder())
    courier.offer(numbered(1, 3), [MAX_BYTES // 4] * 3)
    assert not courier.full
    courier.offer(numbered(4, 4), [MAX_BYTES // 4])
    assert courier.full
    courier.start()
    assert courier.drain(10)
    assert not courier.full


def test_a_lossy_queue_drops_its_oldest_until_large_items_fit(make: Make) -> None:
    sink = Recorder()
    courier = make(sink, lossless=False)
    courier.offer(numbered(1, 5), [MAX_BYTES // 3 + 1] * 5)
    assert courier.counts.dropped == 3
    courier.start()
    assert courier.drain(10)
    assert sink.received == texts(4, 5)


def test_items_that_a_sink_does_not_take_never_fill_its_queue(make: Make) -> None:
    """A queue that holds one signal is not filled by the reports after it, which its sink does not
    take."""
    sink = Recorder()
    sink.gate.clear()
    courier = make(sink)
    courier.start()
    courier.offer([(1, "a signal")])
    for number in range(2, 3 * MAX_QUEUED):
        courier.offer([(number, None)], [MAX_BYTES])
    assert not courier.full
    assert courier.cursor == 0
    sink.gate.set()
    assert courier.drain(10)
    assert (courier.cursor, sink.received) == (3 * MAX_QUEUED - 1, ["a signal"])


def test_nothing_is_delivered_while_delivery_is_not_allowed(make: Make) -> None:
    """After a freeze, another service may own the job: items wait until delivery is allowed
    again."""
    sink = Recorder()
    allowed = threading.Event()
    courier = make(sink, may_deliver=allowed.is_set)
    courier.offer(numbered(1, 3))
    courier.start()
    assert not courier.drain(0.5)
    assert (sink.calls, courier.cursor, courier.counts.retried) == ([], 0, 0)
    allowed.set()
    assert courier.drain(10)
    assert sink.calls == [texts(1, 3)]


def test_a_courier_that_may_not_deliver_can_be_stopped(make: Make) -> None:
    sink = Recorder()
    courier = make(sink, may_deliver=lambda: False)
    courier.offer(numbered(1, 3))
    courier.start()
    courier.stop(5)
    assert (sink.calls, sink.closed) == ([], 1)
