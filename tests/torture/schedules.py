"""Seeded schedules of the protocol, far more than a run of the tests has time for.

``DRIFTLINE_SCHEDULES`` is their number.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

from tests.simulation import (
    label_live,
    label_planted,
    label_schedules,
    live,
    planted,
    schedules,
)
from tests.torture.rows import Row, SectionResult, on_all_cores

SCHEDULES = int(os.environ.get("DRIFTLINE_SCHEDULES", "100000"))
CHUNK = 500
PLANTED = 5_000


class Kind(NamedTuple):
    """A kind of schedules: how one runs, what is wrong with it, and what happened in it."""

    run: Callable[[int], Any]
    verdict: Callable[[Any], str]
    observations: Callable[[Any], Counter[str]]
    planted: Mapping[str, planted.Plant]


KINDS: dict[str, Kind] = {
    "chaos": Kind(schedules.run, schedules.verdict, schedules.observations, planted.CHAOS),
    "live": Kind(live.run, live.verdict, schedules.observations, planted.LIVE),
    "labels": Kind(
        label_schedules.run,
        label_schedules.verdict,
        label_schedules.observations,
        label_planted.CHAOS,
    ),
    "live labels": Kind(
        label_live.run, label_live.verdict, label_schedules.observations, label_planted.LIVE
    ),
}


class Chunk(NamedTuple):
    """A range of seeds for one kind of schedule."""

    kind: str
    first: int
    stop: int


def simulated() -> SectionResult:
    """Run the schedules: most are chaos over complete logs, the others live traffic; schedules with
    labels, which take ten times as long, are fewer.
    """
    return (
        _simulated("chaos over complete logs", "chaos", SCHEDULES * 6 // 7)
        | _simulated("live traffic", "live", SCHEDULES - SCHEDULES * 6 // 7)
        | _simulated("chaos over complete logs with labels", "labels", SCHEDULES // 10)
        | _simulated("live traffic with labels", "live labels", SCHEDULES // 50)
    )


def _simulated(name: str, kind: str, schedules: int) -> SectionResult:
    began_s = time.monotonic()
    firsts = range(0, schedules, CHUNK)
    chunks = [Chunk(kind, first, min(first + CHUNK, schedules)) for first in firsts]
    results = on_all_cores(run_chunk, chunks)
    failures = tuple(failure for _, failures in results for failure in failures)
    row = Row(f"schedules of {name}", schedules, failures, time.monotonic() - began_s)
    return SectionResult([row], sum((counts for counts, _ in results), Counter[str]()))


def run_chunk(chunk: Chunk) -> tuple[Counter[str], list[str]]:
    """Counts of the events in these schedules, and the failures among them."""
    counts = Counter[str]()
    failures = []
    for seed in range(chunk.first, chunk.stop):
        try:
            fault, of_schedule = _run(seed, chunk.kind)
            counts += of_schedule
        except AssertionError as error:
            fault = str(error)
        if fault:
            failures.append(f"{chunk.kind} seed {seed}: {fault}")
    return counts, failures


def _run(seed: int, kind: str) -> tuple[str, Counter[str]]:
    of_kind = KINDS[kind]
    world = of_kind.run(seed)
    return of_kind.verdict(world), of_kind.observations(world)


def planted_bugs() -> SectionResult:
    """Plant each bug separately; its row counts the schedules up to the one that exposed it."""
    bugs = [(kind, bug) for kind, of_kind in KINDS.items() for bug in of_kind.planted]
    return SectionResult.of(*on_all_cores(expose, bugs))


def expose(kind_and_bug: tuple[str, str]) -> Row:
    """Run schedules until one of them fails because of the bug."""
    kind, bug = kind_and_bug
    began_s = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        KINDS[kind].planted[bug](patch)
        exposing = next((seed for seed in range(PLANTED) if fails(seed, kind)), None)
    seconds = time.monotonic() - began_s
    trial = f"until exposed: {bug}" + (" (live)" if kind == "live labels" else "")
    if exposing is None:
        return Row(trial, PLANTED, (f"{bug}: not exposed",), seconds)
    return Row(trial, exposing + 1, (), seconds)


def fails(seed: int, kind: str) -> bool:
    """Whether a schedule fails."""
    try:
        return bool(_run(seed, kind)[0])
    except (AssertionError, KeyError):
        return True
