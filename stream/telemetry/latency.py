"""From an event to its verdict to its delivery, split by cause; and how long sinks take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Histogram

from detectors.report import Signal, WindowReport
from sinks.courier import Result

BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
ATTEMPTS: Final = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
)
"""A line in a file takes a millisecond, a call of AWS a hundred; what takes longer than that waits
for its time-out."""
LIVE_S: Final = 3600.0
"""A window that was over for longer when it was judged is history that is replayed: it says nothing
about latency."""


class Latency:
    """Histograms over the first reports of live windows and their signals, in seconds.

    ``window_wait`` is the longest that an event waits for the end of its first window (``every``:
    the length of windows that tumble); ``grace`` is the time for events that come late; ``verdict``
    is the rest until the verdict is committed; and for each sink, from the end of grace until it
    was ``delivered``. Each attempt of a sink is counted by how it ended, whatever it carried.
    """

    def __init__(
        self, job: str, registry: CollectorRegistry, clock: Callable[[], float] = time.time
    ) -> None:
        what = (
            "Seconds from an event to its verdict: window_wait (at most), grace, verdict (the"
            " rest)."
        )
        self._stages = Histogram(
            "driftline_latency_seconds", what, ["job", "stage"], registry=registry, buckets=BUCKETS
        )
        what = (
            "Seconds from the end of window and grace until a sink has delivered its report or"
            " signal."
        )
        self._sinks = Histogram(
            "driftline_delivery_latency_seconds",
            what,
            ["job", "sink"],
            registry=registry,
            buckets=BUCKETS,
        )
        what = "Seconds that one attempt of a sink to deliver something took, by how it ended."
        self._attempts = Histogram(
            "driftline_sink_attempt_seconds",
            what,
            ["job", "sink", "result"],
            registry=registry,
            buckets=ATTEMPTS,
        )
        self._job, self._clock = job, clock
        self._grace_s = self._every_s = 0.0

    def begin(self, grace_s: float, every_s: float) -> None:
        """How long windows wait for late events, and how often one ends."""
        self._grace_s, self._every_s = grace_s, every_s

    def committed(self, items: Iterable[object]) -> None:
        """These items are committed now."""
        for rest_s in self._live(one for one in items if isinstance(one, WindowReport)):
            self._stages.labels(self._job, "window_wait").observe(self._every_s)
            self._stages.labels(self._job, "grace").observe(self._grace_s)
            self._stages.labels(self._job, "verdict").observe(rest_s)

    def delivered(self, sink: str, items: Sequence[object]) -> None:
        """A sink has taken these items now; called in its thread."""
        for rest_s in self._live(items):
            self._sinks.labels(self._job, sink).observe(rest_s)

    def tried(self, sink: str, result: Result, seconds: float) -> None:
        """An attempt of a sink is over; called in its thread."""
        self._attempts.labels(self._job, sink, result).observe(seconds)

    def _live(self, items: Iterable[object]) -> list[float]:
        """Seconds since the end of window and grace, of what tells the verdict on a window first."""
        now_s, ends = (
            self._clock(),
            [end_ms for end_ms in map(_end_ms, items) if end_ms is not None],
        )
        rests = [max(now_s - end_ms / 1000 - self._grace_s, 0.0) for end_ms in ends]
        return [rest_s for rest_s in rests if rest_s <= LIVE_S]


def _end_ms(item: object) -> int | None:
    """The end of the window; ``None`` for what is no first verdict."""
    if isinstance(item, Signal):
        return item.end_ms
    return (
        item.end_ms
        if isinstance(item, WindowReport) and not item.revision and item.state != "no data"
        else None
    )
