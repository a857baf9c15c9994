"""Seeded schedules of the protocol, far more than a run of the tests has time for.

``DRIFTLINE_SCHEDULES`` is their number.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import NamedTuple

import pytest

from tests.simulation import live, planted, schedules
from tests.torture.rows import Row, SectionResult, on_all_cores

SCHEDULES = int(os.environ.get("DRIFTLINE_SCHEDULES", "100000"))
CHUNK = 500
PLANTED = 5_000


class Chunk(NamedTuple):
    """A range of seeds for one kind of schedule."""

    live: bool
    first: int
    stop: int


def simulated() -> SectionResult:
    """Run the schedules: six of seven are chaos over complete logs, the others live traffic."""
    of_chaos = SCHEDULES * 6 // 7
    return _simulated("chaos over complete logs", False, of_chaos) | _simulated(
        "live traffic", True, SCHEDULES - of_chaos
    )


def _simulated(name: str, of_live: bool, schedules: int) -> SectionResult:
    began_s = time.monotonic()
    firsts = range(0, schedules, CHUNK)
    chunks = [Chunk(of_live, first, min(first + CHUNK, schedules)) for first in firsts]
    results = on_all_cores(run_chunk, chunks)
    failures = tuple(failure for _, failures in results for failure in failures)
    row = Row(f"schedules of {name}", schedules, failures, time.monotonic() - began_s)
    return SectionResult([row], sum((counts for counts, _ in results), Counter[str]()))


def run_chunk(chunk: Chunk) -> tuple[Counter[str], list[str]]:
    """Counts of the events in these schedules, and the failures among them."""
    counts = Counter[str]()
    failures = []
    kind = "live" if chunk.live else "chaos"
    for seed in range(chunk.first, chunk.stop):
        try:
            fault, of_schedule = _run(seed, chunk.live)
            counts += of_schedule
        except AssertionError as error:
            fault = str(error)
        if fault:
            failures.append(f"{kind} seed {seed}: {fault}")
    return counts, failures


def _run(seed: int, of_live: bool) -> tuple[str | None, Counter[str]]:
    if of_live:
        world = live.run(seed)
        return live.verdict(world), schedules.observations(world)
    chaos = schedules.run(seed)
    return schedules.verdict(chaos), schedules.observations(chaos)


def planted_bugs() -> SectionResult:
    """Plant each bug separately; its row counts the schedules up to the one that exposed it."""
    return SectionResult.of(*on_all_cores(expose, [*planted.CHAOS, *planted.LIVE]))


def expose(bug: str) -> Row:
    """Run schedules until one of them fails because of the bug."""
    began_s = time.monotonic()
    plant = {**planted.CHAOS, **planted.LIVE}[bug]
    of_live = bug in planted.LIVE
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        exposing = next((seed for seed in range(PLANTED) if fails(seed, of_live)), None)
    seconds = time.monotonic() - began_s
    if exposing is None:
        return Row(f"until exposed: {bug}", PLANTED, (f"{bug}: not exposed",), seconds)
    return Row(f"until exposed: {bug}", exposing + 1, (), seconds)


def fails(seed: int, of_live: bool) -> bool:
    """Whether a schedule fails."""
    try:
        return bool(_run(seed, of_live)[0])
    except (AssertionError, KeyError):
        return True
