"""Decides, record by record, in which pane an event counts and whether it is too late for it.

``driftline check --live`` uses the same rules on a sample of the source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Ints
from stream.event_time import JobSettings
from stream.events import RawBatch
from stream.readers.arrival import Arrivals

NO_MARK: Final = -1
"""The running mark of a partition before its first dated record."""


class RecordTimes(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The panes of some records, and a mask of those that are too late; one entry per record.

    ``dated`` records state their event time, and it is not ahead of their arrival; only they move
    the mark. ``ahead`` ones are dated more than the tolerance after their arrival; they count at
    their arrival, or at the mark if that is later. ``pane_ms`` is the start of the pane
    (meaningless without a time). ``mark_ms`` is the running mark of the record's partition at the
    record. ``late`` records are too late for their pane. ``end_marks`` has the mark of the
    partition at the end of each raw batch.
    """

    dated: NDArray[np.bool_]
    ahead: NDArray[np.bool_]
    pane_ms: Ints
    mark_ms: Ints
    late: NDArray[np.bool_]
    end_marks: list[int | None]


def record_times(
    time_ms: Ints,
    raws: Sequence[RawBatch],
    bounds: Ints,
    marks: Mapping[str, int | None],
    settings: JobSettings,
    arrivals: Arrivals,
) -> RecordTimes:
    """Return the times of the records of some raw batches that follow each other.

    ``time_ms`` are their event times, negative where unknown; ``bounds`` are the bounds of the
    batches among the records; ``marks`` are the marks of the partitions at the start; ``arrivals``
    say which arrivals are believed, and the clock.
    """
    known = time_ms >= 0
    ahead = ahead_of_arrival(time_ms, raws, marks, arrivals, settings)
    dated = known & ~ahead
    mark_ms, end_marks = running_marks(np.where(dated, time_ms, NO_MARK), raws, bounds, marks)
    counted_ms = _counted_ms(time_ms, ahead, mark_ms, raws, arrivals) if ahead.any() else time_ms
    pane_ms = pane_starts(counted_ms, settings)
    late = too_late(pane_ms, mark_ms, settings) & (counted_ms >= 0)
    return RecordTimes(
        dated=dated,
        ahead=ahead,
        pane_ms=pane_ms,
        mark_ms=mark_ms,
        late=late,
        end_marks=end_marks,
    )


def ahead_of_arrival(
    time_ms: Ints,
    raws: Sequence[RawBatch],
    marks: Mapping[str, int | None],
    arrivals: Arrivals,
    settings: JobSettings,
) -> NDArray[np.bool_]:
    """Return a mask of events that are dated more than the tolerance after their arrival.

    Where the log does not state the arrival, the clock takes its place, or the mark of the
    partition if that is later: an event shortly after those read before is no surprise, even if
    the clock was set back.
    """
    bounds_ms = [
        np.where(stated, raw.arrival_ms, max(arrivals.limit_ms, marks.get(raw.partition) or 0))
        for raw, stated in zip(raws, _split(arrivals.stated, raws), strict=True)
    ]
    bound_ms = np.concatenate([np.zeros(0, np.int64), *bounds_ms])
    ahead: NDArray[np.bool_] = (time_ms >= 0) & (time_ms > bound_ms + settings.tolerance_ms)
    return ahead


def _counted_ms(
    time_ms: Ints,
    ahead: NDArray[np.bool_],
    mark_ms: Ints,
    raws: Sequence[RawBatch],
    arrivals: Arrivals,
) -> Ints:
    """Return the time at which each record counts; those ``ahead`` do not count at their own.

    They count at their arrival, or at the running mark of their partition if that is later: the log
    took them after the event of that time, so they are never too late. If the log does not state
    the arrival they count at the mark, so that the log decides and not the time of reading; by the
    clock only if there is no mark yet.
    """
    arrival_ms = np.concatenate([raw.arrival_ms for raw in raws])
    clock_ms = np.where(mark_ms == NO_MARK, arrivals.limit_ms, NO_MARK)
    arrived_ms = np.where(arrivals.stated, arrival_ms, clock_ms)
    return np.where(ahead, np.maximum(arrived_ms, mark_ms), time_ms)


def _split(values: NDArray[np.bool_], raws: Sequence[RawBatch]) -> list[NDArray[np.bool_]]:
    ends = np.cumsum([len(raw.values) for raw in raws], dtype=np.int64).tolist()
    return [values[end - len(raw.values) : end] for raw, end in zip(raws, ends, strict=True)]


def pane_starts(time_ms: Ints, settings: JobSettings) -> Ints:
    """Return the start of the pane that each time lies in."""
    return time_ms // settings.every_ms * settings.every_ms


def too_late(pane_ms: Ints, mark_ms: Ints, settings: JobSettings) -> NDArray[np.bool_]:
    """Return a mask of events that are too late: pane end + grace + lateness is at most the mark.

    The mark is the running mark of the record's own partition, so that lateness depends on the log
    alone and not on timing.

    >>> minute = JobSettings(
    ...     window_ms=60_000, every_ms=60_000, grace_ms=2_000, lateness_ms=8_000, idle_ms=0,
    ...     tolerance_ms=0,
    ... )
    >>> too_late(np.array([0, 0]), np.array([69_999, 70_000]), minute)
    array([False,  True])
    """
    return after_grace(pane_ms + settings.lateness_ms, mark_ms, settings)


def after_grace(pane_ms: Ints, mark_ms: Ints, settings: JobSettings) -> NDArray[np.bool_]:
    """Return a mask of events that come after grace: pane end + grace is at most the mark.

    The first window of such an event has been reported already; if the event is not too late, that
    window is reported again.

    >>> minute = JobSettings(
    ...     window_ms=60_000, every_ms=60_000, grace_ms=2_000, lateness_ms=8_000, idle_ms=0,
    ...     tolerance_ms=0,
    ... )
    >>> after_grace(np.array([0, 0]), np.array([61_999, 62_000]), minute)
    array([False,  True])
    """
    late: NDArray[np.bool_] = pane_ms + settings.every_ms + settings.grace_ms <= mark_ms
    return late


def running_marks(
    dated_ms: Ints, raws: Sequence[RawBatch], bounds: Ints, marks: Mapping[str, int | None]
) -> tuple[Ints, list[int | None]]:
    """Return the running mark at each record, and the mark at the end of each raw batch.

    ``dated_ms`` are the times that move the mark, :data:`NO_MARK` for records that do not.
    """
    running = np.full(len(dated_ms), NO_MARK, np.int64)
    latest = {name: NO_MARK if mark_ms is None else mark_ms for name, mark_ms in marks.items()}
    end_marks: list[int | None] = []
    for raw, start, stop in zip(raws, bounds[:-1], bounds[1:], strict=True):
        if stop > start:
            at_least = np.maximum(dated_ms[start:stop], latest[raw.partition])
            running[start:stop] = np.maximum.accumulate(at_least)
            latest[raw.partition] = int(running[stop - 1])
        mark_ms = latest[raw.partition]
        end_marks.append(None if mark_ms == NO_MARK else mark_ms)
    return running, end_marks
