"""The courier: in order, again until taken, at its own pace, with a cursor that never runs ahead."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from sinks.courier import MOST_BYTES, MOST_QUEUED, Courier, DeliveryObserver, Result
from sinks.errors import SinkRejected, SinkRetry

QUICK_S = (0.001,)


class Recorder:
    """Takes texts; ``faults`` are raised first, one a call; ``gate`` holds deliveries back until it
    is set."""

    left_out = 0

    def __init__(self, *faults: Exception) -> None:
        self.taken: list[str] = []
        self.calls: list[list[str]] = []
        self.faults = list(faults)
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.closed = 0

    def deliver(self, items: Sequence[str]) -> None:
        self.calls.append(list(items))
        self.entered.set()
        assert self.gate.wait(10)
        if self.faults:
            fault = self.faults.pop(0)
            through = (
                fault.index if isinstance(fault, SinkRejected) else getattr(fault, "delivered", 0)
            )
            self.taken += items[:through]
            raise fault
        self.taken += items

    def close(self) -> None:
        self.closed += 1


Make = Callable[..., Courier[str]]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[tuple[Courier[str], Recorder]] = []

    def courier(
        sink: Recorder,
        *,
        cursor: int = 0,
        lossless: bool = True,
        backoff_s: Sequence[float] = QUICK_S,
        may_deliver: Callable[[], bool] | None = None,
        told: DeliveryObserver | None = None,
    ) -> Courier[str]:
        made.append((Courier("test", sink, cursor, lossless, backoff_s, told, may_deliver), sink))
        return made[-1][0]

    yield courier
    for one, sink in made:
        sink.gate.set()
        one.stop(5)


def numbered(first: int, last: int) -> list[tuple[int, str | None]]:
    return [(number, f"item {number}") for number in range(first, last + 1)]


def texts(first: int, last: int) -> list[str]:
    return [f"item {number}" for number in range(first, last + 1)]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_items_arrive_once_and_in_order(make: Make) -> None:
    sink = Recorder()
    courier = make(sink)
    courier.start()
    for first in range(1, 1_001, 100):
        courier.offer(numbered(first, first + 99))
    assert courier.drain(10)
    assert sink.taken == texts(1, 1_000)
    assert courier.cursor == 1_000
    assert courier.counts[:5] == (1_000, 0, 0, 0, 0)


def test_the_cursor_stays_where_it_was_while_nothing_is_taken(make: Make) -> None:
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


def test_an_item_that_the_sink_does_not_take_only_moves_the_cursor(make: Make) -> None:
    sink = Recorder()
    courier = make(sink)
    courier.offer([(1, None), (2, "a"), (3, None), (4, None)])
    courier.start()
    assert courier.drain(10)
    assert sink.calls == [["a"]]
    assert courier.cursor == 4
    assert courier.counts.delivered == 1


def test_a_retry_brings_the_same_items_again(make: Make) -> None:
    sink = Recorder(SinkRetry("down"), SinkRetry("still down"))
    courier = make(sink)
    courier.offer(numbered(1, 3))
    courier.start()
    assert courier.drain(10)
    assert sink.calls == [texts(1, 3)] * 3
    assert courier.counts[:4] == (3, 2, 0, 0)


def test_a_retry_does_not_bring_again_what_is_through(make: Make) -> None:
    sink = Recorder(SinkRetry("throttled", delivered=2))
    courier = make(sink)
    courier.offer([(1, "a"), (2, None), (3, "b"), (4, "c")])
    courier.start()
    assert courier.drain(10)
    assert sink.calls == [["a", "b", "c"], ["c"]]
    assert sink.taken == ["a", "b", "c"]
    assert courier.counts[:4] == (3, 1, 0, 0)


def test_a_rejected_item_is_left_out_and_those_behind_it_arrive(make: Make) -> None:
    sink = Recorder(SinkRejected(1, "malformed"))
    courier = make(sink)
    courier.offer([(1, "a"), (2, None), (3, "malformed"), (4, None), (5, "c")])
    courier.start()
    assert courier.drain(10)
    assert sink.taken == ["a", "c"]
    assert courier.cursor == 5
    assert courier.counts[:4] == (2, 0, 1, 0)


@pytest.mark.parametrize(
    "fault", [RuntimeError("a fault of the sink's own"), SinkRejected(7, "no such item")]
)
def test_a_fault_of_a_sink_does_not_end_its_thread(make: Make, fault: Exception) -> None:
    sink = Recorder(fault)
    courier = make(sink)
    courier.offer(numbered(1, 2))
    courier.start()
    assert courier.drain(10)
    assert sink.taken[-2:] == texts(1, 2)
    assert courier.counts[:4] == (2, 1, 0, 0)


def test_a_full_lossless_courier_says_so_and_drops_nothing(make: Make) -> None:
    sink = Recorder()
    courier = make(sink)
    courier.offer(numbered(1, MOST_QUEUED - 1))
    assert not courier.full
    courier.offer(numbered(MOST_QUEUED, MOST_QUEUED + 50))
    assert courier.full
    courier.start()
    assert courier.drain(10)
    assert not courier.full
    assert sink.taken == texts(1, MOST_QUEUED + 50)
    assert courier.counts.dropped == 0


def test_a_lossy_courier_drops_its_oldest_and_counts_them(make: Make) -> None:
    sink = Recorder()
    courier = make(sink, lossless=False)
    courier.offer(numbered(1, MOST_QUEUED + 30))
    assert not courier.full
    assert courier.cursor == 30
    courier.start()
    assert courier.drain(10)
    assert sink.taken == texts(31, MOST_QUEUED + 30)
    assert courier.counts[:4] == (MOST_QUEUED, 0, 0, 30)


def test_an_item_dropped_while_it_is_under_way_is_not_counted_twice(make: Make) -> None:
    sink = Recorder()
    sink.gate.clear()
    courier = make(sink, lossless=False)
    courier.offer(numbered(1, 10))
    courier.start()
    assert sink.entered.wait(10)
    courier.offer(numbered(11, MOST_QUEUED + 10))
    sink.gate.set()
    assert courier.drain(10)
    counts = courier.counts
    assert counts.dropped == 10
    assert counts.delivered + counts.rejected + counts.dropped == MOST_QUEUED + 10


def test_a_blocked_sink_does_not_block_another_one_or_who_offers(make: Make) -> None:
    blocked, free = Recorder(), Recorder()
    blocked.gate.clear()
    first, second = make(blocked), make(free)
    for courier in (first, second):
        courier.start()
    began = time.monotonic()
    for courier in (first, second):
        courier.offer(numbered(1, 5_000))
    assert time.monotonic() - began < 5
    assert second.drain(10)
    assert free.taken == texts(1, 5_000)
    assert blocked.taken == []
    assert not first.drain(0.01)


def test_stop_ends_a_long_wait_at_once_and_leaves_the_rest_in_the_outbox(make: Make) -> None:
    sink = Recorder(SinkRetry("come back in an hour", after_s=3_600))
    courier = make(sink)
    courier.offer(numbered(1, 3))
    courier.start()
    until(lambda: courier.counts.retried == 1)
    began = time.monotonic()
    courier.stop(30)
    assert time.monotonic() - began < 5
    assert sink.closed == 1
    assert sink.taken == []
    assert (courier.cursor, courier.counts.waiting) == (0, 3)


def test_the_wait_grows_with_each_failure_in_a_row_and_starts_anew_after_a_success(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = Recorder(*[SinkRetry("down")] * 4)
    courier = make(sink, backoff_s=(0.1, 0.5, 1.0))
    waits: list[float] = []
    monkeypatch.setattr(courier, "_pause", waits.append)
    courier.offer(numbered(1, 1))
    courier.start()
    assert courier.drain(10)
    sink.faults = [SinkRetry("down once more"), SinkRetry("told to wait", after_s=7.0)]
    courier.offer(numbered(2, 2))
    assert courier.drain(10)
    assert waits == [0.1, 0.5, 1.0, 1.0, 0.1, 7.0]


class Ear:
    """Remembers how attempts ended, how long they took, and what was delivered."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.seconds: list[float] = []
        self.through: list[object] = []

    def delivered(self, sink: str, items: Sequence[object]) -> None:
        assert sink == "test"
        self.through += items

    def tried(self, sink: str, result: Result, seconds: float) -> None:
        assert sink == "test"
        self.results.append(result)
        self.seconds.append(seconds)


def test_each_attempt_is_told_with_how_it_ended_and_how_long_it_took(make: Make) -> None:
    ear, sink = (
        Ear(),
        Recorder(
            SinkRetry("down", delivered=1), RuntimeError("a bug"), SinkRejected(0, "malformed")
        ),
    )
    courier = make(sink, told=ear)
    courier.offer(numbered(1, 3))
    courier.start()
    assert courier.drain(10)
    until(lambda: len(ear.results) == 4)
    assert ear.results == ["retried", "retried", "rejected", "delivered"]
    assert ear.through == texts(1, 1) + texts(3, 3)
    assert sum(ear.seconds) == pytest.approx(courier.counts.busy_s)


def test_what_only_moves_the_cursor_is_no_attempt(make: Make) -> None:
    ear, sink = Ear(), Recorder()
    courier = make(sink, told=ear)
    courier.offer([(1, None), (2, None)])
    courier.start()
    assert courier.drain(10)
    assert (ear.results, courier.cursor) == ([], 2)


def test_the_oldest_item_that_waits_has_the_age_of_its_commit_and_not_of_its_queue(
    make: Make,
) -> None:
    sink, now_s = Recorder(SinkRetry("slow", delivered=1)), time.time()
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


def test_what_a_sink_leaves_out_of_its_items_is_counted_as_it_says(make: Make) -> None:
    sink = Recorder()
    courier = make(sink)
    assert courier.counts.left_out == 0
    sink.left_out = 7
    assert courier.counts.left_out == 7


def test_an_item_dated_ahead_of_the_clock_is_new(make: Make) -> None:
    courier = make(Recorder())
    courier.offer(numbered(1, 1), [1], [time.time() + 3_600])
    assert courier.counts.oldest_s == 0


class Moody(Recorder):
    """Fails at random in every way there is; remembers only what it took."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = random.Random(seed)
        self.rejected: list[str] = []

    def deliver(self, items: Sequence[str]) -> None:
        mood = self._random.random()
        through = self._random.randrange(len(items))
        if mood < 0.3:
            self.taken += items[:through]
            raise SinkRetry("a mood", delivered=through)
        if mood < 0.4:
            self.taken += items[:through]
            self.rejected.append(items[through])
            raise SinkRejected(through, "a dislike")
        if mood < 0.5:
            raise RuntimeError("a bug")
        self.taken += items


@pytest.mark.parametrize("seed", range(20))
def test_whatever_a_sink_does_each_item_is_taken_or_rejected_exactly_once_and_in_order(
    make: Make, seed: int
) -> None:
    sink = Moody(seed)
    courier = make(sink, backoff_s=(0.0,))
    courier.start()
    courier.offer(numbered(1, 300))
    courier.offer(numbered(301, 700))
    assert courier.drain(20)
    assert sorted([*sink.taken, *sink.rejected], key=lambda text: int(text.split()[1])) == texts(
        1, 700
    )
    assert sink.taken == [text for text in texts(1, 700) if text not in sink.rejected]
    assert courier.cursor == 700
    assert courier.counts[:5] == (len(sink.taken), courier.counts.retried, len(sink.rejected), 0, 0)


def test_a_lossless_queue_is_full_of_a_few_items_that_are_large(make: Make) -> None:
    courier = make(Recorder())
    courier.offer(numbered(1, 3), [MOST_BYTES // 4] * 3)
    assert not courier.full
    courier.offer(numbered(4, 4), [MOST_BYTES // 4])
    assert courier.full
    courier.start()
    assert courier.drain(10)
    assert not courier.full


def test_another_queue_drops_its_oldest_until_the_large_items_fit(make: Make) -> None:
    sink = Recorder()
    courier = make(sink, lossless=False)
    courier.offer(numbered(1, 5), [MOST_BYTES // 3 + 1] * 5)
    assert courier.counts.dropped == 3
    courier.start()
    assert courier.drain(10)
    assert sink.taken == texts(4, 5)


def test_what_a_sink_does_not_take_never_fills_its_queue(make: Make) -> None:
    """A queue that holds one signal is not full because of the reports behind it, which its sink
    does not want."""
    sink = Recorder()
    sink.gate.clear()
    courier = make(sink)
    courier.start()
    courier.offer([(1, "a signal")])
    for number in range(2, 3 * MOST_QUEUED):
        courier.offer([(number, None)], [MOST_BYTES])
    assert not courier.full
    assert courier.cursor == 0
    sink.gate.set()
    assert courier.drain(10)
    assert (courier.cursor, sink.taken) == (3 * MOST_QUEUED - 1, ["a signal"])


def test_nothing_is_delivered_while_it_may_not_be(make: Make) -> None:
    """As after a freeze, when another service may own the job: what waits stays, and goes out once
    it may."""
    sink, allowed = Recorder(), threading.Event()
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
