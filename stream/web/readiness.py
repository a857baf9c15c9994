"""Readiness and health, the responses of ``/readyz`` and ``/healthz``, as pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from stream.event_time import PartitionState

ServiceRole = Literal["starting", "standby", "owner"]


class Readiness(NamedTuple):
    """An HTTP status, and its reason."""

    status: int
    text: str


def behind_s(partition: PartitionState, now_ms: int) -> float:
    """Return the age in the log of a partition's last record read; 0 at the end of the log.

    >>> behind_s(PartitionState(1, 0, arrival_ms=4_000), 10_000)
    6.0
    >>> behind_s(PartitionState(1, 0), 10_000)
    0.0
    """
    if partition.arrival_ms is None or not partition.assignable:
        return 0.0
    return max(now_ms - partition.arrival_ms, 0) / 1000


class PartitionSilence:
    """Notes when the source last reported on each partition: records, or that there are none.

    Times are monotonic seconds.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[object, float]] = {}

    def silent_s(self, partitions: Mapping[str, PartitionState], now_s: float) -> dict[str, float]:
        """Return the seconds since the last report on each partition that should be read.

        A silent partition has a source that does not respond, or a reader that hangs.
        """
        self._last = {
            name: self._report(name, partition, now_s)
            for name, partition in partitions.items()
            if partition.assignable
        }
        return {name: now_s - at_s for name, (_, at_s) in self._last.items()}

    def _report(self, name: str, partition: PartitionState, now_s: float) -> tuple[object, float]:
        """The last report on a partition and its time. A new assignment is not a report."""
        report = partition.reported_ms, partition.next
        before = self._last.get(name)
        if before is None or (partition.reported_ms is not None and before[0] != report):
            return report, now_s
        return before


def readiness(
    role: ServiceRole,
    partitions: Mapping[str, PartitionState],
    now_ms: int,
    full: Sequence[str],
    limit_s: float,
    silent_s: Mapping[str, float] | None = None,
    trouble: str = "",
) -> Readiness:
    """Return the readiness: an owner is ready if it has caught up; a standby is always ready.

    ``full`` names the sinks that pause reading. ``trouble`` is the reason, if one is known, for
    which the source does not respond.

    >>> readiness("owner", {"p": PartitionState(1, 0, arrival_ms=0)}, 100_000, [], 60)
    Readiness(status=503, text='behind: p by 100 s')
    >>> readiness("owner", {"p": PartitionState(1, 0)}, 100_000, [], 60, {"p": 90.0})
    Readiness(status=503, text='silent: p for 90 s')
    >>> readiness("owner", {"p": PartitionState(1, 0)}, 0, [], 60, {"p": 90.0}, "ECONNREFUSED")
    Readiness(status=503, text='silent: p for 90 s (ECONNREFUSED)')
    >>> readiness("standby", {}, 0, [], 60)
    Readiness(status=200, text='standby')
    """
    if role != "owner":
        return Readiness(200 if role == "standby" else 503, role)
    if full:
        return Readiness(503, f"paused: {', '.join(full)}")
    late_s = {name: behind_s(partition, now_ms) for name, partition in partitions.items()}
    cause = f" ({trouble})" if trouble else ""
    for text, seconds, reason in (
        ("silent: {} for {:.0f} s", silent_s or {}, cause),
        ("behind: {} by {:.0f} s", late_s, ""),
    ):
        worst_s, name = max(((value, name) for name, value in seconds.items()), default=(0.0, ""))
        if worst_s > limit_s:
            return Readiness(503, text.format(name, worst_s) + reason)
    return Readiness(200, "owner")


def current_readiness(
    checked: Readiness, age_s: float, may_deliver: bool, limit_s: float
) -> Readiness:
    """Return the readiness of an owner with the last check ``checked``, ``age_s`` ago.

    ``may_deliver``: no other service may have taken over.

    >>> current_readiness(Readiness(200, "owner"), 90.0, True, 60)
    Readiness(status=503, text='stuck for 90 s')
    >>> current_readiness(Readiness(200, "owner"), 1.0, False, 60)
    Readiness(status=503, text='another service may have taken over')
    """
    if not may_deliver:
        return Readiness(503, "another service may have taken over")
    return checked if age_s <= limit_s else Readiness(503, f"stuck for {age_s:.0f} s")


def health(since_beat_s: float, limit_s: float = 60.0) -> Readiness:
    """Return the health: a process is healthy while its loop runs.

    >>> health(0.2)
    Readiness(status=200, text='ok')
    >>> health(75.0)
    Readiness(status=503, text='the main loop has not run for 75 s')
    """
    if since_beat_s <= limit_s:
        return Readiness(200, "ok")
    return Readiness(503, f"the main loop has not run for {since_beat_s:.0f} s")
