"""A caught-up owner and a standby are ready; every other state is reported with its reason."""

from __future__ import annotations

import pytest

from stream.event_time import PartitionState
from stream.web.readiness import PartitionSilence, Readiness, ServiceRole, readiness

NOW_MS = 1_000_000
CAUGHT_UP = PartitionState(1, 0)
LATE = PartitionState(1, 0, arrival_ms=NOW_MS - 61_000)

ENDED = PartitionState(1, 0, arrival_ms=1, ended=True)
WAITING = PartitionState(0, 0, arrival_ms=1, parents=("q",))


@pytest.mark.parametrize(
    ("role", "partitions", "full", "expected"),
    [
        ("starting", {}, [], Readiness(503, "starting")),
        ("standby", {"p": LATE}, ["sns"], Readiness(200, "standby")),
        ("owner", {}, [], Readiness(200, "owner")),
        (
            "owner",
            {"p": CAUGHT_UP, "q": PartitionState(1, 0, arrival_ms=NOW_MS - 60_000)},
            [],
            Readiness(200, "owner"),
        ),
        ("owner", {"p": CAUGHT_UP, "q": LATE}, [], Readiness(503, "behind: q by 61 s")),
        ("owner", {"q": ENDED, "r": WAITING}, [], Readiness(200, "owner")),
        ("owner", {"q": LATE}, ["sns", "jsonl"], Readiness(503, "paused: sns, jsonl")),
        (
            "owner",
            {"p": PartitionState(1, 0, arrival_ms=NOW_MS + 5_000)},
            [],
            Readiness(200, "owner"),
        ),
    ],
)
def test_readiness_follows_role_partitions_and_full_sinks(
    role: ServiceRole, partitions: dict[str, PartitionState], full: list[str], expected: Readiness
) -> None:
    assert (
        readiness(role=role, partitions=partitions, now_ms=NOW_MS, full=full, limit_s=60.0)
        == expected
    )


def test_a_partition_without_reports_is_silent_from_the_first_check_on() -> None:
    silence = PartitionSilence()
    read = {"p": PartitionState(1, 0), "ended": ENDED, "waiting": WAITING}
    assert silence.silent_s(read, 10.0) == {"p": 0.0}
    assert silence.silent_s(read, 95.0) == {"p": 85.0}
    reported = {"p": PartitionState(1, 0, reported_ms=95_000)}
    assert silence.silent_s(reported, 96.0) == {"p": 0.0}
    assert silence.silent_s(reported, 99.0) == {"p": 3.0}
    reassigned = {"p": PartitionState(2, 0)}
    assert silence.silent_s(reassigned, 100.0) == {"p": 4.0}
    assert silence.silent_s({"p": PartitionState(2, 7, reported_ms=95_000)}, 101.0) == {"p": 0.0}
