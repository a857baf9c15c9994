"""Whether the service is of use right now: what ``/readyz`` and ``/healthz`` say. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from stream.windows import Place

Role = Literal["starting", "standby", "owner"]


class Readiness(NamedTuple):
    """An HTTP status and a word for people."""

    status: int
    text: str


def behind_s(place: Place, now_ms: int) -> float:
    """How long ago the log took the last record that was read of a partition; 0 if its reader was at the end of the log.

    >>> behind_s(Place(1, 0, arrival_ms=4_000), 10_000), behind_s(Place(1, 0), 10_000)
    (6.0, 0.0)
    """
    return 0.0 if place.arrival_ms is None or not place.read else max(now_ms - place.arrival_ms, 0) / 1000


def readiness(role: Role, places: Mapping[str, Place], now_ms: int, full: Sequence[str], limit_s: float) -> Readiness:
    """Ready is an owner that is caught up, and a standby. ``full`` names the sinks that hold up reading.

    >>> readiness("owner", {"p": Place(1, 0, arrival_ms=0)}, 100_000, [], 60)
    Readiness(status=503, text='behind: p by 100 s')
    >>> readiness("standby", {}, 0, [], 60)
    Readiness(status=200, text='standby')
    """
    if role != "owner":
        return Readiness(200 if role == "standby" else 503, role)
    if full:
        return Readiness(503, f"paused: {', '.join(full)}")
    late = {name: behind_s(place, now_ms) for name, place in places.items()}
    worst = max(late, key=lambda name: late[name], default=None)
    if worst is not None and late[worst] > limit_s:
        return Readiness(503, f"behind: {worst} by {late[worst]:.0f} s")
    return Readiness(200, "owner")


def health(turned_s_ago: float, limit_s: float = 60.0) -> Readiness:
    """A process is well while its loop turns.

    >>> health(0.2), health(75.0)
    (Readiness(status=200, text='ok'), Readiness(status=503, text='the loop has not turned for 75 s'))
    """
    return Readiness(200, "ok") if turned_s_ago <= limit_s else Readiness(503, f"the loop has not turned for {turned_s_ago:.0f} s")
