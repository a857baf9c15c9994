"""The long versions of what is tried with the real service: kills, outages, mangled lines, a month
of windows, wide models."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping

from tests.fuzz import long
from tests.soak import memory, month
from tests.torture.rows import Row, Told

KILLS, KILLS_KINESIS, OUTAGE_S = 100, 20, 600
GUIDED = 100_000
MOST_MB, MOST_GROWTH_MB = 400.0, 20.0


def killed() -> Told:
    """Services and readers killed at random while events flow; the tests hold the windows equal to
    the producer's own counts."""
    return Told(
        [
            _tests(
                "tests/integration/test_kill9.py",
                2 * KILLS,
                {"DRIFTLINE_KILLS": str(KILLS)},
                "kills, Apache Kafka",
            ),
            _tests(
                "tests/integration/test_kill9_kinesis.py",
                KILLS_KINESIS,
                {"DRIFTLINE_KILLS_KINESIS": str(KILLS_KINESIS)},
                "kills, kinesis-local (an emulator), with a split and a merge",
            ),
        ]
    )


def shut_out() -> Told:
    """SNS and CloudWatch do not answer for ten minutes by the clock; afterwards nothing is missing."""
    settings = {"DRIFTLINE_OUTAGE_S": str(OUTAGE_S)}
    what = f"outage of SNS and CloudWatch (moto, an emulator), {OUTAGE_S} s"
    return Told([_tests("tests/integration/test_outages.py", 1, settings, what)])


def _tests(path: str, times: int, settings: Mapping[str, str], what: str) -> Row:
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", path]
    needed = {
        "DRIFTLINE_REQUIRE": "all"
    }  # a part that is not there must not pass for kills without a fault
    done = subprocess.run(
        command,
        env={**os.environ, **needed, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    wrong = () if done.returncode == 0 else (done.stdout[-2_000:],)
    return Row(what, times, wrong, time.monotonic() - began)


def mangled() -> Told:
    """A million lines of every kind through both formats, and inputs that atheris looks for; one
    without exactly one outcome raises."""
    parts = [
        _told("mangled lines", long.LINES, long.run(), {}),
        _told("inputs chosen by atheris", GUIDED, long.guided(GUIDED), {}),
    ]
    return Told(
        [row for part in parts for row in part.rows],
        sum((part.met for part in parts), Counter[str]()),
    )


def lived() -> Told:
    """A month of minutes, and ten wide models."""
    one = month.run()
    grown = float(str(one["rss_growth_mb"]))
    asked = {
        "exit code": one["exit_code"] == 0,
        "windows": one["windows_reported"] == one["windows_sent"],
        "rows": one["rows_reported"] == one["rows_sent"],
        "memory grows": grown < MOST_GROWTH_MB,
    }
    two = memory.run()
    wide = {
        "exit code": two["exit_code"] == 0,
        "memory": float(str(two["rss_mb_most"])) < MOST_MB,
        "memory grows": float(str(two["rss_growth_mb"])) < MOST_GROWTH_MB,
    }
    parts = [
        _told("windows of a compressed month", month.WINDOWS, one, asked),
        _told("windows of ten models with 200 features", memory.WINDOWS, two, wide),
    ]
    return Told(
        [row for part in parts for row in part.rows],
        sum((part.met for part in parts), Counter[str]()),
    )


def _told(what: str, times: int, figures: Mapping[str, object], right: Mapping[str, bool]) -> Told:
    wrong = tuple(f"{name}: {figures}" for name, holds in right.items() if not holds)
    met = Counter(
        {
            f"{what}: {name}": round(value)
            for name, value in figures.items()
            if isinstance(value, int | float)
        }
    )
    return Told([Row(what, times, wrong, float(str(figures["seconds"])))], met)
