"""Whole jobs over planted files, crashed after every few items, against the straight run; and
partials through the wire."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings

from stream.baselining.build import load_baseline
from stream.readers import reader as readers
from stream.telemetry.log_setup import LogSetup
from tests.golden.replay import (
    Results,
    assert_equal_windows,
    config,
    deal,
    plain_rows,
    planted,
    write_baseline,
)
from tests.golden.runs import run_service, run_with_crashes
from tests.property.test_messages import LAYOUTS, comparable, partials, through_the_pipe
from tests.torture.rows import Row, Told, on_all_cores

INPUTS, EVERY, BATCHES, FILES = range(10, 22), (1, 2, 3, 5, 8, 13), (60, 150), (1, 3)
PARTIALS = 5_000


class Outcome(NamedTuple):
    """Of one input: how many crashes, how many runs, and what was wrong."""

    crashes: int
    runs: int
    wrong: list[str]


def replayed() -> Told:
    """Inputs of their own seeds, batches and files; each is crashed through in several rhythms."""
    began = time.monotonic()
    outcomes = on_all_cores(replay, INPUTS)
    seconds, wrong = (
        time.monotonic() - began,
        tuple(fault for one in outcomes for fault in one.wrong),
    )
    return Told(
        [
            Row(
                "jobs crashed through and compared with the straight run",
                sum(one.runs for one in outcomes),
                wrong,
                seconds,
            ),
            Row(
                "crashes in them, each resumed from the committed state",
                sum(one.crashes for one in outcomes),
                (),
                seconds,
            ),
        ]
    )


def replay(seed: int) -> Outcome:
    """One input: straight, and through crashes in each rhythm."""
    LogSetup("error").set_up()
    out = Outcome(0, 0, [])
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder, files, came = Path(name), FILES[seed % 2], planted(seed)
        patch.setattr(readers, "MAX_RECORDS", BATCHES[seed // 2 % 2])
        write_baseline(folder / "baseline")
        paths = deal(came, folder, files)
        straight = run_service(config(folder / "straight", folder / "baseline", paths))
        if files == 1 and straight.rows != plain_rows(came):
            out.wrong.append(f"input {seed}: the straight run differs from the plain count")
        for every in EVERY:
            told, lives = run_with_crashes(
                config(folder / f"crashed-{every}", folder / "baseline", paths), every
            )
            out = Outcome(
                out.crashes + lives - 1,
                out.runs + 1,
                [*out.wrong, *different(told, straight, folder, f"input {seed}, {every}")],
            )
    return out


def different(told: Results, straight: Results, folder: Path, where: str) -> list[str]:
    """What differs, if anything does."""
    try:
        assert_equal_windows(told, straight, load_baseline(folder / "baseline"))
    except AssertionError as error:
        return [f"{where}: {str(error)[:200]}"]
    return []


def wired() -> Told:
    """Arbitrary partials through the pipe's messages and back."""
    began = time.monotonic()

    @settings(
        max_examples=PARTIALS, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(partials)
    def comes_out_as_it_went_in(partial: object) -> None:
        assert comparable(through_the_pipe(partial, LAYOUTS)) == comparable(partial)  # type: ignore[arg-type]  # drawn from partials

    try:
        comes_out_as_it_went_in()
        wrong: tuple[str, ...] = ()
    except AssertionError as error:
        wrong = (str(error)[:200],)
    return Told(
        [
            Row(
                "arbitrary partials, packed, sent and unpacked",
                PARTIALS,
                wrong,
                time.monotonic() - began,
            )
        ]
    )
