"""Event time: panes, windows, marks and the watermark, as pure functions without a clock or I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

BUSY_MS: Final = 2_000
"""The time that a busy reader may take between two reports."""


class LearningRule(msgspec.Struct, frozen=True, kw_only=True):
    """When a baseline is learned: after ``rows``, over ``at_least_ms`` of event time."""

    rows: int = 5_000
    at_least_ms: int = 0


class JobSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that readers and aggregator share; all times are in milliseconds.

    A window is ``[end - window_ms, end)`` with ``end`` a multiple of ``every_ms``, which divides
    ``window_ms``; a pane is ``every_ms`` long. ``grace_ms`` is the expected out-of-orderness;
    late events are accepted for ``lateness_ms`` more. A partition at the end of its log holds the
    watermark for ``idle_ms``. An event dated more than ``tolerance_ms`` after its arrival counts at
    its arrival. ``learn`` says when a baseline is learned, ``learn_of`` by model where it
    differs.
    ``stop_on_gap``: a gap raises an error instead of being reported. ``most_variants`` is the
    number of variants of a model that are counted by name. ``schedules_ms`` are the lengths of
    the schedules whose periods are reported as a whole. ``keep_values``: profiles keep the distinct
    values of each feature.
    """

    window_ms: int
    every_ms: int
    grace_ms: int
    lateness_ms: int
    idle_ms: int
    tolerance_ms: int
    learn: LearningRule = LearningRule()
    stop_on_gap: bool = False
    most_variants: int = 1_000
    schedules_ms: tuple[int, ...] = ()
    keep_values: bool = False
    learn_of: Mapping[str, LearningRule] = {}

    def learn_rule(self, model: str) -> LearningRule:
        """Return when the baseline of a model is learned."""
        return self.learn_of.get(model, self.learn)


class PartitionState(msgspec.Struct, frozen=True):
    """The state of one partition: its claim, the position to read next, and its mark.

    ``mark_ms`` is the highest event time read so far (the mark). ``arrival_ms`` is the time at
    which the log took the last record that was read, ``None`` while the reader is at the end.

    ``quiet_ms`` is the time, by the clock, at which the reader first reported that there is nothing
    to date: it is at the end of the log, or reads only records without a readable time; ``None``
    otherwise. ``reported_ms`` is the time of its last report of any kind. ``idle`` partitions do
    not hold the watermark.

    An ``ended`` partition is closed and read to its end; it no longer holds the watermark. A
    partition with ``parents`` waits until all of them are ended; until then it holds the watermark
    with the smallest mark of those that are.
    """

    claim: int
    next: int | tuple[str, int]
    mark_ms: int | None = None
    quiet_ms: int | None = None
    reported_ms: int | None = msgspec.field(name="said_ms", default=None)
    idle: bool = False
    arrival_ms: int | None = None
    ended: bool = False
    parents: tuple[str, ...] = ()

    @property
    def assignable(self) -> bool:
        """True if a reader should read it now: it is not ended and waits for no parent."""
        return not self.ended and not self.parents

    @property
    def holds_watermark(self) -> bool:
        """True if the watermark depends on it. While it waits without a mark, its parents do so."""
        waits_without_mark = bool(self.parents) and self.mark_ms is None
        return not self.ended and not self.idle and not waits_without_mark


def window_ends(pane_ms: int, settings: JobSettings) -> range:
    """Return the ends of all windows that contain the pane that starts at ``pane_ms``.

    >>> s = JobSettings(
    ...     window_ms=60, every_ms=20, grace_ms=0, lateness_ms=0, idle_ms=0, tolerance_ms=0
    ... )
    >>> list(window_ends(100, s))
    [120, 140, 160]
    """
    every = settings.every_ms
    return range(pane_ms + every, pane_ms + settings.window_ms + every, every)


def window_panes(end_ms: int, settings: JobSettings) -> range:
    """Return the starts of the panes of the window that ends at ``end_ms``."""
    return range(end_ms - settings.window_ms, end_ms, settings.every_ms)


def is_idle(partition: PartitionState, now_ms: int, idle_ms: int) -> bool:
    """Return whether the reader has reported for ``idle_ms`` that there is nothing to read.

    Its last report must be at most half of ``idle_ms`` old. Only a reader can report that: a
    partition that is not being read (a dead reader, a pause, a broker that does not respond) never
    becomes idle.
    """
    if partition.quiet_ms is None or partition.reported_ms is None:
        return False
    quiet_for_ms = partition.reported_ms - partition.quiet_ms
    return quiet_for_ms >= idle_ms and now_ms - partition.reported_ms <= idle_ms // 2


def longest_break_ms(idle_ms: int) -> int:
    """Return how far two reports that there is nothing to read may be apart, to count as one.

    Half of ``idle_ms``: an outage of the source breaks them, since producers that waited for it too
    may not have sent their events yet. Two seconds at least, which a busy reader may take, but not
    more than ``idle_ms``.

    >>> longest_break_ms(60_000), longest_break_ms(3_000), longest_break_ms(1_000)
    (30000, 2000, 1000)
    """
    return min(idle_ms, max(idle_ms // 2, BUSY_MS))


def watermark(
    partitions: Iterable[PartitionState], now_ms: int | None, settings: JobSettings
) -> int | None:
    """Return the watermark: the time up to which all events are expected to have arrived.

    It is the smallest ``mark - grace`` of the partitions that hold it, and ``None`` while one of
    these has no mark yet, or if there is no partition. When all partitions are idle or ended it is
    ``now - grace - idle`` by the clock. It may fall; the caller keeps the highest one.
    """
    known = list(partitions)
    marks = [partition.mark_ms for partition in known if partition.holds_watermark]
    if marks:
        return _smallest(marks, settings.grace_ms)
    if now_ms is None or not known:
        return None
    return now_ms - settings.grace_ms - settings.idle_ms


def retained_from(
    partitions: Iterable[PartitionState], watermark_ms: int | None, settings: JobSettings
) -> int | None:
    """Return the time up to which panes get no more events; ``None`` if all panes must be kept.

    A reader accepts an event while its pane's end + grace + lateness is ahead of its partition's
    mark (:func:`stream.readers.lateness.too_late`). A pane may therefore be dropped once the marks
    of all partitions that are not idle have passed that. If an idle partition returns with older
    events, their pane is gone; such rows are counted as ``late_after_idle``.
    """
    marks = [partition.mark_ms for partition in partitions if partition.holds_watermark]
    if marks:
        return _smallest(marks, settings.grace_ms + settings.lateness_ms)
    return None if watermark_ms is None else watermark_ms - settings.lateness_ms


def _smallest(marks: list[int | None], wait_ms: int) -> int | None:
    """Return the smallest mark less ``wait_ms``, ``None`` if a partition has no mark yet."""
    known = [mark_ms for mark_ms in marks if mark_ms is not None]
    return min(known) - wait_ms if len(known) == len(marks) else None
