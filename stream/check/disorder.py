"""Out-of-order delay and skew of a sample, from its event times. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from detectors.arrays import Ints
from detectors.durations import duration_ms
from detectors.phrases import counted
from stream.check.findings import (
    Finding,
    FindingLevel,
    format_duration,
    format_share,
    round_up,
)
from stream.event_time import JobSettings
from stream.readers.lateness import after_grace, pane_starts, too_late

ENOUGH: Final = 100
"""The number of events that a lower grace can be advised from."""
MAX_LATE: Final = 0.01
"""A larger share of late events is worth a warning; a larger share of lost events is a fault."""


class Disorder(NamedTuple):
    """The disorder of a sample of events.

    ``delay_ms`` is how far each event lags behind the highest event time read before it. ``late``
    events come after their first window has closed; ``lost`` ones are too late to be counted.
    """

    delay_ms: Ints
    late: int
    lost: int


def disorder(series: Sequence[Ints], times: JobSettings) -> Disorder:
    """Measure the event times of partitions, each in the order of its log.

    Which events are late or too late is decided by the rules of the reader, see
    :mod:`stream.readers.lateness`.

    >>> minute = JobSettings(
    ...     window_ms=60_000, every_ms=60_000, grace_ms=2_000, lateness_ms=600_000, idle_ms=0,
    ...     tolerance_ms=0,
    ... )
    >>> disorder([np.array([1_000, 65_000, 59_000])], minute)
    Disorder(delay_ms=array([   0,    0, 6000]), late=1, lost=0)
    """
    delays: list[Ints] = [np.empty(0, np.int64)]
    late = lost = 0
    for event_ms in series:
        mark_ms = np.maximum.accumulate(event_ms)
        pane_ms = pane_starts(event_ms, times)
        delays.append(mark_ms - event_ms)
        late += int(after_grace(pane_ms, mark_ms, times).sum())
        lost += int(too_late(pane_ms, mark_ms, times).sum())
    return Disorder(np.concatenate(delays), late, lost)


def disorder_finding(
    subject: str, measured: Disorder, times: JobSettings, least_ms: int = 0
) -> Finding:
    """Return a finding on ``grace`` and ``lateness`` from the disorder of a sample.

    ``least_ms`` is what ``grace`` must be, however small the disorder is.
    """
    count = len(measured.delay_ms)
    if not count:
        message = "out-of-order delay: unknown, no event in the sample has a time"
        advice = "Check again when events have arrived, or are no longer rejected"
        return Finding(subject, message, "warning", advice)
    p99_ms = float(np.quantile(measured.delay_ms, 0.99, method="higher"))
    max_ms = float(measured.delay_ms.max())
    message = (
        f"out-of-order delay: p99 {format_duration(p99_ms)}, max {format_duration(max_ms)}"
        f" ({counted(count, 'event')}); {format_share(measured.late, count)} after grace"
        f" ({format_duration(times.grace_ms)}), {format_share(measured.lost, count)} too late"
    )
    if measured.lost:
        level: FindingLevel = "fault" if measured.lost > MAX_LATE * count else "warning"
        advice = f"Events that are too late are not counted: raise lateness to {round_up(max_ms)}"
        return Finding(subject, message, level, advice)
    if measured.late > MAX_LATE * count:
        advice = f"Their windows are reported twice: raise grace to {round_up(p99_ms)}"
        return Finding(subject, message, "warning", advice)
    return Finding(
        subject,
        message,
        "ok",
        _lower_grace(max(p99_ms, least_ms), times) if count >= ENOUGH else "",
    )


def _lower_grace(needed_ms: float, times: JobSettings) -> str:
    enough = round_up(needed_ms)
    return f"grace could be lowered to {enough}" if duration_ms(enough) < times.grace_ms else ""


def skew_finding(
    subject: str, newest_ms: Mapping[str, int], times: JobSettings, idle_ms: int
) -> Finding:
    """Return a finding on the skew: the distance between the newest events of the partitions.

    Windows wait for the slowest partition.
    """
    if len(newest_ms) < 2:
        partitions = counted(len(newest_ms), "partition")
        return Finding(subject, f"skew: {partitions} with events, nothing to wait for")
    slow = min(newest_ms, key=newest_ms.__getitem__)
    fast = max(newest_ms, key=newest_ms.__getitem__)
    skew_ms = newest_ms[fast] - newest_ms[slow]
    order = f" ({slow} behind {fast})" if skew_ms else ""
    distance = f"{format_duration(skew_ms)} apart{order}"
    message = f"skew: the newest events of {len(newest_ms)} partitions are {distance}"
    if skew_ms <= times.grace_ms:
        return Finding(subject, message)
    if skew_ms <= times.grace_ms + times.lateness_ms:
        advice = (
            "Windows wait for the slowest partition until it is idle"
            f" ({format_duration(idle_ms)}): distribute the keys evenly"
        )
    else:
        advice = (
            f"More than grace + lateness: once {slow} is idle, its events are too late. Raise"
            " lateness or idle, or distribute the keys evenly"
        )
    return Finding(subject, message, "warning", advice)
