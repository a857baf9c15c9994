"""Arithmetic of event time: panes of windows, windows of panes, the watermark, idleness, and
settled panes.
"""

from __future__ import annotations

import pytest

from stream.event_time import (
    PartitionState,
    is_idle,
    retained_from,
    watermark,
    window_ends,
    window_panes,
)
from tests.support.records import job_settings

SETTINGS = job_settings(window_ms=60, every_ms=20, grace_ms=5, lateness_ms=30, idle_ms=100)


def partition(mark_ms: int | None = None, idle: bool = False) -> PartitionState:
    return PartitionState(1, 0, mark_ms, idle=idle)


@pytest.mark.parametrize("pane_ms", [0, 20, 100, -40])
def test_a_pane_is_in_the_windows_whose_panes_include_it_and_in_no_other(pane_ms: int) -> None:
    ends = [
        end
        for end in range(pane_ms - 200, pane_ms + 220, 20)
        if pane_ms in window_panes(end, SETTINGS)
    ]
    assert list(window_ends(pane_ms, SETTINGS)) == ends
    assert len(ends) == 3


def test_the_watermark_is_the_smallest_mark_less_grace() -> None:
    partitions = [partition(100), partition(80), partition(300)]
    assert watermark(partitions, None, SETTINGS) == 75


@pytest.mark.parametrize(
    ("partitions", "now_ms", "expected"),
    [
        ([], 1_000, None),
        ([partition(100), partition(None)], 1_000, None),
        ([partition(100), partition(None, idle=True)], 1_000, 95),
        ([partition(100), partition(10, idle=True)], 1_000, 95),
        ([partition(100, idle=True), partition(10, idle=True)], 1_000, 1_000 - 5 - 100),
        ([partition(100, idle=True)], None, None),
    ],
    ids=[
        "no partition",
        "a partition without a mark",
        "an idle partition without a mark",
        "an idle partition lags",
        "all idle",
        "all idle without a clock",
    ],
)
def test_idle_partitions_do_not_hold_the_watermark(
    partitions: list[PartitionState], now_ms: int | None, expected: int | None
) -> None:
    assert watermark(partitions, now_ms, SETTINGS) == expected


@pytest.mark.parametrize(
    ("quiet_ms", "reported_ms", "now_ms", "idle"),
    [
        (None, None, 9_999, False),
        (500, 599, 9_999, False),
        (500, 600, 600, True),
        (500, 600, 650, True),
        (500, 600, 651, False),
        (500, 9_000, 9_000, True),
        (None, 9_000, 9_000, False),
    ],
)
def test_a_partition_is_idle_while_its_reader_keeps_reporting_that_it_is_quiet(
    quiet_ms: int | None, reported_ms: int | None, now_ms: int, idle: bool
) -> None:
    assert (
        is_idle(
            PartitionState(
                claim=1, next=0, mark_ms=None, quiet_ms=quiet_ms, reported_ms=reported_ms
            ),
            now_ms,
            100,
        )
        is idle
    )


def test_a_pane_is_settled_when_no_live_partition_can_add_an_event_to_it() -> None:
    """A reader drops an event if pane end + grace + lateness <= mark; the slowest live partition
    decides.
    """
    live = [partition(200), partition(135), partition(1, idle=True)]
    assert retained_from(live, 130, SETTINGS) == 100
    assert retained_from([partition(200), partition(None)], 130, SETTINGS) is None
    assert retained_from([partition(1, idle=True)], 130, SETTINGS) == 100
    assert retained_from([partition(1, idle=True)], None, SETTINGS) is None
