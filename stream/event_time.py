"""Event time only: panes, windows, marks, the watermark. Pure functions and small structs; no
clock, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec


class JobSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the protocol must know of a job; all times in milliseconds.

    Windows are ``[end - window_ms, end)`` with ``end`` a multiple of ``every_ms``, which divides
    ``window_ms``; a pane is ``every_ms`` long. ``grace_ms`` is how much disorder is expected,
    ``lateness_ms`` how much longer late events are taken, ``idle_ms`` how long a partition at the
    end of its log holds the watermark. ``learn_rows``: rows that a baseline is learned from.
    ``stop_on_gap``: a gap raises instead of being told.
    """

    job: str
    window_ms: int
    every_ms: int
    grace_ms: int
    lateness_ms: int
    idle_ms: int
    learn_rows: int = 5_000
    stop_on_gap: bool = False


class PartitionState(msgspec.Struct, frozen=True):
    """Where one partition stands: the claim under which it is read, the expected offset, the mark.

    ``quiet_ms`` is the clock when the reader first said that nothing more is here to date: it is at
    the end of the log, or reads only records whose time nobody can tell; ``None`` while that is not
    so. ``said_ms`` is when it said anything last. ``idle`` partitions do not hold the watermark.
    ``arrival_ms`` is when the log took the last record that was read; ``None`` while the reader is
    at the end. An ``ended`` partition is closed and read: it holds nothing any more. One with
    ``parents`` waits until they are ended; it holds the watermark with the smallest mark of those
    that are.
    """

    claim: int
    next: int | tuple[str, int]
    mark_ms: int | None = None
    quiet_ms: int | None = None
    said_ms: int | None = None
    idle: bool = False
    arrival_ms: int | None = None
    ended: bool = False
    parents: tuple[str, ...] = ()

    @property
    def read(self) -> bool:
        """True if some reader should read it now."""
        return not self.ended and not self.parents

    @property
    def holds(self) -> bool:
        """True if it holds the watermark. One that waits and knows no mark leaves that to its
        parents.
        """
        return not self.ended and not self.idle and not (self.parents and self.mark_ms is None)


def window_ends(pane_ms: int, settings: JobSettings) -> range:
    """The ends of all windows that contain the pane that starts at ``pane_ms``.

    >>> s = JobSettings(job="j", window_ms=60, every_ms=20, grace_ms=0, lateness_ms=0, idle_ms=0)
    >>> list(window_ends(100, s))
    [120, 140, 160]
    """
    every = settings.every_ms
    return range(pane_ms + every, pane_ms + settings.window_ms + every, every)


def window_panes(end_ms: int, settings: JobSettings) -> range:
    """The starts of the panes of the window that ends at ``end_ms``."""
    return range(end_ms - settings.window_ms, end_ms, settings.every_ms)


def is_idle(place: PartitionState, now_ms: int, idle_ms: int) -> bool:
    """True if the partition's reader has said for ``idle_ms`` that nothing is there, the last time
    within half of that.

    Only the reader can say so: a partition that is not read (a dead reader, a pause, a broker that
    does not answer) is not idle, however long that lasts.
    """
    if place.quiet_ms is None or place.said_ms is None:
        return False
    return place.said_ms - place.quiet_ms >= idle_ms and now_ms - place.said_ms <= idle_ms // 2


def watermark(
    partitions: Iterable[PartitionState], now_ms: int | None, settings: JobSettings
) -> int | None:
    """The time up to which everything is in: the smallest ``mark - grace`` over the partitions that
    are not idle.

    ``None`` while a partition that is not idle has no mark yet, or if there are no partitions. When
    all are idle it is the clock's ``now - grace - idle``. The caller keeps it from falling.
    """
    all_places = list(partitions)
    live = [place for place in all_places if place.holds]
    if not live:
        return (
            None
            if now_ms is None or not all_places
            else now_ms - settings.grace_ms - settings.idle_ms
        )
    marks = [place.mark_ms for place in live if place.mark_ms is not None]
    return min(marks) - settings.grace_ms if len(marks) == len(live) else None


def retained_from(
    partitions: Iterable[PartitionState], watermark_ms: int | None, settings: JobSettings
) -> int | None:
    """Panes that end at or before this time can get no more events; ``None`` if all must be kept.

    A reader takes an event while its pane's end + grace + lateness is ahead of the mark of its
    partition, so a pane may go when that has passed for every partition that is not idle. An idle
    partition that comes back older than that finds its pane gone; such rows are counted as
    ``late_after_idle``.
    """
    live = [place.mark_ms for place in partitions if place.holds]
    wait = settings.grace_ms + settings.lateness_ms
    if live:
        marks = [mark for mark in live if mark is not None]
        return min(marks) - wait if len(marks) == len(live) else None
    return None if watermark_ms is None else watermark_ms - settings.lateness_ms


class Times(NamedTuple):
    """What the reader must know of time, in milliseconds: pane length, grace, lateness, tolerance
    for the future.
    """

    pane_ms: int
    grace_ms: int
    lateness_ms: int
    tolerance_ms: int
