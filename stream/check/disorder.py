"""How far events lie out of order, from the event times of a sample. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from detectors.arrays import Ints
from stream.check.findings import Finding, Level, counted, tidy, told_ms, told_share
from stream.event_time import JobSettings

MOST_LATE = 0.01
"""A larger share of events behind grace, or lost, is worth a warning, or is a fault."""


class Disorder(NamedTuple):
    """``behind_ms``: how far each event lies behind the highest time before it; ``late`` come after
    their first window has closed, ``lost`` of them so late that they are not counted.
    """

    behind_ms: Ints
    late: int
    lost: int


def disorder(series: Sequence[Ints], times: JobSettings) -> Disorder:
    """The disorder in event times of partitions, each in the order of its log, by the rules of the
    reader.

    >>> minute = JobSettings(
    ...     window_ms=60_000, every_ms=60_000, grace_ms=2_000, lateness_ms=600_000, idle_ms=0,
    ...     tolerance_ms=0,
    ... )
    >>> disorder([np.array([1_000, 65_000, 59_000])], minute)
    Disorder(behind_ms=array([   0,    0, 6000]), late=1, lost=0)
    """
    behind, late, lost = [np.empty(0, np.int64)], 0, 0
    for one in series:
        mark = np.maximum.accumulate(one)
        closes = one // times.every_ms * times.every_ms + times.every_ms + times.grace_ms
        behind.append(mark - one)
        late += int((closes <= mark).sum())
        lost += int((closes + times.lateness_ms <= mark).sum())
    return Disorder(np.concatenate(behind), late, lost)


def disorder_finding(where: str, found: Disorder, times: JobSettings) -> Finding:
    """What the disorder means for ``grace`` and ``lateness``."""
    count = len(found.behind_ms)
    if not count:
        return Finding(
            where,
            "no event with a time in the sample: disorder is not known",
            "warning",
            "Look again when events have come",
        )
    most, worst = (
        float(np.quantile(found.behind_ms, 0.99, method="higher")),
        float(found.behind_ms.max()),
    )
    what = (
        f"disorder of {counted(count, 'event')}: 99 % at most {told_ms(most)} behind, the last one"
        f" {told_ms(worst)}"
    )
    what += (
        f"; {told_share(found.late, count)} after grace ({told_ms(times.grace_ms)}),"
        f" {told_share(found.lost, count)} too late"
    )
    if found.lost:
        level: Level = "fault" if found.lost > MOST_LATE * count else "warning"
        return Finding(
            where,
            what,
            level,
            f"Events that are too late are not counted: lateness: {tidy(worst)} takes all of these",
        )
    if found.late > MOST_LATE * count:
        return Finding(
            where,
            what,
            "warning",
            f"Their windows are reported twice; grace: {tidy(most)} waits for 99 % of them",
        )
    return Finding(where, what, "ok", f"grace: {tidy(most)} would do")


def skew_finding(
    where: str, newest_ms: Mapping[str, int], times: JobSettings, idle_ms: int
) -> Finding:
    """How far the newest events of the partitions are apart, and what that means: windows wait for
    the slowest partition.
    """
    if len(newest_ms) < 2:
        return Finding(
            where, f"skew: {counted(len(newest_ms), 'partition')} with events, nothing to wait for"
        )
    slow, fast = (
        min(newest_ms, key=newest_ms.__getitem__),
        max(newest_ms, key=newest_ms.__getitem__),
    )
    skew_ms = newest_ms[fast] - newest_ms[slow]
    behind = f" ({slow} behind {fast})" if skew_ms else ""
    what = (
        f"skew: the newest events of {len(newest_ms)} partitions are {told_ms(skew_ms)}"
        f" apart{behind}"
    )
    if skew_ms <= times.grace_ms:
        return Finding(where, what)
    if skew_ms <= times.grace_ms + times.lateness_ms:
        advice = (
            f"Windows wait for the slowest, until it is quiet for idle ({told_ms(idle_ms)}); spread"
            " the keys evenly"
        )
        return Finding(where, what, "warning", advice)
    advice = (
        f"More than grace + lateness: once {slow} counts as idle, what comes there is too late;"
        " longer lateness or idle, or even keys"
    )
    return Finding(where, what, "warning", advice)
