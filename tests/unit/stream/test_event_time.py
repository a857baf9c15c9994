"""Event time by plain arithmetic: panes of windows, windows of panes, the watermark, idleness, and
what may be let go."""

from __future__ import annotations

import pytest

from stream.event_time import (
    JobSettings,
    PartitionState,
    is_idle,
    retained_from,
    watermark,
    window_ends,
    window_panes,
)

MINUTE = JobSettings(job="j", window_ms=60, every_ms=20, grace_ms=5, lateness_ms=30, idle_ms=100)


def place(mark_ms: int | None = None, idle: bool = False) -> PartitionState:
    return PartitionState(1, 0, mark_ms, idle=idle)


@pytest.mark.parametrize("pane_ms", [0, 20, 100, -40])
def test_a_pane_lies_in_the_windows_whose_panes_name_it_and_in_no_other(pane_ms: int) -> None:
    holding = [
        end
        for end in range(pane_ms - 200, pane_ms + 220, 20)
        if pane_ms in window_panes(end, MINUTE)
    ]
    assert list(window_ends(pane_ms, MINUTE)) == holding
    assert len(holding) == 3


def test_the_watermark_is_the_smallest_mark_less_grace() -> None:
    assert watermark([place(100), place(80), place(300)], None, MINUTE) == 75


@pytest.mark.parametrize(
    ("partitions", "now_ms", "expected"),
    [
        ([], 1_000, None),
        ([place(100), place(None)], 1_000, None),
        ([place(100), place(None, idle=True)], 1_000, 95),
        ([place(100), place(10, idle=True)], 1_000, 95),
        ([place(100, idle=True), place(10, idle=True)], 1_000, 1_000 - 5 - 100),
        ([place(100, idle=True)], None, None),
    ],
    ids=[
        "no partition",
        "one has no mark",
        "an idle one without a mark",
        "an idle one is behind",
        "all idle",
        "all idle, no clock",
    ],
)
def test_only_live_partitions_hold_the_watermark(
    partitions: list[PartitionState], now_ms: int | None, expected: int | None
) -> None:
    assert watermark(partitions, now_ms, MINUTE) == expected


@pytest.mark.parametrize(
    ("quiet_ms", "said_ms", "now_ms", "idle"),
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
def test_a_partition_is_idle_while_its_reader_goes_on_saying_so(
    quiet_ms: int | None, said_ms: int | None, now_ms: int, idle: bool
) -> None:
    assert is_idle(PartitionState(1, 0, None, quiet_ms, said_ms), now_ms, 100) is idle


def test_a_pane_may_go_when_no_live_partition_can_bring_an_event_in_time() -> None:
    """The reader's rule: too late if pane end + grace + lateness <= mark. The slowest live
    partition decides."""
    assert retained_from([place(200), place(135), place(1, idle=True)], 130, MINUTE) == 100
    assert retained_from([place(200), place(None)], 130, MINUTE) is None
    assert retained_from([place(1, idle=True)], 130, MINUTE) == 100
    assert retained_from([place(1, idle=True)], None, MINUTE) is None
