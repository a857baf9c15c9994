"""Seeded schedules of the protocol, many more than a test run has time for.
``DRIFTLINE_SCHEDULES``: how many."""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import NamedTuple

import pytest

from tests.simulation import live, planted, schedules
from tests.torture.rows import Row, Told, on_all_cores

SCHEDULES = int(os.environ.get("DRIFTLINE_SCHEDULES", "100000"))
CHUNK, PLANTED = 500, 5_000


class Chunk(NamedTuple):
    """Seeds of one kind of schedule."""

    live: bool
    first: int
    stop: int


def simulated() -> Told:
    """Six of seven schedules are chaos over complete logs, the others live traffic."""
    rows, met = [], Counter[str]()
    for name, alive, count in (
        ("chaos over complete logs", False, SCHEDULES * 6 // 7),
        ("live traffic", True, SCHEDULES - SCHEDULES * 6 // 7),
    ):
        began = time.monotonic()
        chunks = [
            Chunk(alive, first, min(first + CHUNK, count)) for first in range(0, count, CHUNK)
        ]
        wrong: list[str] = []
        for seen, faults in on_all_cores(run_chunk, chunks):
            met += seen
            wrong += faults
        rows.append(Row(f"schedules of {name}", count, tuple(wrong), time.monotonic() - began))
    return Told(rows, met)


def run_chunk(chunk: Chunk) -> tuple[Counter[str], list[str]]:
    """What these schedules met, and what was wrong with them."""
    seen, wrong = Counter[str](), []
    for seed in range(chunk.first, chunk.stop):
        try:
            if chunk.live:
                alive = live.run(seed)
                seen, fault = seen + schedules.met(alive), live.verdict(alive)
            else:
                world = schedules.run(seed)
                seen, fault = seen + schedules.met(world), schedules.verdict(world)
        except AssertionError as error:
            fault = str(error)
        if fault:
            wrong.append(f"{'live' if chunk.live else 'chaos'} seed {seed}: {fault}")
    return seen, wrong


def planted_bugs() -> Told:
    """Each fault is planted by itself; the row counts the schedules up to the one that caught it."""
    return Told(on_all_cores(catch, [*planted.CHAOS, *planted.LIVE]))


def catch(bug: str) -> Row:
    """Run schedules until one of them notices."""
    began = time.monotonic()
    plant, of_live = {**planted.CHAOS, **planted.LIVE}[bug], bug in planted.LIVE
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        for seed in range(PLANTED):
            if noticed(seed, of_live):
                return Row(f"until caught: {bug}", seed + 1, (), time.monotonic() - began)
    return Row(
        f"until caught: {bug}", PLANTED, (f"{bug}: went unnoticed",), time.monotonic() - began
    )


def noticed(seed: int, of_live: bool) -> bool:
    """True if something is wrong with this schedule."""
    try:
        return bool(
            live.verdict(live.run(seed)) if of_live else schedules.verdict(schedules.run(seed))
        )
    except (AssertionError, KeyError):
        return True
