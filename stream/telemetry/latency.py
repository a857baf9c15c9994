"""Latency from an event to its verdict and to its delivery, by cause; duration of deliveries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Histogram

from detectors.report import Signal, WindowReport
from sinks.courier import Result

LATENCY_S: Final = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
ATTEMPT_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Upper bounds of buckets.

A line in a file takes a millisecond, an AWS request a hundred; longer attempts wait for a time-out.
"""
LIVE_S: Final = 3600.0
"""The largest latency that is observed; older windows are replayed history."""


class Latency:
    """Histograms over the first reports of live windows and their signals, in seconds.

    The stages add up to the time from an event to its verdict: ``window_wait`` is the longest that
    an event waits for the end of its first window (``every``: the length of tumbling windows),
    ``grace`` the wait for late events, ``verdict`` the rest until the verdict is committed. For
    each sink, the delivery latency is the time from the end of grace until the sink has the item.
    Each attempt of a sink is observed with its result, whether or not it delivered live windows.
    """

    def __init__(
        self, job: str, registry: CollectorRegistry, clock: Callable[[], float] = time.time
    ) -> None:
        self._stages = Histogram(
            "driftline_latency_seconds",
            "Time from an event to its verdict: window_wait (at most), grace, verdict (the rest).",
            ["job", "stage"],
            registry=registry,
            buckets=LATENCY_S,
        )
        self._deliveries = Histogram(
            "driftline_delivery_latency_seconds",
            "Time from the end of window and grace until a sink has the report or signal.",
            ["job", "sink"],
            registry=registry,
            buckets=LATENCY_S,
        )
        self._attempts = Histogram(
            "driftline_sink_attempt_seconds",
            "Duration of one attempt of a sink to deliver items, by its result.",
            ["job", "sink", "result"],
            registry=registry,
            buckets=ATTEMPT_S,
        )
        self._job = job
        self._clock = clock
        self._grace_s = self._every_s = 0.0

    def begin(self, grace_s: float, every_s: float) -> None:
        """Set the wait of windows for late events, and the time between two ends of windows."""
        self._grace_s = grace_s
        self._every_s = every_s

    def committed(self, items: Iterable[object]) -> None:
        """Observe the stages of the reports among ``items``, which were committed just now."""
        for verdict_s in self._live(item for item in items if isinstance(item, WindowReport)):
            self._stages.labels(self._job, "window_wait").observe(self._every_s)
            self._stages.labels(self._job, "grace").observe(self._grace_s)
            self._stages.labels(self._job, "verdict").observe(verdict_s)

    def delivered(self, sink: str, items: Sequence[object]) -> None:
        """Observe items that a sink has taken just now; called in the sink's thread."""
        for latency_s in self._live(items):
            self._deliveries.labels(self._job, sink).observe(latency_s)

    def attempted(self, sink: str, result: Result, seconds: float) -> None:
        """Observe an attempt of a sink; called in the sink's thread."""
        self._attempts.labels(self._job, sink, result).observe(seconds)

    def _live(self, items: Iterable[object]) -> list[float]:
        """Return the seconds since the end of window and grace, for new live windows."""
        now_s = self._clock()
        ends_ms = [end_ms for end_ms in map(_end_ms, items) if end_ms is not None]
        latencies = [max(now_s - end_ms / 1000 - self._grace_s, 0.0) for end_ms in ends_ms]
        return [latency_s for latency_s in latencies if latency_s <= LIVE_S]


def _end_ms(item: object) -> int | None:
    """Return the end of the item's window; ``None`` if the item is no first verdict on its data.

    An early signal is not: it comes before the end of its window.
    """
    if isinstance(item, Signal) and item.quality is None and not item.early:
        return item.end_ms
    if isinstance(item, WindowReport) and not item.revision and item.state != "no data":
        return item.end_ms
    return None
