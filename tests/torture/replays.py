"""Whole jobs over planted files, crashed after every few items and compared with a run without
crashes; and partials through the messages of reader processes.
"""

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
from tests.golden import replay as golden
from tests.golden.runs import run_service, run_with_crashes
from tests.property.test_messages import LAYOUTS, comparable, partials, through_the_pipe
from tests.torture.rows import Row, SectionResult, on_all_cores

INPUTS = range(10, 22)
INTERVALS = (1, 2, 3, 5, 8, 13)
BATCHES = (60, 150)
FILES = (1, 3)
PARTIALS = 5_000


class Outcome(NamedTuple):
    """The number of crashes and of runs of one input, and its failures."""

    crashes: int
    runs: int
    failures: list[str]


def replayed() -> SectionResult:
    """Replay inputs with different seeds, batches and files, each with several crash intervals."""
    began_s = time.monotonic()
    outcomes = on_all_cores(crash_at_each_interval, INPUTS)
    seconds = time.monotonic() - began_s
    failures = tuple(failure for outcome in outcomes for failure in outcome.failures)
    runs = sum(outcome.runs for outcome in outcomes)
    crashes = sum(outcome.crashes for outcome in outcomes)
    return SectionResult.of(
        Row("jobs with crashes, compared with a run without", runs, failures, seconds),
        Row("crashes in them, each resumed from the committed state", crashes, (), seconds),
    )


def crash_at_each_interval(seed: int) -> Outcome:
    """Run one input without a crash, and with crashes at each interval."""
    LogSetup("error").set_up()
    outcome = Outcome(0, 0, [])
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        files = FILES[seed % 2]
        planted = golden.planted(seed)
        baseline = folder / "baseline"
        patch.setattr(readers, "MAX_RECORDS", BATCHES[seed // 2 % 2])
        golden.write_baseline(baseline)
        paths = golden.distribute(planted, folder, files)
        straight = run_service(golden.config(folder / "straight", baseline, paths))
        if files == 1 and straight.rows != golden.plain_rows(planted):
            outcome.failures.append(f"input {seed}: the run without crashes miscounts")
        for every in INTERVALS:
            config = golden.config(folder / f"crashed-{every}", baseline, paths)
            resumed, processes = run_with_crashes(config, every)
            failures = differences(resumed, straight, baseline, f"input {seed}, every {every}")
            outcome = Outcome(
                outcome.crashes + processes - 1, outcome.runs + 1, [*outcome.failures, *failures]
            )
    return outcome


def differences(
    resumed: golden.Results, straight: golden.Results, baseline: Path, where: str
) -> list[str]:
    """A description of the first difference between two runs; empty without a difference."""
    try:
        golden.assert_equal_windows(resumed, straight, load_baseline(baseline))
    except AssertionError as error:
        return [f"{where}: {str(error)[:200]}"]
    return []


def encoded() -> SectionResult:
    """Encode arbitrary partials as messages of a reader process, and decode them."""
    began_s = time.monotonic()

    @settings(
        max_examples=PARTIALS, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(partials)
    def is_decoded_unchanged(partial: object) -> None:
        assert comparable(through_the_pipe(partial, LAYOUTS)) == comparable(partial)  # type: ignore[arg-type]  # drawn from partials

    failures: tuple[str, ...] = ()
    try:
        is_decoded_unchanged()
    except AssertionError as error:
        failures = (str(error)[:200],)
    seconds = time.monotonic() - began_s
    return SectionResult.of(
        Row("arbitrary partials, encoded, sent and decoded", PARTIALS, failures, seconds)
    )
