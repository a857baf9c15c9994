"""Ready is an owner that is caught up, or a standby; each other state says why not."""

from __future__ import annotations

import pytest

from stream.event_time import PartitionState
from stream.web.readiness import PartitionSilence, Readiness, Role, readiness

NOW_MS = 1_000_000
HERE = PartitionState(1, 0)
LATE = PartitionState(1, 0, arrival_ms=NOW_MS - 61_000)

ENDED, WAITING = (
    PartitionState(1, 0, arrival_ms=1, ended=True),
    PartitionState(0, 0, arrival_ms=1, parents=("q",)),
)


@pytest.mark.parametrize(
    ("role", "partitions", "full", "expected"),
    [
        ("starting", {}, [], Readiness(503, "starting")),
        ("standby", {"p": LATE}, ["sns"], Readiness(200, "standby")),
        ("owner", {}, [], Readiness(200, "owner")),
        (
            "owner",
            {"p": HERE, "q": PartitionState(1, 0, arrival_ms=NOW_MS - 60_000)},
            [],
            Readiness(200, "owner"),
        ),
        ("owner", {"p": HERE, "q": LATE}, [], Readiness(503, "behind: q by 61 s")),
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
def test_readiness_says_what_is_so(
    role: Role, partitions: dict[str, PartitionState], full: list[str], expected: Readiness
) -> None:
    assert readiness(role, partitions, NOW_MS, full, 60.0) == expected


def test_a_partition_of_which_nothing_is_heard_is_silent_from_the_first_look_on() -> None:
    heard = PartitionSilence()
    read = {"p": PartitionState(1, 0), "over": ENDED, "waits": WAITING}
    assert heard.silent_s(read, 10.0) == {"p": 0.0}
    assert heard.silent_s(read, 95.0) == {"p": 85.0}
    said = {"p": PartitionState(1, 0, said_ms=95_000)}
    assert heard.silent_s(said, 96.0) == {"p": 0.0}
    assert heard.silent_s(said, 99.0) == {"p": 3.0}
    assigned_anew = {"p": PartitionState(2, 0)}
    assert heard.silent_s(assigned_anew, 100.0) == {"p": 4.0}
    assert heard.silent_s({"p": PartitionState(2, 7, said_ms=95_000)}, 101.0) == {"p": 0.0}
