"""Changes of partitions are logged as one event per kind, at a limited rate."""

from __future__ import annotations

from typing import Any

from structlog.testing import CapturingLogger

from stream.event_time import PartitionState
from stream.telemetry.partition_changes import PartitionChangeLog

ACTIVE = PartitionState(1, 0)
IDLE = PartitionState(1, 0, idle=True)
ENDED = PartitionState(1, 0, ended=True)
WAITING = PartitionState(0, 0, parents=("p",))


class Log:
    """A log of partition changes with a clock that the test sets."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self._logger = CapturingLogger()
        self.changes = PartitionChangeLog(self._logger, lambda: self.now_s)

    def after(
        self, seconds: float = 60.0, **partitions: PartitionState
    ) -> list[tuple[str, dict[str, Any]]]:
        """The events of a commit with these partitions."""
        self.now_s += seconds
        self.changes.write(partitions)
        return self.events()

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        calls = self._logger.calls
        self._logger.calls = []
        assert all(call.method_name == "info" for call in calls)
        return [(call.args[0], call.kwargs) for call in calls]


def named(name: str) -> dict[str, Any]:
    return {"count": 1, "partitions": [name]}


def test_each_change_is_one_event_and_no_change_is_none() -> None:
    log = Log()
    assert log.after() == []
    assert log.after(p=ACTIVE) == [("partitions_found", named("p"))]
    assert log.after(p=ACTIVE) == []
    assert log.after(p=IDLE) == [("partitions_idle", named("p"))]
    assert log.after(p=IDLE) == []
    assert log.after(p=ACTIVE) == [("partitions_active", named("p"))]
    assert log.after(p=ENDED, q=ACTIVE, r=WAITING) == [
        ("partitions_ended", named("p")),
        ("partitions_found", {"count": 2, "partitions": ["q", "r"]}),
    ]
    assert log.after(p=ENDED, q=ACTIVE, r=ACTIVE) == []


def test_a_thousand_discovered_partitions_are_one_event_with_their_number() -> None:
    log = Log()
    first_ten = [f"t-{k:04}" for k in range(10)]
    log.changes.write({f"t-{k:04}": ACTIVE for k in range(1_000)})
    assert log.events() == [("partitions_found", {"count": 1_000, "partitions": first_ten})]


def test_a_partition_found_idle_or_ended_is_logged_as_found_first() -> None:
    log = Log()
    assert log.after(p=ENDED, q=IDLE) == [
        ("partitions_found", {"count": 2, "partitions": ["p", "q"]})
    ]
    assert log.after(p=ENDED, q=IDLE) == [
        ("partitions_ended", named("p")),
        ("partitions_idle", named("q")),
    ]


def test_a_kind_of_change_is_logged_at_once_and_then_at_most_every_ten_seconds() -> None:
    log = Log()
    log.after(a=ACTIVE, b=ACTIVE, c=ACTIVE)
    assert log.after(0.5, a=IDLE, b=ACTIVE, c=ACTIVE) == [("partitions_idle", named("a"))]
    assert log.after(0.5, a=IDLE, b=IDLE, c=ACTIVE) == []
    assert log.after(0.5, a=ACTIVE, b=IDLE, c=IDLE) == [("partitions_active", named("a"))]
    assert log.after(9.0, a=ACTIVE, b=IDLE, c=IDLE) == [
        ("partitions_idle", {"count": 2, "partitions": ["b", "c"]})
    ]


def test_a_flapping_partition_is_not_logged_each_time() -> None:
    """It changes every half second for ten minutes: at most two events in ten seconds."""
    log = Log()
    log.after(p=ACTIVE)
    events = [event for k in range(1_200) for event in log.after(0.5, p=IDLE if k % 2 else ACTIVE)]
    assert 2 <= len(events) <= 120


def test_partitions_of_an_earlier_process_are_counted_and_not_found_again() -> None:
    """A partition committed as idle is read from now on. This is not a change: whether it has
    records to read is not known yet."""
    log = Log()
    log.changes.begin({"p": IDLE, "q": ENDED, "r": ACTIVE})
    assert log.events() == [("partitions_known", {"count": 3, "ended": 1})]
    assert log.after(p=ACTIVE, q=ENDED, r=ACTIVE) == []
    assert log.after(p=IDLE, q=ENDED, r=ACTIVE) == [("partitions_idle", named("p"))]


def test_a_job_without_a_state_logs_nothing_at_the_start() -> None:
    log = Log()
    log.changes.begin({})
    assert log.events() == []
