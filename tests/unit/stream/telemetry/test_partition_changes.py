"""Changes of partitions are one line each, and never a flood."""

from __future__ import annotations

from typing import Any

from structlog.testing import CapturingLogger

from stream.event_time import PartitionState
from stream.telemetry.partition_changes import PartitionChangeLog

READ, IDLE, ENDED = (
    PartitionState(1, 0),
    PartitionState(1, 0, idle=True),
    PartitionState(1, 0, ended=True),
)
WAITS = PartitionState(0, 0, parents=("p",))


class Seen:
    """A log of partitions with a clock that the test sets."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self._written = CapturingLogger()
        self.log = PartitionChangeLog(self._written, lambda: self.now_s)

    def look(
        self, after_s: float = 60.0, **partitions: PartitionState
    ) -> list[tuple[str, dict[str, Any]]]:
        """The lines of one look, so long after the one before."""
        self.now_s += after_s
        self.log.look(partitions)
        return self.lines()

    def lines(self) -> list[tuple[str, dict[str, Any]]]:
        calls, self._written.calls = self._written.calls, []
        assert all(call.method_name == "info" for call in calls)
        return [(call.args[0], call.kwargs) for call in calls]


def one(name: str) -> dict[str, Any]:
    return {"count": 1, "partitions": [name]}


def test_each_change_is_one_line_and_no_change_is_none() -> None:
    seen = Seen()
    assert seen.look() == []
    assert seen.look(p=READ) == [("partitions found", one("p"))]
    assert seen.look(p=READ) == []
    assert seen.look(p=IDLE) == [("partitions idle", one("p"))]
    assert seen.look(p=IDLE) == []
    assert seen.look(p=READ) == [("partitions not idle any more", one("p"))]
    assert seen.look(p=ENDED, q=READ, r=WAITS) == [
        ("partitions ended", one("p")),
        ("partitions found", {"count": 2, "partitions": ["q", "r"]}),
    ]
    assert seen.look(p=ENDED, q=READ, r=READ) == []


def test_a_thousand_partitions_are_one_line_that_counts_them() -> None:
    seen, first_ten = Seen(), [f"t-{k:04}" for k in range(10)]
    seen.log.look({f"t-{k:04}": READ for k in range(1_000)})
    assert seen.lines() == [("partitions found", {"count": 1_000, "partitions": first_ten})]


def test_what_is_found_idle_or_ended_is_told_as_found_and_then_as_what_it_is() -> None:
    seen = Seen()
    assert seen.look(p=ENDED, q=IDLE) == [
        ("partitions found", {"count": 2, "partitions": ["p", "q"]})
    ]
    assert seen.look(p=ENDED, q=IDLE) == [
        ("partitions ended", one("p")),
        ("partitions idle", one("q")),
    ]


def test_a_kind_is_told_at_once_and_then_at_most_once_in_ten_seconds() -> None:
    seen = Seen()
    seen.look(a=READ, b=READ, c=READ)
    assert seen.look(0.5, a=IDLE, b=READ, c=READ) == [("partitions idle", one("a"))]
    assert seen.look(0.5, a=IDLE, b=IDLE, c=READ) == []
    assert seen.look(0.5, a=READ, b=IDLE, c=IDLE) == [("partitions not idle any more", one("a"))]
    assert seen.look(9.0, a=READ, b=IDLE, c=IDLE) == [
        ("partitions idle", {"count": 2, "partitions": ["b", "c"]})
    ]


def test_a_partition_that_flaps_is_not_told_each_time() -> None:
    """It changes each half second for ten minutes: at most two lines in ten seconds."""
    seen = Seen()
    seen.look(p=READ)
    lines = [line for k in range(1_200) for line in seen.look(0.5, p=IDLE if k % 2 else READ)]
    assert 2 <= len(lines) <= 120


def test_what_an_earlier_process_knew_is_counted_in_one_line_and_not_found_again() -> None:
    """Committed as idle, it is read from now on: it did not come back, nobody knows yet whether
    anything is there."""
    seen = Seen()
    seen.log.begin({"p": IDLE, "q": ENDED, "r": READ})
    assert seen.lines() == [("partitions known", {"count": 3, "ended": 1})]
    assert seen.look(p=READ, q=ENDED, r=READ) == []
    assert seen.look(p=IDLE, q=ENDED, r=READ) == [("partitions idle", one("p"))]


def test_a_job_without_a_state_says_nothing_at_the_start() -> None:
    seen = Seen()
    seen.log.begin({})
    assert seen.lines() == []
