"""The long versions of tests of the real service: kills, faults, outages, mangled lines, a month of
windows, wide models.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping

from stream.service.ending import NOTHING_JUDGED
from tests.fuzz import long
from tests.soak import memory, month
from tests.torture.rows import Row, SectionResult

KILLS_KAFKA = 100
KILLS_KINESIS = 20
KILLS_FOLDER = 1_000
OUTAGE_S = 600
CHUNK_S = 0.4
GUIDED, EXAMPLES = 100_000, 1_000
MAX_MB = 400.0
MAX_GROWTH_MB = 20.0


def killed() -> SectionResult:
    """Kill services and readers at random while events and labels arrive; windows must equal the
    producer's own counts.
    """
    return SectionResult.of(
        _tests(
            "tests/integration/test_kill9.py",
            2 * KILLS_KAFKA,
            {"DRIFTLINE_KILLS": str(KILLS_KAFKA)},
            "kills, Apache Kafka",
        ),
        _tests(
            "tests/integration/test_kill9_labels.py",
            2 * KILLS_KAFKA,
            {"DRIFTLINE_KILLS_LABELS": str(KILLS_KAFKA)},
            "kills, Apache Kafka, with labels in a topic of their own",
        ),
        _tests(
            "tests/integration/test_kill9_kinesis.py",
            KILLS_KINESIS,
            {"DRIFTLINE_KILLS_KINESIS": str(KILLS_KINESIS)},
            "kills, kinesis-local (an emulator), with a split and a merge",
        ),
        _tests(
            "tests/soak/test_shared_folder.py",
            KILLS_FOLDER,
            {"DRIFTLINE_KILLS_FOLDER": str(KILLS_FOLDER)},
            "kills, two services that write into one folder",
        ),
    )


def disturbed() -> SectionResult:
    """Cut, delay and kill a broker while events arrive."""
    path = "tests/integration/test_broker_outages.py"
    settings = {"DRIFTLINE_CHUNK_S": str(CHUNK_S)}
    return SectionResult.of(_tests(path, 2 * 9, settings, "faults between service and broker"))


def shut_out() -> SectionResult:
    """Keep SNS and CloudWatch from responding for ten real minutes; no result may be missing
    afterwards.
    """
    settings = {"DRIFTLINE_OUTAGE_S": str(OUTAGE_S)}
    trial = f"outage of SNS and CloudWatch (moto, an emulator), {OUTAGE_S} s"
    return SectionResult.of(_tests("tests/integration/test_outages.py", 1, settings, trial))


def _tests(path: str, times: int, settings: Mapping[str, str], trial: str) -> Row:
    """Run a file of tests with other settings; a missing server is a failure."""
    began_s = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", path],
        env={**os.environ, "DRIFTLINE_REQUIRE": "all", **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    failures = () if result.returncode == 0 else (result.stdout[-2_000:],)
    return Row(trial, times, failures, time.monotonic() - began_s)


def mangled() -> SectionResult:
    """Decode a million lines of every kind with both formats, inputs that atheris chooses, and
    arbitrary inputs that an oracle counts too; a line without exactly one outcome is a failure.
    """
    settings = {"DRIFTLINE_EXAMPLES": str(EXAMPLES)}
    path = "tests/property/test_formats_equal_the_oracle.py"
    arbitrary = _tests(path, EXAMPLES, settings, "arbitrary inputs of each property of formats")
    return (
        _measured("mangled lines", long.LINES, long.run(), {})
        | _measured("inputs chosen by atheris", GUIDED, long.guided(GUIDED), {})
        | SectionResult.of(arbitrary)
    )


def long_lives() -> SectionResult:
    """Run a month of one-minute windows, and ten wide models."""
    minutes = month.run()
    of_month = {
        "the exit code is 0": minutes["exit_code"] == 0,
        "each window is reported": minutes["windows_reported"] == minutes["windows_sent"],
        "each row is counted": minutes["rows_reported"] == minutes["rows_sent"],
        "memory does not grow": float(str(minutes["rss_growth_mb"])) < MAX_GROWTH_MB,
    }
    wide = memory.run()
    of_wide = {
        "it ends, with too few rows for a verdict": wide["exit_code"] == NOTHING_JUDGED,
        f"memory stays under {MAX_MB:g} MB": float(str(wide["rss_mb_most"])) < MAX_MB,
        "memory does not grow": float(str(wide["rss_growth_mb"])) < MAX_GROWTH_MB,
    }
    return _measured("windows of a compressed month", month.WINDOWS, minutes, of_month) | _measured(
        "windows of ten models with 200 features", memory.WINDOWS, wide, of_wide
    )


def _measured(
    trial: str, times: int, figures: Mapping[str, object], claims: Mapping[str, bool]
) -> SectionResult:
    """A row whose failures are the claims that do not hold; other numeric figures are counts."""
    failures = tuple(
        f"not true: {claim}: {figures}" for claim, holds in claims.items() if not holds
    )
    counts = Counter(
        {
            f"{trial}: {name}": round(value)
            for name, value in figures.items()
            if isinstance(value, int | float) and name != "seconds"
        }
    )
    return SectionResult([Row(trial, times, failures, float(str(figures["seconds"])))], counts)
