"""Whether the service is of use right now: what ``/readyz`` and ``/healthz`` say. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from stream.event_time import PartitionState

Role = Literal["starting", "standby", "owner"]


class Readiness(NamedTuple):
    """An HTTP status and a word for people."""

    status: int
    text: str


def behind_s(place: PartitionState, now_ms: int) -> float:
    """How long ago the log took the last record that was read of a partition; 0 if its reader was
    at the end of the log.

    >>> behind_s(PartitionState(1, 0, arrival_ms=4_000), 10_000), behind_s(PartitionState(1, 0), 10_000)
    (6.0, 0.0)
    """
    return (
        0.0
        if place.arrival_ms is None or not place.assignable
        else max(now_ms - place.arrival_ms, 0) / 1000
    )


class PartitionSilence:
    """When something was heard of each partition last: records, or that there are none. Times are
    monotonic seconds.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[object, float]] = {}

    def silent_s(self, partitions: Mapping[str, PartitionState], now_s: float) -> dict[str, float]:
        """For how long nothing was heard of each partition that should be read: its log does not
        answer, or its reader stands.
        """
        self._last = {
            name: self._heard(name, place, now_s)
            for name, place in partitions.items()
            if place.assignable
        }
        return {name: now_s - at_s for name, (_, at_s) in self._last.items()}

    def _heard(self, name: str, place: PartitionState, now_s: float) -> tuple[object, float]:
        before = self._last.get(name)
        said = place.said_ms, place.next
        return (
            (said, now_s)
            if before is None or (place.said_ms is not None and before[0] != said)
            else before
        )


def readiness(
    role: Role,
    partitions: Mapping[str, PartitionState],
    now_ms: int,
    full: Sequence[str],
    limit_s: float,
    silent_s: Mapping[str, float] | None = None,
) -> Readiness:
    """Ready is an owner that reads and is caught up, and a standby. ``full`` names the sinks that
    hold up reading.

    >>> readiness("owner", {"p": PartitionState(1, 0, arrival_ms=0)}, 100_000, [], 60)
    Readiness(status=503, text='behind: p by 100 s')
    >>> readiness("owner", {"p": PartitionState(1, 0)}, 100_000, [], 60, {"p": 90.0})
    Readiness(status=503, text='silent: p for 90 s')
    >>> readiness("standby", {}, 0, [], 60)
    Readiness(status=200, text='standby')
    """
    if role != "owner":
        return Readiness(200 if role == "standby" else 503, role)
    if full:
        return Readiness(503, f"paused: {', '.join(full)}")
    late = {name: behind_s(place, now_ms) for name, place in partitions.items()}
    for word, found in (
        ("silent: {} for {:.0f} s", silent_s or {}),
        ("behind: {} by {:.0f} s", late),
    ):
        worst = max(found, key=lambda name, found=found: found[name], default=None)  # type: ignore[misc]
        if worst is not None and found[worst] > limit_s:
            return Readiness(503, word.format(worst, found[worst]))
    return Readiness(200, "owner")


def standing(ready: Readiness, looked_s_ago: float, alone: bool, limit_s: float) -> Readiness:
    """What an owner's last look at itself (``ready``) is worth now. ``alone``: no other service may
    have taken over.

    >>> standing(Readiness(200, "owner"), 90.0, True, 60)
    Readiness(status=503, text='stuck for 90 s')
    >>> standing(Readiness(200, "owner"), 1.0, False, 60)
    Readiness(status=503, text='another service may have taken over')
    """
    if not alone:
        return Readiness(503, "another service may have taken over")
    return ready if looked_s_ago <= limit_s else Readiness(503, f"stuck for {looked_s_ago:.0f} s")


def health(turned_s_ago: float, limit_s: float = 60.0) -> Readiness:
    """A process is well while its loop turns.

    >>> health(0.2), health(75.0)
    (Readiness(status=200, text='ok'), Readiness(status=503, text='the loop has not turned for 75 s'))
    """
    return (
        Readiness(200, "ok")
        if turned_s_ago <= limit_s
        else Readiness(503, f"the loop has not turned for {turned_s_ago:.0f} s")
    )
